"""Roads of feeds (measurement sites, segments, location references) → the arcs they mean, as keys that survive a rebuild.

Every place is matched once and remembered. A hidden Markov model over all points of a line chooses the street and the direction
(`routing.street.sites`). Where what it finds is not complete, or much longer or shorter than the line, the street nearest to
each few metres of the line counts instead (`services.common.live.links`), as it does for a point that no street fits.
"""

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec
import numpy as np
import numpy.typing as npt

from routing.street.api import StreetEngine
from routing.street.arc_keys import arc_keys
from routing.street.sites import Site, SiteMatch, SiteMatcher
from services.common.live.links import MIN_COVER, Place, match_places
from services.common.live.traffic import place_of
from services.common.records import AnyRecord, Event, Observation

MOST_KEYS = 2_000
"""A longer stretch is stored without keys, and matched by its line wherever it is used."""
REMEMBERED = 100_000
LENGTH_SHARES, LENGTH_SLACK_M = (0.6, 1.6), 60.0
"""How much shorter or longer than its line a match may be."""

_METRES_PER_DEGREE = 111_195.0

Road = tuple[Place, str]
"""Where a record is about, and the name it gives."""


@dataclass(slots=True)
class RoadMatcher:
    """Matches the roads of records on one street graph; made when the first one comes."""

    engine: StreetEngine
    _sites: SiteMatcher | None = None
    _keys: npt.NDArray[np.int64] | None = None
    _known: dict[Road, tuple[int, ...]] = field(default_factory=dict)

    def match(self, records: Iterable[AnyRecord]) -> tuple[tuple[AnyRecord, ...], float | None]:
        """Records with the keys of their arcs, and the share of entities that have a street (None: none is about a road)."""
        rows = tuple(records)
        roads = [(place_of(row), _name(row)) for row in rows if isinstance(row, Observation | Event)]
        known, following = self._find(roads), iter(roads)
        matched: dict[str, bool] = {}
        answer: list[AnyRecord] = []
        for row in rows:
            if not isinstance(row, Observation | Event):
                answer.append(row)
                continue
            keys = known[next(following)]
            matched[row.entity] = bool(keys)
            answer.append(msgspec.structs.replace(row, arc_keys=keys if len(keys) <= MOST_KEYS else ()))
        return tuple(answer), sum(matched.values()) / len(matched) if matched else None

    def _find(self, roads: list[Road]) -> dict[Road, tuple[int, ...]]:
        """Keys of all roads, those not known yet in one batch; several feeds may ask at once."""
        cache = self._known
        found = {road: cache[road] for road in dict.fromkeys(roads) if road in cache}
        fresh = [road for road in dict.fromkeys(roads) if road not in found]
        if not fresh:
            return found
        if self._sites is None or self._keys is None:
            self._sites, self._keys = self.engine.site_matcher(), arc_keys(self.engine.graph)
        sites = self._sites.match_sites([_site(place, name) for place, name in fresh])
        arcs = [self._arcs(road[0], site) for road, site in zip(fresh, sites, strict=True)]
        doubtful = [k for k, own in enumerate(arcs) if own is None]
        for k, own in zip(doubtful, match_places(self.engine, [fresh[k][0] for k in doubtful]), strict=True):
            arcs[k] = own
        new = {road: tuple(self._keys[own].tolist()) for road, own in zip(fresh, arcs, strict=True)}
        # Swapped, not changed: another thread may be reading.
        self._known = new if len(self._known) > REMEMBERED else self._known | new
        return found | new

    def _arcs(self, place: Place, found: SiteMatch) -> npt.NDArray[np.int32] | None:
        """Arcs of a match that can be believed, None otherwise."""
        if not len(found.arcs) or not found.complete:
            return None
        if len(place.path) > 1:
            low, high = LENGTH_SHARES
            line_m = _length_m(place.path) * (2.0 if place.both_directions else 1.0)
            way_m = float((self.engine.graph.arc_length_m[found.arcs] * found.cover).sum())
            if way_m > high * line_m + LENGTH_SLACK_M:
                return None
            if way_m < low * line_m - LENGTH_SLACK_M and not place.both_directions:
                return None
        kept = found.arcs[found.cover >= MIN_COVER]
        return np.unique(kept if len(kept) else found.arcs[[np.argmax(found.cover)]])


def _site(place: Place, name: str) -> Site:
    points = place.path
    if len(points) < 2:
        point = (place.lat, place.lon) if place.lat is not None and place.lon is not None else next(iter(points), None)
        points = () if point is None else ((float(point[0] or 0.0), float(point[1] or 0.0)),)
    return Site(points, place.bearing_deg, name=name, both_directions=place.both_directions)


def _name(row: Observation | Event) -> str:
    return row.name if isinstance(row, Observation) else ""


def _length_m(path: tuple[tuple[float, float], ...]) -> float:
    return sum(
        math.hypot((b[0] - a[0]), (b[1] - a[1]) * math.cos(math.radians(a[0]))) * _METRES_PER_DEGREE
        for a, b in itertools.pairwise(path)
    )
