"""Words of turn-by-turn instructions in English, French and Portuguese."""

import re
from collections.abc import Mapping
from types import MappingProxyType

LANGUAGES = ("en", "fr", "pt")

_HEADINGS = {
    "en": ("north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west"),
    "fr": ("le nord", "le nord-est", "l'est", "le sud-est", "le sud", "le sud-ouest", "l'ouest", "le nord-ouest"),
    "pt": ("norte", "nordeste", "este", "sueste", "sul", "sudoeste", "oeste", "noroeste"),
}

TEXTS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "en": {
            "depart": "Head {heading}{on}", "straight": "Continue{onto}", "slight_right": "Bear right{onto}",
            "right": "Turn right{onto}", "sharp_right": "Turn sharp right{onto}", "slight_left": "Bear left{onto}",
            "left": "Turn left{onto}", "sharp_left": "Turn sharp left{onto}", "keep_right": "Keep right{onto}",
            "keep_left": "Keep left{onto}", "u_turn": "Make a U-turn{onto}", "merge": "Merge{onto}",
            "exit": "Take the exit{onto}", "ferry": "Take the ferry{name}",
            "roundabout": "At the roundabout, take the {exit} exit{onto}",
            "enter_roundabout": "Enter the roundabout",
            "arrive": "You have arrived", "arrive_right": "You have arrived, on the right",
            "arrive_left": "You have arrived, on the left",
        },
        "fr": {
            "depart": "Partez vers {heading}{on}", "straight": "Continuez{onto}",
            "slight_right": "Serrez légèrement à droite{onto}",
            "right": "Tournez à droite{onto}", "sharp_right": "Tournez franchement à droite{onto}",
            "slight_left": "Serrez légèrement à gauche{onto}", "left": "Tournez à gauche{onto}",
            "sharp_left": "Tournez franchement à gauche{onto}", "keep_right": "Restez à droite{onto}",
            "keep_left": "Restez à gauche{onto}", "u_turn": "Faites demi-tour{onto}", "merge": "Insérez-vous{onto}",
            "exit": "Prenez la sortie{onto}", "ferry": "Prenez le bac{name}",
            "roundabout": "Au rond-point, prenez la {exit} sortie{onto}", "enter_roundabout": "Entrez dans le rond-point",
            "arrive": "Vous êtes arrivé", "arrive_right": "Vous êtes arrivé, à droite",
            "arrive_left": "Vous êtes arrivé, à gauche",
        },
        "pt": {
            "depart": "Siga para {heading}{on}", "straight": "Continue{onto}",
            "slight_right": "Vire ligeiramente à direita{onto}",
            "right": "Vire à direita{onto}", "sharp_right": "Vire acentuadamente à direita{onto}",
            "slight_left": "Vire ligeiramente à esquerda{onto}", "left": "Vire à esquerda{onto}",
            "sharp_left": "Vire acentuadamente à esquerda{onto}", "keep_right": "Mantenha-se à direita{onto}",
            "keep_left": "Mantenha-se à esquerda{onto}", "u_turn": "Faça inversão de marcha{onto}", "merge": "Entre{onto}",
            "exit": "Tome a saída{onto}", "ferry": "Apanhe o ferry{name}",
            "roundabout": "Na rotunda, tome a {exit} saída{onto}", "enter_roundabout": "Entre na rotunda",
            "arrive": "Chegou ao destino", "arrive_right": "Chegou ao destino, à direita",
            "arrive_left": "Chegou ao destino, à esquerda",
        },
    }
)  # fmt: skip
"""Sentences by language and manoeuvre."""

_FEMININE = frozenset((
    "rue", "place", "route", "ruelle", "promenade", "voie", "montée", "cité", "rampe", "traverse", "grande-rue", "grand-rue",
    "rocade", "passerelle", "chaussée", "sente", "côte", "cour", "rua", "travessa", "praça", "praceta", "viela",
    "calçada", "ponte", "rotunda", "circunvalação",
))  # fmt: skip
_MASCULINE = frozenset((
    "boulevard", "quai", "chemin", "cours", "passage", "pont", "square", "sentier", "périphérique", "tunnel", "rond-point",
    "mail", "clos", "viaduc", "faubourg", "largo", "beco", "campo", "caminho", "jardim", "bairro", "túnel",
    "viaduto", "cais", "parque", "terreiro",
))  # fmt: skip
_ELIDED = frozenset((
    "avenue", "allée", "impasse", "esplanade", "autoroute", "échangeur", "avenida", "alameda", "estrada", "autoestrada",
    "escadas",
))  # fmt: skip
_ROAD_NUMBER = re.compile(r"^([A-Z]{1,2}) ?-?\d")


def heading(language: str, bearing_deg: float) -> str:
    """The point of the compass nearest to a bearing."""
    return _HEADINGS[language][round(bearing_deg / 45.0) % 8]


def ordinal(language: str, number: int) -> str:
    """A number as one counts exits: first, second, third."""
    if language == "fr":
        return "1re" if number == 1 else f"{number}e"
    if language == "pt":
        return f"{number}.ª"
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{('th', 'st', 'nd', 'rd')[number % 10] if number % 10 < 4 else 'th'}"


def onto(language: str, name: str, *, moving: bool = True) -> str:
    """`` onto Main Street``, `` sur la rue Mercière``, `` na Rua do Almada``; empty for an empty name (`moving` false: on)."""
    if not name:
        return ""
    if language == "fr":
        return f" sur {_with_french_article(name)}"
    if language == "pt":
        return f" {_portuguese_in(name)} {name}"
    return f" {'onto' if moving else 'on'} {name}"


def _with_french_article(name: str) -> str:
    number = _ROAD_NUMBER.match(name)
    if number:
        return ("l'" if number[1][0] in "AEIO" else "la ") + name
    first, _, rest = name.partition(" ")
    kind = first.lower()
    named = f"{kind} {rest}".strip()
    if kind in _FEMININE:
        return f"la {named}"
    if kind in _MASCULINE:
        return f"le {named}"
    return f"l'{named}" if kind in _ELIDED else name


def _portuguese_in(name: str) -> str:
    kind = name.partition(" ")[0].lower()
    if kind in _FEMININE or kind in {"avenida", "alameda", "estrada", "autoestrada"} or _ROAD_NUMBER.match(name):
        return "na"
    if kind == "escadas":
        return "nas"
    return "no" if kind in _MASCULINE else "em"


def distance(language: str, length_m: float) -> str:
    """A distance as one says it: tens of metres, then fifties, then tenths of a kilometre, then kilometres."""
    if length_m < 95.0:
        return f"{max(10, round(length_m / 10) * 10)} m"
    if length_m < 975.0:
        return f"{round(length_m / 50) * 50} m"
    text = f"{length_m / 1000:.1f}" if length_m < 9950.0 else f"{length_m / 1000:.0f}"
    text = text.removesuffix(".0")
    return f"{text if language == 'en' else text.replace('.', ',')} km"
