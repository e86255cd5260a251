"""What is wrong with a problem, under the names that fields have in the contract; numbers of load dimensions. Pure."""

import re
from collections.abc import Iterable

from traboule.rounds.v1 import problem_pb2 as pb

from routing.rounds.errors import FieldFinding
from services.common.status import InvalidRequest

_NAMES = (
    (re.compile(r"^(vehicles\[\d+\])\.id$"), r"\1.vehicle_id"),
    (re.compile(r"^(shipments?(?:\[\d+\])?)\.id$"), r"\1.shipment_id"),
    (re.compile(r"^(hubs\[\d+\])\.id$"), r"\1.hub_id"),
    (re.compile(r"\.load$"), ".loads"),
    (re.compile(r"\.capacity$"), ".capacities"),
)
_ONLY = re.compile(r"^shipments\[(\d+)\]\.vehicle_ids$")


def in_contract(findings: Iterable[FieldFinding], shipments: "Iterable[pb.Shipment]") -> list[tuple[str, str]]:
    """(field, what is wrong) for each finding; `shipments` are those that the findings count."""
    listed = list(shipments)
    return [(_renamed(one.field, listed), one.message) for one in findings]


def _renamed(field: str, shipments: list[pb.Shipment]) -> str:
    only = _ONLY.match(field)
    if only:
        locked = shipments[int(only[1])].locked_vehicle_id
        return f"shipments[{only[1]}].{'locked_vehicle_id' if locked else 'allowed_vehicle_ids'}"
    for pattern, name in _NAMES:
        field = pattern.sub(name, field)
    return field


def load_dimensions(message: pb.Problem) -> int:
    """Number of load dimensions: that of the units where they are named, else of the longest list of numbers.

    Raises
    ------
    InvalidRequest
        With every list of numbers that is neither empty nor of that length; a load without a capacity beside it would not bind.
    """
    longest = max((len(vehicle.capacities) for vehicle in message.vehicles), default=0)
    named = len(message.load_units) or longest
    wrong = []
    for k, vehicle in enumerate(message.vehicles):
        if len(vehicle.capacities) not in (0, named):
            wrong.append((f"vehicles[{k}].capacities", _count(len(vehicle.capacities), message)))
    for k, shipment in enumerate(message.shipments):
        if named and len(shipment.loads) > named:
            wrong.append((f"shipments[{k}].loads", _count(len(shipment.loads), message)))
    if wrong:
        raise InvalidRequest(wrong)
    return max([named, *(len(shipment.loads) for shipment in message.shipments)])


def _count(count: int, message: pb.Problem) -> str:
    numbers = "1 number is" if count == 1 else f"{count} numbers are"
    if message.load_units:
        return f"{numbers} given for {len(message.load_units)} load_units ({', '.join(message.load_units)})"
    return f"{numbers} given, where vehicles have {max(len(vehicle.capacities) for vehicle in message.vehicles)} capacities"
