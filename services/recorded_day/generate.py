"""Generates the recorded day of a city: deterministic, the same inputs always give the same frames."""

import datetime as dt
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from routing.model.street_graph import StreetGraph
from routing.model.timetable import Timetable
from services.city.config import CityConfig, read_city
from services.city.gtfs_reader import GtfsSource, read_timetable
from services.city.osm_reader import read_street_graph
from services.recorded_day.archive import Archive, FrameReader, write_feed, write_manifest
from services.recorded_day.demand import SEED, stream
from services.recorded_day.errors import RecordedDayError
from services.recorded_day.roads import (
    Closure,
    Point,
    RoadSite,
    choose_closure,
    choose_detectors,
    choose_sites,
    flow_vph,
    occupancy_percent,
    speed_kmh,
)
from services.recorded_day.trips import SimulatedTrip, simulate_trips
from services.recorded_day.writers import NOTE, datex2, gtfs_rt, ngsi, parkapi

Progress = Callable[[str], None]

BEGINS_S, ENDS_S = 7 * 3600, 10 * 3600 + 1800
CLOSURE_BEGINS_S, CLOSURE_ENDS_S = 8 * 3600 + 900, 10 * 3600
SUGGESTED_START_S = 8 * 3600
CLOSED_STREET = "Rua da Constituição"
SITES_RADIUS_M = 9_000.0
SENSITIVITY = {"stcp": 1.0, "metro": 0.12}
STEPS_S = {"vehicles": 30, "trips": 30, "alerts": 300, "parking": 60, "traffic": 60, "situations": 60, "detectors": 20}


@dataclass(frozen=True, slots=True, eq=False)
class Day:
    """Everything that is simulated, before it is written in any format."""

    city: CityConfig
    midnight: int
    date: str
    begins_at: int
    ends_at: int
    closure: Closure | None
    sites: list[RoadSite]
    detectors: list[RoadSite]
    trips: dict[str, list[SimulatedTrip]]
    parks: list[parkapi.SimulatedCarPark]
    depots: list[Point]

    def local_s(self, unix_s: int) -> int:
        """Seconds of the service day."""
        return unix_s - self.midnight


def simulate_day(
    city: CityConfig, timetable: Timetable, graph: StreetGraph, begins_s: int = BEGINS_S, ends_s: int = ENDS_S
) -> Day:
    """Simulate the reference day of a city between two times of day."""
    if city.reference_date is None:
        raise RecordedDayError(f"{city.name}: city.toml has no reference_date, the day to simulate")
    date = city.reference_date
    noon = dt.datetime.combine(date, dt.time(12), ZoneInfo(city.timezone))
    midnight = int(noon.timestamp()) - 12 * 3600
    begins_at, ends_at = midnight + begins_s, midnight + ends_s
    centre = _centre(timetable)
    closure = choose_closure(graph, CLOSED_STREET, centre, midnight + CLOSURE_BEGINS_S, midnight + CLOSURE_ENDS_S)
    day = timetable.day_of_date(date)
    feeds = [feed for feed in timetable.feed_ids if feed in SENSITIVITY]
    trips = {
        feed: simulate_trips(timetable, feed, day, begins_at, ends_at, closure if feed == "stcp" else None, SENSITIVITY[feed])
        for feed in feeds
    }
    parks = [
        parkapi.SimulatedCarPark(
            row.feed_entity, row.name, row.lat, row.lon, row.capacity, bool(row.park_and_ride)
        )
        for row in city.car_parks
        if row.feed_entity and row.capacity
    ]  # fmt: skip
    rng = stream("depots")
    depots = [(centre[0] + 0.02 * (rng.random() - 0.5), centre[1] + 0.03 * (rng.random() - 0.5)) for _ in range(8)]
    return Day(
        city, midnight, date.strftime("%Y%m%d"), begins_at, ends_at, closure, choose_sites(graph, centre, SITES_RADIUS_M),
        choose_detectors(graph, centre), trips, parks, depots,
    )  # fmt: skip


def generate(city_folder: Path, target: Path, progress: Progress = print) -> Archive:
    """Make the recorded day of a city in `target`; answers the archive.

    Raises
    ------
    RecordedDayError
        If the city lacks what is needed.
    """
    city = read_city(city_folder)
    progress(f"reading the timetable of {city.title}")
    timetable = read_timetable(
        [GtfsSource(row.id, city.get_path(row.file), row.shift_days) for row in city.gtfs if row.id in SENSITIVITY]
    )
    progress("reading the streets")
    graph = read_street_graph(city.get_path(city.osm.file))
    progress("simulating trips and roads")
    day = simulate_day(city, timetable, graph)
    target.mkdir(parents=True, exist_ok=True)
    feeds = []
    for feed_id, kind, content_type, step, sites, make in writers(day):
        frames = [make(day.begins_at + i * step) for i in range((day.ends_at - day.begins_at) // step + 1)] if step else [
            make(day.begins_at - 3600)
        ]  # fmt: skip
        feeds.append(write_feed(target, feed_id, kind, content_type, step, day.begins_at, frames, sites))
        packed, raw = sum(b.size for b in feeds[-1].blocks), sum(map(len, frames))
        progress(f"{feed_id}: {len(frames)} frames, {raw / 1e6:.1f} MB, packed {packed / 1e3:.0f} kB")
    archive = Archive(
        target, city.name, f"{NOTE}; seed {SEED}", day.begins_at, day.ends_at, day.midnight + SUGGESTED_START_S, tuple(feeds),
        _events(day),
    )  # fmt: skip
    write_manifest(archive)
    return archive


Maker = Callable[[int], bytes]


def writers(day: Day) -> Iterator[tuple[str, str, str, int, str, Maker]]:
    """(feed id, kind, content type, step, feed id of its site table, maker of a frame) of every feed; step 0 = one frame."""
    xml, proto, text = "application/xml", "application/x-protobuf", "application/json"
    yield "stcp-vehicles", "ngsi-vehicles", text, STEPS_S["vehicles"], "", lambda t: _vehicles(day, t)
    yield "stcp-trip-updates", "gtfs-rt-trip-updates", proto, STEPS_S["trips"], "", lambda t: _stcp_trips(day, t)
    yield "metro-trip-updates", "gtfs-rt-trip-updates", proto, STEPS_S["trips"], "", lambda t: _metro_trips(day, t)
    yield "stcp-alerts", "gtfs-rt-alerts", proto, STEPS_S["alerts"], "", lambda t: _alerts(day, t)
    yield "porto-parking", "parkapi", text, STEPS_S["parking"], "", lambda t: parkapi.to_bytes(day.parks, day.local_s(t), t)
    yield (
        "porto-traffic-sites", "datex2-sites", xml, 0, "",
        lambda t: datex2.site_table("SIM-TRAFFIC", day.sites, t, ("trafficSpeed", "trafficFlow")),
    )  # fmt: skip
    yield "porto-traffic", "datex2-measured", xml, STEPS_S["traffic"], "porto-traffic-sites", lambda t: _traffic(day, t)
    yield (
        "porto-situations",
        "datex2-situations",
        xml,
        STEPS_S["situations"],
        "",
        lambda t: _situations(day, t),
    )
    yield (
        "porto-detectors-sites", "datex2-sites", xml, 0, "",
        lambda t: datex2.site_table("SIM-DETECTORS", day.detectors, t, ("trafficFlow", "trafficConcentration")),
    )  # fmt: skip
    yield "porto-detectors", "detectors", xml, STEPS_S["detectors"], "porto-detectors-sites", lambda t: _detectors(day, t)


def has_trip_updates(trip: SimulatedTrip) -> bool:
    """Whether the operator predicts this trip itself: half of the lines do, the others are known by their vehicles only."""
    return stream("predicted line", trip.route_id).random() < 0.5


def running(trips: list[SimulatedTrip], unix_s: int, ahead_s: int) -> Iterator[SimulatedTrip]:
    """Trips that have begun, or begin within `ahead_s`, and have not ended."""
    for trip in trips:
        if trip.departure[0] - ahead_s <= unix_s < trip.arrival[-1]:
            yield trip


def _vehicles(day: Day, unix_s: int) -> bytes:
    rows = [
        ngsi.vehicle(trip, unix_s)
        for trip in running(day.trips.get("stcp", []), unix_s, ngsi.LAYOVER_S)
        if not trip.cancelled
    ]  # fmt: skip
    rows += [ngsi.parked(2900 + i, *point, unix_s, stale=i % 4 == 3) for i, point in enumerate(day.depots)]
    return ngsi.to_bytes(rows)


def _stcp_trips(day: Day, unix_s: int) -> bytes:
    message = gtfs_rt.new_message(unix_s)
    for trip in running(day.trips.get("stcp", []), unix_s, gtfs_rt.AHEAD_S):
        if trip.cancelled or has_trip_updates(trip):
            gtfs_rt.add_trip_update(message, trip, day.date, unix_s)
    return gtfs_rt.to_bytes(message)


def _metro_trips(day: Day, unix_s: int) -> bytes:
    message = gtfs_rt.new_message(unix_s)
    for trip in running(day.trips.get("metro", []), unix_s, gtfs_rt.AHEAD_S):
        gtfs_rt.add_trip_update(message, trip, day.date, unix_s)
        if trip.departure[0] <= unix_s:
            gtfs_rt.add_vehicle(message, trip, day.date, unix_s)
    return gtfs_rt.to_bytes(message)


def _alerts(day: Day, unix_s: int) -> bytes:
    message = gtfs_rt.new_message(unix_s)
    routes = {trip.route_id for trip in day.trips.get("stcp", []) if trip.closed_from_call >= 0}
    closure = day.closure
    if closure is not None and routes and closure.begins_at <= unix_s < closure.ends_at:
        texts = gtfs_rt.closure_texts(closure)
        gtfs_rt.add_alert(message, "sim-closure", texts, (closure.begins_at, closure.ends_at), routes, "DETOUR", "CONSTRUCTION")
    return gtfs_rt.to_bytes(message)


def _traffic(day: Day, unix_s: int) -> bytes:
    rows = []
    for site in day.sites:
        local = day.local_s(unix_s)
        speed = speed_kmh(site, local, unix_s, day.closure)
        rows.append((site.site_id, speed, flow_vph(site, local, unix_s, day.closure, 60), None))
    return datex2.measured("SIM-TRAFFIC", rows, unix_s)


def _detectors(day: Day, unix_s: int) -> bytes:
    rows = []
    for site in day.detectors:
        local = day.local_s(unix_s)
        flow = flow_vph(site, local, unix_s, day.closure, 20)
        rows.append((site.site_id, None, flow, occupancy_percent(site, flow, speed_kmh(site, local, unix_s, day.closure))))
    return datex2.measured("SIM-DETECTORS", rows, unix_s)


def _situations(day: Day, unix_s: int) -> bytes:
    return datex2.situations([day.closure] if day.closure is not None else [], unix_s)


def _events(day: Day) -> dict[str, object]:
    if day.closure is None:
        return {}
    closure = day.closure
    return {
        "closure": {
            "event_id": closure.event_id, "street": closure.name, "begins_at": closure.begins_at, "ends_at": closure.ends_at,
            "path": [list(point) for point in closure.path],
        }
    }  # fmt: skip


def _centre(timetable: Timetable) -> Point:
    """Median position of the simulated feeds' stops: where public transport is densest."""
    simulated = [i for i, feed in enumerate(timetable.feed_ids) if feed in SENSITIVITY]
    own = np.isin(timetable.stop_feed, simulated)
    return round(float(np.nanmedian(timetable.stop_lat_deg[own])), 4), round(
        float(np.nanmedian(timetable.stop_lon_deg[own])), 4
    )


def digest(archive: Archive) -> str:
    """SHA-256 over all unpacked frames: equal for equal days, whatever version of xz packed them."""
    reader, found = FrameReader(archive), hashlib.sha256()
    for feed in archive.feeds:
        for index in range(feed.frames):
            found.update(reader.frame(feed, index))
    return found.hexdigest()
