"""Trips, alerts and car parks of several feeds become one value each."""

import numpy as np

from routing.model.car_parks import CarParks
from routing.model.strings import StringTable
from services.common.live.alerts import build_alerts
from services.common.live.parking import CarParkMatcher, build_car_parks
from services.common.live.trips import build_trips
from services.common.records import Alert, InformedEntity, Observation, Provenance, TripUpdate

NOW = 1_000_000


def update(feed: str, adapter: str, at: int, delay: int) -> TripUpdate:
    """Update of one trip."""
    return TripUpdate(
        feed=feed, entity="T|20260728", observed_at=at, received_at=at, valid_until=at + 600, static_feed="bus", trip_id="T",
        start_date="20260728", delay_s=delay, provenance=Provenance("", "", adapter),
    )  # fmt: skip


def test_the_operators_word_wins_over_what_was_inferred() -> None:
    """A newer inferred delay does not replace the operator's; among equals the newest wins; old ones run out."""
    said, inferred = update("rt", "gtfs-rt", NOW - 60, 100), update("ngsi", "ngsi-vehicles", NOW, 300)
    assert build_trips([inferred, said], [], 1, NOW).changes[0].delay_s == 100
    assert build_trips([inferred], [], 1, NOW).changes[0].delay_s == 300
    assert build_trips([inferred, said], [], 1, NOW + 570).changes[0].delay_s == 300
    assert not build_trips([inferred, said], [], 1, NOW + 700).changes


def test_alerts_by_what_a_ride_touches() -> None:
    """All fields of a selector must fit; periods and the timetable feed count."""
    alert = Alert(
        feed="alerts", entity="a", observed_at=NOW, received_at=NOW, valid_until=NOW + 999, cause="X", effect="Y",
        active_periods=((NOW, NOW + 100),),
        informed=(InformedEntity(route_id="R", direction_id=1), InformedEntity(stop_id="S")),
        provenance=Provenance("", "", "gtfs-rt"),
    )  # fmt: skip
    live = build_alerts([alert], {"alerts": "bus"}, 1, NOW)

    def hit(**what: object) -> bool:
        return bool(live.list_for("bus", NOW + 10, NOW + 20, **what))  # type: ignore[arg-type]

    assert hit(route_id="R", direction_id=1)
    assert hit(stop_ids=("Q", "S"))
    assert not hit(route_id="R", direction_id=0)
    assert not hit(route_id="Q")
    assert not live.list_for("rail", NOW, NOW, stop_ids=("S",))
    assert not live.list_for("bus", NOW + 101, NOW + 200, stop_ids=("S",))


def car_parks() -> CarParks:
    """Two car parks; the first is declared for a feed."""
    n, e7 = 2, 10_000_000
    lat, lon = np.array([41.15, 41.16]) * e7, np.array([-8.61, -8.62]) * e7
    text = StringTable.build
    return CarParks(
        ids=text(["a", "b"]), names=text(["A", "B"]), lat_e7=lat.astype(np.int32), lon_e7=lon.astype(np.int32),
        centre_lat_e7=lat.astype(np.int32), centre_lon_e7=lon.astype(np.int32), capacity=np.array([100, 50], np.int32),
        capacity_source=np.zeros(n, np.uint8), kind=np.zeros(n, np.uint8), park_and_ride=np.zeros(n, np.bool_),
        fee=np.zeros(n, np.int8), disabled_capacity=np.full(n, -1, np.int32), max_height_m=np.full(n, np.nan, np.float32),
        opening_hours=text(["", ""]), feed_ids=text(["p", ""]), feed_entities=text(["lot-1", ""]),
    )  # fmt: skip


def free(entity: str, value: float, lat: float | None = None, lon: float | None = None, **more: object) -> Observation:
    """Free spaces of a lot."""
    fields: dict[str, object] = {"kind": "free_spaces", "status": "open", "observed_at": NOW} | more
    return Observation(
        feed="p", entity=entity, received_at=NOW, valid_until=NOW + 600, value=value, unit="spaces", lat=lat, lon=lon,
        provenance=Provenance("", "", "parking-parkapi"), **fields,
    )  # type: ignore[arg-type]  # fmt: skip


def test_car_parks_are_matched_by_declaration_id_and_position() -> None:
    """Declared entity, same id, nearest within 150 m; anything else is counted as unmatched."""
    matcher = CarParkMatcher(car_parks())
    rows = [free("lot-1", 7), free("zzz", 9, 41.1601, -8.62), free("far", 1, 41.3, -8.6), free("none", 1)]
    live = build_car_parks(matcher, rows, 3, NOW)
    assert live.free_spaces.tolist() == [7, 9]
    assert (live.epoch, live.matched, live.unmatched) == (3, 2, 2)
    assert build_car_parks(matcher, rows, 4, NOW + 700).free_spaces.tolist() == [-1, -1]


def test_capacity_and_status_come_from_the_feed() -> None:
    """The feed's capacity replaces the snapshot's; a closed car park stays known as closed."""
    rows = [free("lot-1", 120, kind="capacity"), free("lot-1", 30, status="closed", observed_at=NOW + 1)]
    live = build_car_parks(CarParkMatcher(car_parks()), rows, 1, NOW)
    assert (live.capacity.tolist(), live.status[0], int(live.free_spaces[0])) == ([120, 50], "closed", 30)
