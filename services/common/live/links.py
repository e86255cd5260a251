"""Roads of feeds → arcs of the street graph: by sampling the path, the nearest street and the direction of travel.

A path is sampled every `STEP_M` metres; each sample takes the nearest street for cars within `MAX_DISTANCE_M` whose
direction differs by less than `MAX_TURN_DEG` from that of the path there (its reverse arc, where that fits better). An arc
counts when the samples cover at least `MIN_COVER` of it. Point sites take the one nearest arc, by bearing where it is said.

Places that say the keys of their arcs are not matched again, unless the streets have changed there.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from routing.model.modes import StreetMode
from routing.model.street_graph import StreetGraph
from routing.street.api import StreetEngine
from routing.street.arc_keys import ArcLookup

STEP_M = 8.0
MAX_DISTANCE_M = 25.0
POINT_DISTANCE_M = 60.0
MAX_TURN_DEG = 50.0
MIN_COVER = 0.4
MAX_SAMPLES = 4_000
_METRES_PER_DEGREE = 111_195.0

Path = Sequence[tuple[float, float]]
Arcs = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Place:
    """A road as a feed says it: a path (two points or more), or a point with or without a bearing.

    `arc_keys`: the arcs it was matched to before, maybe on an older graph.
    """

    path: tuple[tuple[float, float], ...] = ()
    lat: float | None = None
    lon: float | None = None
    bearing_deg: float | None = None
    both_directions: bool = False
    arc_keys: tuple[int, ...] = ()


@dataclass(slots=True)
class LinkMatcher:
    """Matches places to arcs and remembers them: the street graph of a matcher never changes."""

    engine: StreetEngine
    _lookup: ArcLookup | None = None
    _known: dict[Place, Arcs] = field(default_factory=dict)

    def match(self, places: Mapping[str, Place]) -> dict[str, Arcs]:
        """Arcs of each place (empty where nothing fits), sorted; unknown places are matched in one batch."""
        fresh = [place for place in dict.fromkeys(places.values()) if place not in self._known]
        if len(self._known) > 100_000:
            self._known.clear()
        self._known.update(self._by_keys(fresh))
        fresh = [place for place in fresh if place not in self._known]
        self._known.update(zip(fresh, match_places(self.engine, fresh), strict=True))
        return {name: self._known[place] for name, place in places.items()}

    def _by_keys(self, places: Sequence[Place]) -> dict[Place, Arcs]:
        """Arcs of the places whose keys this graph has, all of them."""
        keyed = [place for place in places if place.arc_keys]
        if not keyed:
            return {}
        if self._lookup is None:
            self._lookup = ArcLookup(self.engine.graph)
        arcs = self._lookup.find_arcs([key for place in keyed for key in place.arc_keys])
        parts = np.split(arcs, np.cumsum([len(place.arc_keys) for place in keyed])[:-1])
        return {place: np.unique(own) for place, own in zip(keyed, parts, strict=True) if (own >= 0).all()}


def match_places(engine: StreetEngine, places: Sequence[Place]) -> list[Arcs]:
    """Arcs of each place, in order; see the head of the module."""
    samples = [_samples(place) for place in places]
    lat = np.array([row[0] for rows in samples for row in rows], np.float64)
    lon = np.array([row[1] for rows in samples for row in rows], np.float64)
    if not len(lat):
        return [np.empty(0, np.int32) for _ in places]
    snaps = engine.snap(lat, lon, StreetMode.CAR, POINT_DISTANCE_M)
    bearing = np.array([row[2] for rows in samples for row in rows], np.float64)
    far = np.repeat(
        [MAX_DISTANCE_M if len(place.path) > 1 else POINT_DISTANCE_M for place in places], [len(rows) for rows in samples]
    )
    arcs = _directed(engine.graph, np.where(snaps.distance_m <= far, snaps.arc, -1), snaps.fraction, bearing).tolist()
    answer, first = [], 0
    for place, rows in zip(places, samples, strict=True):
        last = first + len(rows)
        answer.append(_arcs_of(engine.graph, place, arcs[first:last]))
        first = last
    return answer


def _arcs_of(graph: StreetGraph, place: Place, arcs: Sequence[int]) -> Arcs:
    """Arcs that the samples of a place cover."""
    covered: dict[int, float] = {}
    for arc in arcs:
        if arc >= 0:
            covered[arc] = covered.get(arc, 0.0) + STEP_M
    if len(place.path) > 1:
        kept = [arc for arc, metres in covered.items() if metres >= MIN_COVER * float(graph.arc_length_m[arc])]
        kept = kept or sorted(covered, key=lambda arc: -covered[arc])[:1]
    else:
        kept = list(covered)
    if place.both_directions or (len(place.path) < 2 and place.bearing_deg is None):
        kept += [int(graph.arc_reverse[arc]) for arc in kept if graph.arc_reverse[arc] >= 0]
    car = StreetMode.CAR.bit
    return np.array(sorted({arc for arc in kept if graph.arc_access[arc] & car}), np.int32)


def _directed(
    graph: StreetGraph, arc: Arcs, fraction: npt.NDArray[np.float32], bearing: npt.NDArray[np.float64]
) -> npt.NDArray[np.int32]:
    """Each arc or its reverse, whichever goes along `bearing` (NaN: the arc itself); -1 if neither does, or without arc."""
    found = arc.astype(np.int32)
    judged = np.flatnonzero((arc >= 0) & np.isfinite(bearing))
    if not len(judged):
        return found
    own = arc[judged]
    turn = np.abs((bearing[judged] - _bearings(graph, own, fraction[judged]) + 180.0) % 360.0 - 180.0)
    backwards = np.where(turn >= 180.0 - MAX_TURN_DEG, graph.arc_reverse[own], -1)
    found[judged] = np.where(turn <= MAX_TURN_DEG, own, backwards)
    return found


def _bearings(graph: StreetGraph, arc: Arcs, fraction: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Bearing of the piece of each arc (k of them, at least one) that lies at `fraction` of its length; float64[k]."""
    first = graph.first_shape[arc].astype(np.int64)
    count = graph.first_shape[arc + 1] - first - 1
    ends = np.cumsum(count)
    starts = ends - count
    piece = np.arange(ends[-1]) + np.repeat(first - starts, count)
    lat, lon = graph.shape_lat_e7, graph.shape_lon_e7
    stretch = np.repeat(np.cos(np.radians(lat[first] * 1e-7)), count)
    dy = (lat[piece + 1].astype(np.int64) - lat[piece]).astype(np.float64)
    dx = (lon[piece + 1].astype(np.int64) - lon[piece]) * stretch
    length = np.hypot(dx, dy)
    along = np.cumsum(length)
    along -= np.repeat(along[starts] - length[starts], count)
    before = np.add.reduceat(along < np.repeat(fraction * along[ends - 1], count), starts, dtype=np.int64)
    at = starts + np.minimum(before, count - 1)
    bearings: npt.NDArray[np.float64] = np.degrees(np.arctan2(dx[at], dy[at])) % 360.0
    return bearings


def _samples(place: Place) -> list[tuple[float, float, float]]:
    """(lat, lon, bearing) along the path; NaN bearing = any direction."""
    if len(place.path) < 2:
        point = (place.lat, place.lon) if place.lat is not None and place.lon is not None else next(iter(place.path), None)
        bearing = math.nan if place.bearing_deg is None else place.bearing_deg
        return [] if point is None else [(float(point[0] or 0), float(point[1] or 0), bearing)]
    rows: list[tuple[float, float, float]] = []
    for (lat1, lon1), (lat2, lon2) in zip(place.path, place.path[1:], strict=False):
        dy = (lat2 - lat1) * _METRES_PER_DEGREE
        dx = (lon2 - lon1) * _METRES_PER_DEGREE * math.cos(math.radians(lat1))
        length = math.hypot(dx, dy)
        if length < 0.5:
            continue
        bearing = math.degrees(math.atan2(dx, dy)) % 360
        count = max(1, round(length / STEP_M))
        for i in range(count):
            part = (i + 0.5) / count
            rows.append((lat1 + part * (lat2 - lat1), lon1 + part * (lon2 - lon1), bearing))
        if len(rows) > MAX_SAMPLES:
            break
    return rows[:MAX_SAMPLES]
