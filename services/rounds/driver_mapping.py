"""Rules of drivers, and reloads, in requests → those of the engine. Pure."""

from dataclasses import replace

from traboule.rounds.v1 import problem_pb2 as pb

from routing.rounds.api import DrivingRules
from routing.rounds.errors import InvalidProblemError
from services.common.errors import InvalidInput

IN_CONTRACT = {
    "split_s[0]": "rest_first_s", "split_s[1]": "rest_second_s", "driven_s": "driven_since_rest_s",
}  # fmt: skip
"""Fields of the engine's rules that have another name in the contract."""


USUAL_RELOADS = 5
"""Reloads of a vehicle that may reload and does not say how often."""


def reloads(vehicle: pb.Vehicle, path: str) -> int:
    """Most reloads of a vehicle.

    Raises
    ------
    InvalidInput
        Something about reloads is given though it may not reload.
    """
    if vehicle.may_reload:
        return vehicle.max_reloads or USUAL_RELOADS
    for name in ("max_reloads", "reload_places", "reload_s"):
        if getattr(vehicle, name):
            raise InvalidInput(f"{path}.{name}: only counts with may_reload; set that too", field=f"{path}.{name}")
    return 0


def driving_rules(vehicle: pb.Vehicle) -> DrivingRules | None:
    """Rules of a vehicle's driver; None = there are none.

    Raises
    ------
    InvalidProblemError
        Naming the field within the vehicle.
    """
    if not vehicle.HasField("driving_rules"):
        return None
    rules, usual = vehicle.driving_rules, DrivingRules()
    parts = usual.split_s or (0.0, 0.0)
    one = float(rules.rest_first_s) if rules.HasField("rest_first_s") else parts[0]
    two = float(rules.rest_second_s) if rules.HasField("rest_second_s") else parts[1]
    daily = float(rules.max_daily_driving_s) or None
    try:
        return DrivingRules(
            float(rules.max_driving_s) if rules.HasField("max_driving_s") else usual.max_driving_s,
            float(rules.rest_s) if rules.HasField("rest_s") else usual.rest_s,
            (one, two) if one else None,
            daily if rules.HasField("max_daily_driving_s") else usual.max_daily_driving_s,
            rules.waiting_is_rest, float(rules.driven_since_rest_s), float(rules.driven_today_s),
        )  # fmt: skip
    except InvalidProblemError as error:
        named = (replace(one, field=IN_CONTRACT.get(one.field, one.field)) for one in error.findings)
        raise InvalidProblemError(named).within("driving_rules") from None
