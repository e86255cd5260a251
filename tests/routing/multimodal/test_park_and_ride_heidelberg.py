"""Park-and-ride with the real garages of Heidelberg: those of the city's own parking file, and never a closed one."""

import datetime as dt
import json
from dataclasses import replace
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from routing.forecast.parking import ParkingForecast
from routing.model.car_parks import CapacitySource
from routing.model.modes import StreetMode
from routing.multimodal.model import Itinerary, JourneyMode, JourneyRequest, Point
from routing.multimodal.network import JourneyNetwork, build_network
from routing.multimodal.planner import plan_journeys
from routing.street.api import StreetEngine
from routing.transit.api import TransitEngine
from services.city.snapshot import CitySnapshot
from tests.builders.door_to_door import gaps
from tests.builders.shared_data import shared

pytestmark = pytest.mark.slow
EIGHT = int(dt.datetime(2022, 7, 26, 8, tzinfo=ZoneInfo("Europe/Berlin")).timestamp())


@pytest.fixture(scope="module")
def network(heidelberg_snapshot: CitySnapshot) -> JourneyNetwork:
    """Its engines under free flow, with the counts of the parking file as the live state."""
    return with_counts(build_network(
        StreetEngine(heidelberg_snapshot.street), TransitEngine(heidelberg_snapshot.timetable), heidelberg_snapshot.car_parks
    ), heidelberg_snapshot, *counts())  # fmt: skip


def counts() -> tuple[dict[str, int], dict[str, str]]:
    """Free spaces and state of each car park, by its entity id, as the city's file says."""
    rows = json.loads(shared("heidelberg/parking/heidelberg.json").read_text(encoding="utf-8"))
    free = {row["id"]: max(0, int(row["availableSpotNumber"]["value"] or 0)) for row in rows if "availableSpotNumber" in row}
    states = {"Offen": "open", "Stoerung": "no_data"}
    return free, {row["id"]: states.get(str(row["status"]["value"]), "closed") for row in rows if "status" in row}


def with_counts(
    network: JourneyNetwork, heidelberg_snapshot: CitySnapshot, free: dict[str, int], status: dict[str, str]
) -> JourneyNetwork:
    """The network with an outlook from counts taken at eight."""
    parks = heidelberg_snapshot.car_parks
    entities = list(parks.feed_entities)
    spaces = np.array([free.get(entity, -1) for entity in entities], np.int32)
    observed = np.where(spaces >= 0, EIGHT, 0).astype(np.int64)
    forecast = ParkingForecast.for_city(parks, heidelberg_snapshot.timezone)
    outlook = forecast.outlook(spaces, parks.capacity, observed, [status.get(entity, "") for entity in entities])
    return replace(network, parking_outlook=outlook)


def journeys(network: JourneyNetwork, heidelberg_snapshot: CitySnapshot) -> list[Itinerary]:
    """Park-and-ride journeys from the edges of the extract to places near the middle."""
    lat, lon = heidelberg_snapshot.street.node_lat_e7 * 1e-7, heidelberg_snapshot.street.node_lon_e7 * 1e-7
    rng, found = np.random.default_rng(2), []
    centre = np.array([49.4094, 8.6942])
    away = np.hypot(lat - centre[0], (lon - centre[1]) * 0.65)
    street = network.street
    reached = [street.snap(lat, lon, mode, 100.0).arc >= 0 for mode in (StreetMode.FOOT, StreetMode.CAR)]
    far = np.flatnonzero((away > 0.03) & (away < 0.12) & reached[0] & reached[1])
    for node in rng.choice(far, 24, replace=False).tolist():
        origin = Point(float(lat[node]), float(lon[node]))
        request = JourneyRequest(origin, Point(*centre), EIGHT, modes=frozenset({JourneyMode.PARK_AND_RIDE}), max_itineraries=3)
        found += plan_journeys(network, request)
    return found


def test_a_real_garage_with_the_capacity_of_its_file_is_proposed(
    network: JourneyNetwork, heidelberg_snapshot: CitySnapshot
) -> None:
    """Garages of the file are among those proposed; each carries the file's capacity, and journeys hang together."""
    rows = json.loads(shared("heidelberg/parking/heidelberg.json").read_text(encoding="utf-8"))
    size = {row["id"]: int((row.get("staticTotalSpotNumber") or row["totalSpotNumber"])["value"] or 0) for row in rows}
    parks = heidelberg_snapshot.car_parks
    listed = {parks.ids[k]: size[parks.feed_entities[k]] for k in range(len(parks)) if parks.feed_entities[k] in size}
    assert len(listed) >= 20
    found = journeys(network, heidelberg_snapshot)
    assert found
    proposed = [leg.parking for journey in found for leg in journey.legs if leg.parking]
    assert all(gaps(journey) == [] for journey in found)
    real = [parking for parking in proposed if parking.car_park_id in listed]
    assert real, f"only {sorted({p.name for p in proposed})} were proposed"
    for parking in real:
        index = list(parks.ids).index(parking.car_park_id)
        if parks.capacity_source[index] == CapacitySource.FEED:
            assert parking.capacity == listed[parking.car_park_id]
        assert parking.free_probability >= 0.5


def test_a_closed_garage_is_never_proposed(network: JourneyNetwork, heidelberg_snapshot: CitySnapshot) -> None:
    """Close one proposed garage after the other: each is left out from then on, whatever its free spaces."""
    free, status = counts()
    parks, shut = heidelberg_snapshot.car_parks, list[str]()
    for _ in range(2):
        open_now = with_counts(network, heidelberg_snapshot, free, status)
        proposed = {leg.parking.car_park_id for j in journeys(open_now, heidelberg_snapshot) for leg in j.legs if leg.parking}
        listed = sorted(p for p in proposed if parks.feed_entities[list(parks.ids).index(p)])
        if not listed:
            break
        victim = parks.feed_entities[list(parks.ids).index(listed[0])]
        status, free = status | {victim: "closed"}, free | {victim: 500}
        closed = with_counts(network, heidelberg_snapshot, free, status)
        after = {leg.parking.car_park_id for j in journeys(closed, heidelberg_snapshot) for leg in j.legs if leg.parking}
        assert listed[0] not in after
        shut.append(listed[0])
    assert shut, "no garage of the file was proposed: nothing was proven"
