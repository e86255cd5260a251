"""Closures of DATEX II that bind some vehicles only: whom, and that they are not taken for closures to everybody."""

import pytest

from services.common.records import Event
from services.ingest.sources.registry import decode
from tests.builders.feeds import context
from tests.builders.shared_data import shared

HEAVY = (
    "<grossWeightCharacteristic><comparisonOperator>greaterThan</comparisonOperator>"
    "<grossVehicleWeight>{}</grossVehicleWeight></grossWeightCharacteristic>"
)
HIGH = (
    "<heightCharacteristic><comparisonOperator>greaterThanOrEqualTo</comparisonOperator>"
    "<vehicleHeight>{}</vehicleHeight></heightCharacteristic>"
)
LOW = HIGH.replace("greaterThanOrEqualTo", "lessThanOrEqualTo")
SITUATION = """<d2LogicalModel xmlns="http://datex2.eu/schema/2/2_0" modelBaseVersion="2">
<payloadPublication xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="SituationPublication">
<publicationTime>2026-03-10T07:59:00+01:00</publicationTime><situation id="s">
<situationRecord xsi:type="RoadOrCarriagewayOrLaneManagement" id="r" version="1">
<groupOfLocations xsi:type="Point"><pointByCoordinates><pointCoordinates><latitude>45.75</latitude><longitude>4.85</longitude>
</pointCoordinates></pointByCoordinates></groupOfLocations>{}
<roadOrCarriagewayOrLaneManagementType>roadClosed</roadOrCarriagewayOrLaneManagementType></situationRecord></situation>
</payloadPublication></d2LogicalModel>"""


def event_of(*groups: str) -> Event:
    """The one event of a closure for groups of vehicles."""
    whom = "".join(f"<forVehiclesWithCharacteristicsOf>{group}</forVehiclesWithCharacteristicsOf>" for group in groups)
    (event,) = decode("datex2", SITUATION.format(whom).encode(), context()).records
    assert isinstance(event, Event)
    return event


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ((), ()),
        (("",), ()),
        (("<vehicleType>anyVehicle</vehicleType>",), ()),
        (("<vehicleType>lorry</vehicleType>",), ("truck",)),
        (("<vehicleType>car</vehicleType>", "<vehicleType>lorry</vehicleType>"), ("car", "truck")),
        (("<vehicleType>carOrLightVehicle</vehicleType><vehicleType>heavyGoodsVehicle</vehicleType>",), ()),
        ((HEAVY.format("3.5"),), ("truck",)),
        ((HEAVY.format("2.0"),), ("van", "truck")),
        ((HEAVY.format("0.5"),), ()),
        ((HIGH.format("2.2"),), ("van", "truck")),
        ((LOW.format("7.4"),), ()),
        (("<vehicleType>lorry</vehicleType>" + HIGH.format("3.0"),), ("truck",)),
        (("<vehicleType>van</vehicleType>" + HEAVY.format("7.5"), "<vehicleType>car</vehicleType>"), ("car",)),
    ],
)
def test_whom_a_closure_binds(groups: tuple[str, ...], expected: tuple[str, ...]) -> None:
    """By types, by measures of usual vehicles, both together, groups added up."""
    event = event_of(*groups)
    assert (event.kind, event.vehicles) == ("closure", expected)


@pytest.mark.parametrize(
    "group",
    [
        "<vehicleType>bus</vehicleType>", HEAVY.format("60"), HEAVY.format("x"), HEAVY.format("nan"),
        "<loadType>explosiveMaterials</loadType>", "<vehicleType>lorry</vehicleType><loadType>explosiveMaterials</loadType>",
    ],
)  # fmt: skip
def test_a_closure_to_others_closes_nothing_here(group: str) -> None:
    """Buses, 60 t, explosives, or what cannot be read: a restriction, not a closure to everybody."""
    event = event_of(group)
    assert (event.kind, event.vehicles) == ("restriction", ())


def test_a_published_weight_limit_binds_the_heavy() -> None:
    """A Finnish road closed above 2 t, a template whose times are filled in."""
    template = shared("feeds/datex2_v3/fi/tloik__ims__versions__d2Message_WEIGHT_RESTRICTION.xml").read_text("utf-8")
    body = template.replace("START_DATE_TIME", "2026-03-10T07:00:00+01:00").replace(
        "END_DATE_TIME", "2026-03-11T07:00:00+01:00"
    )
    events = [record for record in decode("datex2", body.encode(), context()).records if isinstance(record, Event)]
    assert ("closure", ("van", "truck")) in {(event.kind, event.vehicles) for event in events}
