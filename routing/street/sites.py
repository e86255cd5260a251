"""Places of feeds (measurement sites, road segments, location references) matched to arcs with their direction.

A line is matched like a trace without time: near each of its points stand candidates, weighed by distance, direction, name and
class; between them the ways whose length fits best are taken. So a segment given by its two ends follows the road between them,
however it bends. A point takes the one street that fits best.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from routing.errors import InvalidInput
from routing.model.street_graph import ROAD_CLASSES
from routing.street.candidates import Candidates, list_candidates
from routing.street.matching import MatchOptions, TraceMatcher, build_layers, distance_cost, hidden_markov_model
from routing.street.names import StreetNames
from routing.street.snapping import SnapGrid

Int32 = npt.NDArray[np.int32]

SIGMA_M, REACH_M, CANDIDATES = 12.0, 70.0, 24
STEP_M, LEAST_M = 50.0, 20.0
"""Drawn lines are looked at every so many metres."""
ENDS_ONLY_M = 250.0
"""A line of two points further apart than this says nothing of the way between them."""
BEARING_DEG, MOST_BEARING, MOST_TURN_DEG = 20.0, 14.0, 70.0
NAME_COST, CLASS_COST = 4.0, 1.0

_METRES_PER_DEGREE = 111_319.49
_FUNCTIONAL = {"motorway": 0, "trunk": 1, "primary": 2, "secondary": 3, "tertiary": 4, "unclassified": 5, "residential": 6}
_CLASS_OF = np.array([_FUNCTIONAL.get(name.removesuffix("_link"), 7) for name in ROAD_CLASSES], np.int64)


@dataclass(frozen=True, slots=True)
class Site:
    """A place as a feed says it.

    Attributes
    ----------
    points : tuple of (lat, lon)
        One = a point; more = a line in the direction of travel.
    bearing_deg : float, optional
        Direction of travel at a point. Without it a point means both directions.
    bearings_deg : tuple of float, optional
        Direction at every point of a line, as location references give them; NaN = unknown.
    lengths_m : tuple of float, optional
        Way from each point of a line to the next, where it is known; one number for a line of two ends.
    name : str
        Name or number of the road; empty = unknown.
    functional_class : int, optional
        Importance of the road, 0 (motorway) to 7.
    both_directions : bool
    """

    points: tuple[tuple[float, float], ...]
    bearing_deg: float | None = None
    bearings_deg: tuple[float, ...] | None = None
    lengths_m: tuple[float, ...] | None = None
    name: str = ""
    functional_class: int | None = None
    both_directions: bool = False

    def __post_init__(self) -> None:
        n = len(self.points)
        if self.lengths_m is not None and len(self.lengths_m) != n - 1:
            raise InvalidInput(f"{len(self.lengths_m)} lengths between {n} points", "lengths_m")
        if self.bearings_deg is not None and len(self.bearings_deg) != n:
            raise InvalidInput(f"{len(self.bearings_deg)} bearings at {n} points", "bearings_deg")


@dataclass(frozen=True, slots=True)
class SiteMatch:
    """Where a site lies; empty where no street fits.

    Attributes
    ----------
    arcs : int32[a]
        In order of travel; with both directions the reverse arcs follow.
    cover : float32[a]
        Share of each arc that the site covers (1 for points).
    confidence : float
        Least probability of a point's choice, 0 to 1.
    complete : bool
        False where a line has points no street is near, or no way between two of them.
    """

    arcs: Int32
    cover: npt.NDArray[np.float32]
    confidence: float
    complete: bool


_NOWHERE = SiteMatch(np.empty(0, np.int32), np.empty(0, np.float32), 0.0, False)


class SiteMatcher:
    """Matches sites on one graph; give it a metric without closures (a closed road still has its sensors)."""

    def __init__(self, grid: SnapGrid, matcher: TraceMatcher, names: StreetNames) -> None:
        self._grid, self._matcher, self._names, self.graph = grid, matcher, names, grid.graph

    def match_sites(self, sites: Sequence[Site]) -> list[SiteMatch]:
        """Arcs of every site, in order; points that are not finite match nothing."""
        out: list[SiteMatch] = [_NOWHERE] * len(sites)
        known: list[int] = []
        guessed: list[int] = []
        for number, site in enumerate(sites):
            if len(site.points) == 1:
                out[number] = self._point(site)
            elif len(site.points) > 1:
                (guessed if _ends_only(site) and site.lengths_m is None else known).append(number)
        for numbers, share in ((known, 0.05), (guessed, 0.4)):
            if numbers:
                for number, found in zip(numbers, self._lines([sites[k] for k in numbers], share), strict=True):
                    out[number] = found
        return out

    def _candidates(
        self, points: npt.NDArray[np.float64], bearings: npt.NDArray[np.float64]
    ) -> tuple[Candidates, npt.NDArray[np.float32]]:
        """Candidates of points and what their distance and direction cost."""
        found = list_candidates(
            self._grid, points[:, 0], points[:, 1], self._matcher.usable, REACH_M, CANDIDATES, both_directions=True
        )
        turn = np.abs((found.bearing_deg - bearings[:, None] + 540.0) % 360.0 - 180.0)
        cost = np.where(np.isnan(turn), 0.0, np.minimum(0.5 * (turn / BEARING_DEG) ** 2, MOST_BEARING))
        return found, (cost + distance_cost(found.distance_m, SIGMA_M)).astype(np.float32)

    def _describe(self, site: Site, found_arc: Int32) -> npt.NDArray[np.float32]:
        """What the names and classes of candidates cost."""
        cost = np.zeros(found_arc.shape, np.float32)
        if site.name:
            cost += NAME_COST * (1.0 - self._names.resemblance(site.name, self.graph.arc_name[found_arc]))
        if site.functional_class is not None:
            cost += CLASS_COST * np.abs(_CLASS_OF[self.graph.arc_road_class[found_arc]] - site.functional_class)
        return cost

    def _point(self, site: Site) -> SiteMatch:
        bearing = math.nan if site.bearing_deg is None else site.bearing_deg
        found, cost = self._candidates(np.array(site.points, np.float64), np.array([bearing]))
        count = int(found.count[0])
        if not count:
            return _NOWHERE
        total = cost[0, :count] + self._describe(site, found.arc[0, :count])
        best = int(np.argmin(total))
        if cost[0, best] - distance_cost(found.distance_m[0], SIGMA_M)[best] > 0.5 * (MOST_TURN_DEG / BEARING_DEG) ** 2:
            return _NOWHERE  # every street here goes elsewhere
        arcs = [int(found.arc[0, best])]
        weight = np.exp(-(total - total[best]).astype(np.float64))
        undirected = site.bearing_deg is None or site.both_directions
        reverse = int(self.graph.arc_reverse[arcs[0]])
        if undirected and reverse >= 0:
            weight[found.arc[0, :count] == reverse] = 0.0
            arcs += [reverse] if self._matcher.usable[reverse] else []
        return SiteMatch(np.array(arcs, np.int32), np.ones(len(arcs), np.float32), float(1.0 / weight.sum()), True)

    def _lines(self, sites: Sequence[Site], beta_share: float) -> list[SiteMatch]:
        drawn = [_points_of(site) for site in sites]
        rows = np.concatenate(drawn)
        first = np.cumsum([0, *(len(part) for part in drawn)])
        found, cost = self._candidates(rows[:, :2], rows[:, 3])
        for k, site in enumerate(sites):
            part = slice(first[k], first[k + 1])
            cost[part] += self._describe(site, found.arc[part])
        kept = np.flatnonzero(found.count > 0)
        layers = build_layers(
            found.take(kept), cost[kept], rows[kept, 0], rows[kept, 1], np.full(len(kept), np.nan), rows[kept, 2]
        )
        starts = np.searchsorted(kept, first).astype(np.int64)
        options = MatchOptions(
            sigma_m=SIGMA_M, beta_m=20.0, beta_share=beta_share, detour_s=20.0, gap_s=86_400.0, gap_m=100_000.0
        )
        arcs, _, ends = self._matcher.run(layers, starts, hidden_markov_model(options)._replace(given_m=True))
        out = []
        for k, site in enumerate(sites):
            low, high = int(starts[k]), int(starts[k + 1])
            if low == high:
                out.append(_NOWHERE)
                continue
            way = arcs[int(ends[k - 1]) if k else 0 : int(ends[k])]
            chosen = [row for row in range(low, high) if layers.chosen[row] >= 0]
            cover = np.ones(len(way), np.float32)
            cover[0] -= layers.fraction[chosen[0], layers.chosen[chosen[0]]]
            cover[-1] -= 1.0 - layers.fraction[chosen[-1], layers.chosen[chosen[-1]]]
            whole = high - low == first[k + 1] - first[k] and bool((layers.link[low + 1 : high] == 1).all())
            out.append(self._line(site, way, cover, float(layers.confidence[chosen].min()), whole))
        return out

    def _line(self, site: Site, way: Int32, cover: npt.NDArray[np.float32], confidence: float, whole: bool) -> SiteMatch:
        if site.both_directions:
            reverse = self.graph.arc_reverse[way]
            back = (reverse >= 0) & self._matcher.usable[reverse]
            way, cover = np.concatenate([way, reverse[back][::-1]]), np.concatenate([cover, cover[back][::-1]])
        return SiteMatch(way.astype(np.int32), np.clip(cover, 0.0, 1.0), confidence, whole)


def _ends_only(site: Site) -> bool:
    return len(site.points) == 2 and _metres(*site.points[0], *site.points[1])[0] > ENDS_ONLY_M


def _thinned(points: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    """Points without those nearer than `LEAST_M` to the one before: their direction would say nothing."""
    kept = [points[0]]
    for point in points[1:-1]:
        if _metres(*kept[-1], *point)[0] >= LEAST_M:
            kept.append(point)
    if len(kept) > 1 and _metres(*kept[-1], *points[-1])[0] < LEAST_M:
        kept.pop()
    return (*kept, points[-1])


def _metres(lat: float, lon: float, to_lat: float, to_lon: float) -> tuple[float, float]:
    """Distance and bearing from one position to another."""
    north = (to_lat - lat) * _METRES_PER_DEGREE
    east = (to_lon - lon) * _METRES_PER_DEGREE * math.cos(math.radians(lat))
    return math.hypot(north, east), math.degrees(math.atan2(east, north)) % 360.0


def _points_of(site: Site) -> npt.NDArray[np.float64]:
    """Points to look at: latitude, longitude, metres so far, bearing (NaN = unknown)."""
    points = site.points if site.lengths_m is not None else _thinned(site.points)
    steps = [_metres(*a, *b) for a, b in itertools.pairwise(points)]
    if site.lengths_m is not None or _ends_only(site):
        lengths = site.lengths_m or tuple(length for length, _ in steps)
        bearings = site.bearings_deg or (math.nan,) * len(points)
        along = np.concatenate([[0.0], np.cumsum(lengths)])
        return np.array([(*point, at, bearing) for point, at, bearing in zip(points, along, bearings, strict=True)], np.float64)
    rows: list[tuple[float, float, float, float]] = []
    so_far = 0.0
    for (a, b), (length, bearing) in zip(itertools.pairwise(points), steps, strict=True):
        count = max(1, math.ceil(length / STEP_M)) if math.isfinite(length) and length < 100_000.0 else 1
        for i in range(count):
            part = i / count
            rows.append((a[0] + part * (b[0] - a[0]), a[1] + part * (b[1] - a[1]), so_far + part * length, bearing))
        so_far += length
    return np.array([*rows, (*points[-1], so_far, steps[-1][1])], np.float64)
