"""Requests of the `grpc` benchmark: drawn from the running city itself, the same for the same seed."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from traboule.common.v1 import geo_pb2
from traboule.journeys.v1 import departures_pb2, journeys_service_pb2_grpc, matrix_pb2, places_pb2, plan_pb2, route_pb2
from traboule.journeys.v1 import itinerary_pb2 as pb

QUERIES = ("tri", "sao", "rua", "hospital", "escola", "central", "praca", "avenida", "casa", "santa", "estacao", "universidade")
"""Beginnings of names found in most European cities; the stops they find are where journeys begin and end."""

MATRIX_SIDE, STREAM_SIDE = 10, 1000
STREET_MODES = (pb.MODE_CAR, pb.MODE_CAR, pb.MODE_CAR, pb.MODE_VAN, pb.MODE_TRUCK, pb.MODE_BICYCLE, pb.MODE_WALK)
"""Modes of routes on streets: cars three times as often as each other."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request: the method of JourneysService, its message, and whether it is answered by a stream."""

    method: str
    request: Any
    streams: bool = False


@dataclass(frozen=True, slots=True)
class City:
    """What scenarios are drawn from: places (lat, lon) and stop ids of the running city."""

    places: tuple[tuple[float, float], ...]
    stop_ids: tuple[str, ...]

    def location(self, random: Random) -> geo_pb2.Location:
        """A point within about 300 m of a random place."""
        lat, lon = random.choice(self.places)
        return geo_pb2.Location(
            point=geo_pb2.LatLng(lat_deg=lat + random.uniform(-0.003, 0.003), lon_deg=lon + random.uniform(-0.003, 0.003))
        )


async def read_city(stub: journeys_service_pb2_grpc.JourneysServiceStub) -> City:
    """Ask the server for places and stops.

    Raises
    ------
    LookupError
        If it knows fewer than two stops.
    """
    places: dict[tuple[float, float], None] = {}
    stops: dict[str, None] = {}
    for query in QUERIES:
        request = places_pb2.SearchPlacesRequest(query=query, kinds=[places_pb2.PLACE_KIND_STOP], max_places=20)
        answer = await stub.SearchPlaces(request, timeout=30)  # type: ignore[misc]
        for place in answer.places:
            places[place.location.lat_deg, place.location.lon_deg] = None
            stops[place.stop_id] = None
    if len(places) < 2:
        raise LookupError("the server knows fewer than two stops: is a city with a timetable loaded?")
    return City(tuple(places), tuple(stops))


def journeys(city: City, random: Random) -> Call:
    """Door to door, now, by transit and on foot."""
    request = plan_pb2.PlanJourneysRequest(origin=city.location(random), destination=city.location(random))
    return Call("PlanJourneys", request)


def places(city: City, random: Random) -> Call:
    """A few letters of a name, near a place."""
    del city
    query = random.choice(QUERIES)
    return Call("SearchPlaces", places_pb2.SearchPlacesRequest(query=query[: random.randint(3, len(query))]))


def matrix(city: City, random: Random) -> Call:
    """Ten by ten places by car."""
    sides = [[city.location(random) for _ in range(MATRIX_SIDE)] for _ in range(2)]
    return Call("GetMatrix", matrix_pb2.GetMatrixRequest(origins=sides[0], destinations=sides[1], mode=pb.MODE_CAR))


def stream(city: City, random: Random) -> Call:
    """A thousand by a thousand places by car, in messages."""
    sides = [[city.location(random) for _ in range(STREAM_SIDE)] for _ in range(2)]
    request = matrix_pb2.StreamMatrixRequest(origins=sides[0], destinations=sides[1], mode=pb.MODE_CAR)
    return Call("StreamMatrix", request, streams=True)


def route(city: City, random: Random) -> Call:
    """One way on streets, by any mode, with its geometry and steps."""
    request = route_pb2.PlanRouteRequest(
        origin=city.location(random), destination=city.location(random), mode=random.choice(STREET_MODES)
    )
    return Call("PlanRoute", request)


def isochrone(city: City, random: Random) -> Call:
    """What is reached by car, by bicycle or on foot within five and ten minutes."""
    mode = random.choice((pb.MODE_CAR, pb.MODE_BICYCLE, pb.MODE_WALK))
    request = matrix_pb2.GetIsochroneRequest(origin=city.location(random), modes=[mode], limits_s=[300, 600])
    return Call("GetIsochrone", request)


def street(city: City, random: Random) -> Call:
    """What is asked of the streets alone: mostly routes, some matrices and isochrones."""
    return random.choices((route, matrix, isochrone), (70, 20, 10))[0](city, random)


def departures(city: City, random: Random) -> Call:
    """The board of a stop."""
    return Call("ListDepartures", departures_pb2.ListDeparturesRequest(stop_id=random.choice(city.stop_ids)))


def mixed(city: City, random: Random) -> Call:
    """What an app asks: half journeys, a quarter boards, the rest searches and matrices."""
    return random.choices((journeys, departures, places, matrix), (50, 25, 20, 5))[0](city, random)


SCENARIOS: dict[str, Callable[[City, Random], Call]] = {
    "journeys": journeys, "places": places, "matrix": matrix, "stream": stream, "route": route, "isochrone": isochrone,
    "street": street, "departures": departures, "mixed": mixed,
}  # fmt: skip
