"""Vehicles without usable trip ids find their trips: drawn lines, then a whole simulated rush hour of Porto."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
from msgspec import structs

from routing.model.timetable import Timetable
from services.common.records import Provenance, TripUpdate, VehiclePosition
from services.ingest.match.timetable import TimetableStatic
from services.ingest.match.vehicles import VehicleMatcher
from services.ingest.sources import decode
from services.ingest.sources.base import SourceContext
from services.recorded_day.archive import FrameReader, read_archive
from services.recorded_day.roads import Closure
from services.recorded_day.trips import simulate_trips
from services.recorded_day.writers.ngsi import fleet_number
from tests.builders.shared_data import ROOT
from tests.builders.timetables import draw

LINE = """
R1 t1: A 8:00 > B 8:10 > C 8:20
R1 t2: A 8:30 > B 8:40 > C 8:50
R1 back: C 8:05 > B 8:15 > A 8:25
"""


def drawn() -> tuple[Timetable, int]:
    """Timetable of the line with stops 5 km apart from west to east, and unix seconds of 8:00 of its first day."""
    _, table = draw(LINE)
    order = {stop: i for i, stop in enumerate("ABC")}
    lon = np.array([-8.6 + 0.06 * order[stop_id.partition(":")[2]] for stop_id in table.stop_ids])
    direction = np.array([1 if trip_id.endswith("back") else 0 for trip_id in table.trip_ids], np.int8)
    table = replace(table, stop_lat_deg=np.full(len(lon), 41.15), stop_lon_deg=lon, trip_direction=direction)
    return table, int(table.day_start_s[0, 0]) + 8 * 3600


def bus(name: str, at: int, lon: float, direction: int | None = 0, bearing: float | None = 90.0) -> VehiclePosition:
    """Vehicle on the line."""
    return VehiclePosition(
        feed="v", entity=name, observed_at=at, received_at=at, valid_until=at + 180,
        provenance=Provenance("", "", "ngsi-vehicles"), static_feed="f", vehicle_id=name, lat=41.1501,
        lon=lon, bearing_deg=bearing, speed_kmh=30.0, route_id="R1",
        direction_id=direction,
    )  # fmt: skip


def test_position_and_time_give_trip_and_delay() -> None:
    """Half-way to B at 8:08 is three minutes late on the 8:00 trip."""
    table, eight = drawn()
    vehicles, updates = VehicleMatcher(table, "f").match([bus("v", eight + 480, -8.57)], eight + 480)
    assert vehicles[0].matched_trip_id == "t1"
    assert abs((vehicles[0].delay_s or 0) - 180) <= 2
    assert [(u.trip_id, u.stop_times[0].stop_id) for u in updates] == [("t1", "B")]
    assert isinstance(updates[0], TripUpdate)


def test_two_vehicles_never_share_a_trip() -> None:
    """The later one behind the first gets the next trip, although the first would fit it too."""
    table, eight = drawn()
    now = eight + 40 * 60
    vehicles, _ = VehicleMatcher(table, "f").match([bus("one", now, -8.50), bus("two", now, -8.545)], now)
    assert {v.entity: v.matched_trip_id for v in vehicles} == {"one": "t1", "two": "t2"}


def test_direction_is_respected_or_told_by_the_bearing() -> None:
    """Direction 1 matches the way back; without direction the bearing decides."""
    table, eight = drawn()
    now = eight + 10 * 60
    for vehicle in (bus("v", now, -8.51, 1, 270.0), bus("v", now, -8.51, None, 270.0)):
        assert VehicleMatcher(table, "f").match([vehicle], now)[0][0].matched_trip_id == "back"


def test_far_away_unknown_line_and_night_stay_unmatched() -> None:
    """Nothing is invented: off the line, another route, no trip under way."""
    table, eight = drawn()
    far, other = structs.replace(bus("far", eight, -8.57), lat=41.2), structs.replace(bus("other", eight, -8.57), route_id="R9")
    vehicles, updates = VehicleMatcher(table, "f").match([far, other], eight)
    night, _ = VehicleMatcher(table, "f").match([bus("v", eight + 8 * 3600, -8.57)], eight + 8 * 3600)
    assert not updates
    assert not any(v.matched_trip_id for v in (*vehicles, *night))


def test_waiting_at_the_first_stop_is_on_time() -> None:
    """A vehicle that stands at its terminal before departure is not early."""
    table, eight = drawn()
    (vehicle,), _ = VehicleMatcher(table, "f").match([bus("v", eight - 240, -8.6)], eight - 240)
    assert (vehicle.matched_trip_id, vehicle.delay_s) == ("t1", 0)


@pytest.mark.slow
def test_porto_rush_hour(porto_snapshot) -> None:  # type: ignore[no-untyped-def]
    """Of some 300 simulated buses, whose trip names fit nothing, at least 98 % get the trip they really run."""
    archive = read_archive(ROOT / "cities" / "porto" / "recorded_day")
    table = porto_snapshot.timetable
    feed = archive.find_feed("/stcp-vehicles")
    assert feed is not None
    closed = archive.events["closure"]
    assert isinstance(closed, dict)
    path = tuple((lat, lon) for lat, lon in closed["path"])
    closure = Closure(closed["event_id"], closed["street"], path, closed["begins_at"], closed["ends_at"])
    index = 181
    now = feed.begins_at + index * feed.step_s + 1
    day = table.day_of_date(dt.date(2026, 7, 28))
    trips = simulate_trips(table, "stcp", day, now - 60, now + 60, closure, 1.0)
    truth = {f"urn:ngsi-ld:Vehicle:porto:stcp:bus:sim-{fleet_number(trip)}": trip for trip in trips}
    records = decode(
        "ngsi-vehicles", FrameReader(archive).frame(feed, index), SourceContext("v", now, static_feed="stcp")
    ).records
    vehicles, _ = VehicleMatcher(table, "stcp").match([r for r in records if isinstance(r, VehiclePosition)], now)
    in_service = [vehicle for vehicle in vehicles if vehicle.route_id]
    right = [v for v in in_service if v.matched_trip_id == truth[v.entity].trip_id]
    errors = sorted(
        abs((v.delay_s or 0) - truth[v.entity].delay_at(max(min(truth[v.entity].next_call(v.observed_at), 99) - 1, 0)))
        for v in right
        if truth[v.entity].next_call(v.observed_at) < len(truth[v.entity].departure)
    )
    assert len(in_service) > 250
    assert len(right) >= 0.98 * len(in_service)
    assert errors[len(errors) // 2] <= 10


def test_static_index_of_the_snapshot(porto_snapshot) -> None:  # type: ignore[no-untyped-def]
    """Trips of the timetable are found by the feed's own id and run on the shifted dates."""
    static = TimetableStatic(porto_snapshot.timetable, "stcp", "v1")
    trip = static.find_trip("107_0_U_29")
    assert trip is not None
    assert trip.route_id == "107"
    assert static.runs_on(trip, "20260728")
    assert not static.runs_on(trip, "20260726")
    assert not static.runs_on(trip, "nonsense")
    assert static.find_trip("nope") is None
