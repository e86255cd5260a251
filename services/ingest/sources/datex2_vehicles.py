"""Which vehicles a DATEX II situation record binds: `forVehiclesWithCharacteristicsOf` → car, van, truck."""

import math
import operator
from collections.abc import Callable, Mapping

from services.ingest.sources.xml import Element, children, text

ALL = ("car", "van", "truck")

_TYPES: Mapping[str, tuple[str, ...]] = {
    "anyVehicle": ALL,
    **dict.fromkeys(("car", "privateCar", "carWithTrailer", "carWithCaravan", "fourWheelDrive"), ("car",)),
    **dict.fromkeys(("carOrLightVehicle",), ("car", "van")),
    **dict.fromkeys(("van", "lightCommercialVehicle"), ("van",)),
    **dict.fromkeys(("goodsVehicle",), ("van", "truck")),
    **dict.fromkeys(
        ("lorry", "heavyGoodsVehicle", "largeGoodsVehicle", "heavyVehicle", "heavyDutyVehicle", "articulatedVehicle", "tanker",
         "highSidedVehicle", "articulatedTruck", "heavyGoodsVehicleWithTrailer"),
        ("truck",),
    ),
}  # fmt: skip
"""Types of vehicle that have a street mode here; others (buses, trams, motorcycles, trailers…) bind none of them."""

_MEASURES: Mapping[str, tuple[str, dict[str, float]]] = {
    "grossWeightCharacteristic": ("grossVehicleWeight", {"car": 1.9, "van": 3.5, "truck": 18.0}),
    "heaviestAxleWeightCharacteristic": ("heaviestAxleWeight", {"car": 1.0, "van": 2.2, "truck": 11.5}),
    "heightCharacteristic": ("vehicleHeight", {"car": 1.7, "van": 2.6, "truck": 3.8}),
    "widthCharacteristic": ("vehicleWidth", {"car": 1.85, "van": 2.1, "truck": 2.55}),
    "lengthCharacteristic": ("vehicleLength", {"car": 4.6, "van": 6.0, "truck": 10.0}),
}
"""Characteristic → its value's element, and what usual vehicles measure (metres, tonnes), as the street engine takes them."""

_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "greaterThan": operator.gt, "greaterThanOrEqualTo": operator.ge, "lessThan": operator.lt,
    "lessThanOrEqualTo": operator.le, "equalTo": operator.eq,
}  # fmt: skip


def bound_vehicles(record: Element) -> tuple[str, ...] | None:
    """Vehicles a record binds: empty = all, None = none of car, van and truck.

    Several groups of characteristics add up, those of one group hold together. A group with characteristics that usual
    vehicles do not have, or that are not read (loads, fuel, numbers), binds none.
    """
    groups = list(children(record, "forVehiclesWithCharacteristicsOf"))
    if not groups:
        return ()
    bound = {kind for group in groups for kind in ALL if _binds(group, kind)}
    if not bound:
        return None
    return () if len(bound) == len(ALL) else tuple(kind for kind in ALL if kind in bound)


def _binds(group: Element, kind: str) -> bool:
    types = [(element.text or "").strip() for element in children(group, "vehicleType")]
    if types and not any(kind in _TYPES.get(name, ()) for name in types):
        return False
    read = 0
    for name, (value, usual) in _MEASURES.items():
        for measure in children(group, name):
            read += 1
            compare = _COMPARE.get(text(measure, "comparisonOperator"))
            limit = _number(text(measure, value))
            if compare is None or limit is None or not compare(usual[kind], limit):
                return False
    others = len([part for part in group if isinstance(part.tag, str)]) - read - len(types)
    return others == 0


def _number(stated: str) -> float | None:
    try:
        value = float(stated)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
