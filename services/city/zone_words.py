"""Who may not enter a zone, in words."""

from routing.street.access_rules import AccessRules, EmissionClass

CLASS_NAMES = {
    EmissionClass.ELECTRIC: "all vehicles", EmissionClass.CLASS_1: "class 1 and dirtier",
    EmissionClass.CLASS_2: "class 2 and dirtier", EmissionClass.CLASS_3: "class 3 and dirtier",
    EmissionClass.CLASS_4: "class 4 and dirtier", EmissionClass.CLASS_5: "class 5 and dirtier",
    EmissionClass.UNCLASSIFIED: "vehicles without a class",
}  # fmt: skip
ALWAYS = "24/7"


def closed_to(from_class: EmissionClass, hours: str) -> str:
    """Who may not enter when, such as ``class 4 and dirtier (Mo-Fr 08:00-20:00)``."""
    return CLASS_NAMES[from_class] + (f" ({hours})" if hours not in ("", ALWAYS) else "")


def zone_in_words(rules: AccessRules, row: int) -> str:
    """The zone of a rule and who may not enter when."""
    rule = rules.rules[row]
    return f"the zone {rule.name}, which is closed to {closed_to(rule.from_class, rules.hours_text(row))}"
