"""ListDepartures and SearchPlaces over a real server."""

from typing import Any

import numpy as np
import pytest
from traboule.common.v1 import geo_pb2
from traboule.journeys.v1 import departures_pb2, places_pb2

from services.journeys.keeper import ViewKeeper
from tests.builders.journeys import TRINDADE, at


def busiest_stop(keeper: ViewKeeper) -> int:
    """Stop on most patterns."""
    return int(np.bincount(keeper.snapshot.timetable.pattern_stops).argmax())


async def test_departures_are_those_of_the_timetable(stub: Any, keeper: ViewKeeper) -> None:
    """Of the busiest stop between 8:30 and 9:00: the same times as a plain walk over all trips of the day."""
    timetable, stop = keeper.snapshot.timetable, busiest_stop(keeper)
    request = departures_pb2.ListDeparturesRequest(
        stop_id=timetable.stop_ids[stop], from_unix_s=at("08:30"), window_s=1800, max_departures=100
    )
    answer = await stub.ListDepartures(request)
    found = [departure.departure.scheduled_unix_s for departure in answer.departures]
    assert found == sorted(found)
    assert answer.stop.stop_id == timetable.stop_ids[stop]
    expected = sorted(naive_departures(keeper, stop, at("08:30"), at("09:00")))
    assert len(expected) > 3
    assert [(d.departure.scheduled_unix_s, d.trip_id) for d in sorted(
        answer.departures, key=lambda d: (d.departure.scheduled_unix_s, d.trip_id))] == expected  # fmt: skip


def naive_departures(keeper: ViewKeeper, stop: int, from_s: int, until_s: int) -> list[tuple[int, str]]:
    """All departures of a stop in a span, by looking at every call of every service day."""
    timetable, found = keeper.snapshot.timetable, []
    for trip in range(len(timetable.trip_ids)):
        stops, first = timetable.stops_of_trip(trip), int(timetable.first_stop_time[trip])
        for call in np.flatnonzero(stops[:-1] == stop).tolist():
            for day in range(timetable.day_count):
                if timetable.is_running(trip, day):
                    start_s = int(timetable.day_start_s[int(timetable.route_feed[timetable.trip_route[trip]]), day])
                    moment = start_s + int(timetable.departure_s[first + call])
                    if from_s <= moment < until_s:
                        found.append((moment, timetable.trip_ids[trip]))
    return found


async def test_departures_of_chosen_routes_only(stub: Any, keeper: ViewKeeper) -> None:
    """As many as asked for, of the route asked for."""
    stop_id = keeper.snapshot.timetable.stop_ids[busiest_stop(keeper)]
    every = await stub.ListDepartures(departures_pb2.ListDeparturesRequest(stop_id=stop_id, max_departures=50))
    route = every.departures[-1].route.route_id
    request = departures_pb2.ListDeparturesRequest(stop_id=stop_id, route_ids=[route], max_departures=2)
    some = await stub.ListDepartures(request)
    assert 1 <= len(some.departures) <= 2
    assert {departure.route.route_id for departure in some.departures} == {route}
    expected = [d.trip_id for d in every.departures if d.route.route_id == route][: len(some.departures)]
    assert [d.trip_id for d in some.departures] == expected


@pytest.mark.parametrize("query", ["trindade", "TRINDADE", "Trindadde"])
async def test_places_are_found_whatever_the_writing(stub: Any, query: str) -> None:
    """Case and one wrong letter do not matter; the best match scores 1 and lies where it lies."""
    answer = await stub.SearchPlaces(places_pb2.SearchPlacesRequest(query=query, max_places=5))
    best = answer.places[0]
    assert best.name == "Trindade"
    assert best.score == pytest.approx(1)
    assert [place.score for place in answer.places] == sorted((place.score for place in answer.places), reverse=True)


async def test_accents_do_not_matter_and_kinds_limit(stub: Any) -> None:
    """A stop is asked for, stops are answered, with the id to ask departures with."""
    request = places_pb2.SearchPlacesRequest(query="bolhao", kinds=[places_pb2.PLACE_KIND_STOP], max_places=5)
    answer = await stub.SearchPlaces(request)
    assert answer.places[0].name.casefold().startswith("bolh")
    assert all(place.kind == places_pb2.PLACE_KIND_STOP and place.stop_id for place in answer.places)
    stop_id = answer.places[0].stop_id
    board = await stub.ListDepartures(departures_pb2.ListDeparturesRequest(stop_id=stop_id))
    assert board.departures


async def test_a_point_near_gives_distances(stub: Any) -> None:
    """Distance only where a point to measure from is given."""
    plain = await stub.SearchPlaces(places_pb2.SearchPlacesRequest(query="hospital"))
    near = geo_pb2.LatLng(lat_deg=TRINDADE[0], lon_deg=TRINDADE[1])
    focused = await stub.SearchPlaces(places_pb2.SearchPlacesRequest(query="hospital", near=near))
    assert not any(place.distance_m for place in plain.places)
    assert focused.places[0].distance_m < 3000
    assert focused.places[0].distance_m <= np.median([place.distance_m for place in focused.places])


@pytest.mark.parametrize(
    ("query", "approximate"), [("Rua de Santa Catarina 99999", True), ("Rua de Santa Catarina", False), ("Trindade", False)]
)
async def test_a_house_number_that_the_map_lacks_is_said(stub: Any, query: str, approximate: bool) -> None:
    """The street is found, and marked as not all that was asked for."""
    found = await stub.SearchPlaces(places_pb2.SearchPlacesRequest(query=query, max_places=1))
    assert found.places[0].approximate == approximate
