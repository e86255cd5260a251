"""Locations of requests → points; place ids → places.

A place id is the reference of the place index (``stop:stcp:TRD``, ``osm:way/123``): stable as long as the thing stands.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from traboule.common.v1 import geo_pb2
from traboule.journeys.v1 import places_pb2

from routing.model.places import PlaceKind
from routing.model.timetable import Timetable, index_of
from routing.multimodal.emissions import basic_route_type
from routing.multimodal.model import Point
from routing.multimodal.transit_legs import stop_point
from routing.places.search import Focus, FoundPlace, PlaceSearch
from services.common.errors import InvalidInput, NotFound

KINDS: "dict[PlaceKind, places_pb2.PlaceKind.ValueType]" = {
    PlaceKind.STOP: places_pb2.PLACE_KIND_STOP,
    PlaceKind.STREET: places_pb2.PLACE_KIND_STREET,
    PlaceKind.ADDRESS: places_pb2.PLACE_KIND_ADDRESS,
    PlaceKind.POINT_OF_INTEREST: places_pb2.PLACE_KIND_POINT_OF_INTEREST,
    PlaceKind.LOCALITY: places_pb2.PLACE_KIND_SETTLEMENT,
    PlaceKind.CAR_PARK: places_pb2.PLACE_KIND_CAR_PARK,
}
DEFAULT_PLACES = 10
RAIL_TYPES = frozenset({0, 1, 2, 5, 6, 7, 12})
"""GTFS route types that run on rails or ropes: their stops are what people mean by the name of an interchange."""


class Places:
    """Places and stops of one city snapshot."""

    def __init__(self, search: PlaceSearch, timetable: Timetable) -> None:
        self._search, self._timetable = search, timetable
        self._index = search.index
        self._by_reference = {reference: i for i, reference in reversed(list(enumerate(self._index.references)))}
        self._on_rails = _stops_on_rails(timetable)

    def resolve(self, location: geo_pb2.Location, field: str) -> Point:
        """Point of a request's location.

        Raises
        ------
        NotFound
            If a place or stop id is unknown.
        InvalidInput
            If nothing is given.
        """
        match location.WhichOneof("location"):
            case "point":
                return Point(location.point.lat_deg, location.point.lon_deg)
            case "stop_id":
                return stop_point(self._timetable, self.stop_index(location.stop_id, f"{field}.stop_id"))
            case "place_id":
                return self._place(location.place_id, f"{field}.place_id")
        raise InvalidInput(f"{field}: give a point, a place_id or a stop_id", field=field)

    def stop_index(self, stop_id: str, field: str) -> int:
        """Timetable index of a feed-scoped stop id; raises NotFound."""
        index = index_of(self._timetable).stops.get(stop_id)
        if index is None:
            raise NotFound(
                f"stop {stop_id!r} is not in the timetable; stop ids look like stcp:TRD1, see SearchPlaces", field=field
            )
        return index

    def _place(self, place_id: str, field: str) -> Point:
        i = self._by_reference.get(place_id)
        if i is None:
            raise NotFound(f"place {place_id!r} is not known; take place ids from SearchPlaces", field=field)
        return Point(self._index.lat_e7[i] * 1e-7, self._index.lon_e7[i] * 1e-7, self._index.names[i])

    def search(self, request: places_pb2.SearchPlacesRequest) -> list[places_pb2.Place]:
        """Places by name, best first."""
        near = request.near
        focus = Focus(near.lat_deg, near.lon_deg) if request.HasField("near") else None
        wanted = frozenset(kind for kind, code in KINDS.items() if code in set(request.kinds)) or None
        found = self._search.search(request.query, focus=focus, limit=request.max_places or DEFAULT_PLACES, kinds=wanted)
        best = max((row.score for row in found), default=1.0)
        return [self._to_proto(row, best, with_distance=focus is not None) for row in found]

    def _main_stop(self, stops: Sequence[int]) -> int:
        """Stop that stands for an interchange: the first on rails, else the first."""
        return next((stop for stop in stops if self._on_rails[stop]), stops[0])

    def _to_proto(self, row: FoundPlace, best: float, *, with_distance: bool) -> places_pb2.Place:
        index, i = self._index, row.index
        stops: Sequence[int] = index.stops[index.first_stop[i] : index.first_stop[i + 1]].tolist()
        message = places_pb2.Place(
            place_id=index.references[i],
            name=index.names[i],
            kind=KINDS[PlaceKind(int(index.kind[i]))],
            location=geo_pb2.LatLng(lat_deg=index.lat_e7[i] * 1e-7, lon_deg=index.lon_e7[i] * 1e-7),
            locality=index.localities[i],
            stop_id=self._timetable.stop_ids[self._main_stop(stops)] if stops else "",
            score=max(0.0, row.score / best) if best > 0 else 0.0,
            approximate=row.is_approximate,
        )
        if with_distance:
            message.distance_m = row.distance_m
        return message


def _stops_on_rails(timetable: Timetable) -> npt.NDArray[np.bool_]:
    """Whether a tram, metro, train or the like calls at each stop (bool[stops])."""
    on_rails = np.array([basic_route_type(int(t)) in RAIL_TYPES for t in timetable.route_type], np.bool_)
    answer = np.zeros(timetable.stop_count, np.bool_)
    positions = np.repeat(timetable.pattern_route, np.diff(timetable.first_pattern_stop))
    answer[timetable.pattern_stops[on_rails[positions]]] = True
    return answer
