"""Signal sites of a city snapshot → intersections of the engine."""

import math
from functools import cached_property

import numpy as np
import numpy.typing as npt

from routing.model.modes import StreetMode
from routing.model.signal_sites import SignalSiteKind, SignalSites
from routing.model.street_graph import StreetGraph
from services.signals.errors import IntersectionNotFound
from traffic_lights.build import build_intersection
from traffic_lights.errors import SignalsError
from traffic_lights.model.geometry import ApproachGeometry, ExitGeometry, IntersectionGeometry
from traffic_lights.model.intersection import Intersection

METRES_PER_E7 = 0.0111319
MAX_LANES = 4
BEARING_REACH_M = 25.0


class SiteLoader:
    """Makes intersections of the sites of a city, each when first asked for.

    Parameters
    ----------
    graph : StreetGraph
    sites : SignalSites
        Of the same snapshot.
    """

    def __init__(self, graph: StreetGraph, sites: SignalSites) -> None:
        self.graph, self.sites = graph, sites
        self._built: dict[int, Intersection] = {}

    @cached_property
    def index(self) -> dict[str, int]:
        """Position of every site by id."""
        return {site_id: i for i, site_id in enumerate(self.sites.ids)}

    def find(self, site_id: str) -> Intersection | None:
        """Intersection of a site, None if there is none or the map does not suffice to build it."""
        i = self.index.get(site_id)
        if i is None:
            return None
        try:
            return self.build(i)
        except SignalsError:
            return None

    def get(self, site_id: str) -> Intersection:
        """Like `find`, but raises `IntersectionNotFound`, or the `SignalsError` that says why it cannot be built."""
        i = self.index.get(site_id)
        if i is None:
            raise IntersectionNotFound(f"there is no intersection {site_id!r} in this city", field="intersection_id")
        return self.build(i)

    def build(self, i: int) -> Intersection:
        """Intersection of site `i`."""
        if i not in self._built:
            self._built[i] = build_intersection(self.geometry(i))
        return self._built[i]

    def geometry(self, i: int) -> IntersectionGeometry:
        """Approaches and exits of site `i`, with bearings seen from its centre."""
        s = self.sites
        crossing = int(s.kind[i]) == SignalSiteKind.CROSSING
        inward, outward = self.in_arcs(i), self.out_arcs(i)
        return IntersectionGeometry(
            s.ids[i],
            tuple(ApproachGeometry(a, self._bearing_deg(i, a, inward=True), *self._about(a)) for a in inward),
            tuple(ExitGeometry(a, self._bearing_deg(i, a, inward=False), *self._about(a)) for a in outward),
            s.names[i],
            self._banned_turns(inward, outward),
            pedestrian_crossings=True if crossing else len(inward) <= 8,
            lat_deg=float(s.lat_e7[i]) * 1e-7,
            lon_deg=float(s.lon_e7[i]) * 1e-7,
        )

    def in_arcs(self, i: int) -> list[int]:
        """Arcs that enter site `i`."""
        return [int(a) for a in self.sites.in_arcs[self.sites.first_in_arc[i] : self.sites.first_in_arc[i + 1]]]

    def out_arcs(self, i: int) -> list[int]:
        """Arcs that leave site `i`."""
        return [int(a) for a in self.sites.out_arcs[self.sites.first_out_arc[i] : self.sites.first_out_arc[i + 1]]]

    def _about(self, arc: int) -> tuple[int, float, str]:
        g = self.graph
        lanes = min(MAX_LANES, max(1, int(g.arc_lanes[arc])))
        return lanes, min(130.0, max(5.0, float(g.arc_speed_kmh[arc]))), g.names[int(g.arc_name[arc])]

    def _bearing_deg(self, i: int, arc: int, *, inward: bool) -> float:
        """Bearing of the arc's point about `BEARING_REACH_M` away from the site, seen along the arc's own shape."""
        g = self.graph
        lo, hi = int(g.first_shape[arc]), int(g.first_shape[arc + 1])
        lat, lon = g.shape_lat_e7[lo:hi].astype(np.int64), g.shape_lon_e7[lo:hi].astype(np.int64)
        if inward:
            lat, lon = lat[::-1], lon[::-1]
        east, north = self._metres(lat - lat[0], lon - lon[0], int(lat[0]))
        far = int(np.argmax(np.hypot(east, north) >= BEARING_REACH_M)) or len(lat) - 1
        if east[far] == 0 and north[far] == 0:
            at = np.array([self.sites.lat_e7[i]]), np.array([self.sites.lon_e7[i]])
            east, north = self._metres(lat - at[0], lon - at[1], int(lat[0]))
        return math.degrees(math.atan2(float(east[far]), float(north[far]))) % 360.0

    @staticmethod
    def _metres(
        lat_e7: npt.NDArray[np.int64], lon_e7: npt.NDArray[np.int64], at_lat_e7: int
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        shrink = math.cos(math.radians(at_lat_e7 * 1e-7))
        return np.asarray(lon_e7 * METRES_PER_E7 * shrink, np.float64), np.asarray(lat_e7 * METRES_PER_E7, np.float64)

    def _banned_turns(self, inward: list[int], outward: list[int]) -> frozenset[tuple[int, int]]:
        """Turns from an approach straight into an exit that a restriction of the map forbids to cars."""
        g, banned = self.graph, set()
        ends = set(outward)
        first = self._restrictions_by_first_arc
        for a in inward:
            for r in first.get(a, ()):
                arcs = g.restriction_arcs[g.first_restriction[r] : g.first_restriction[r + 1]]
                if int(arcs[-1]) in ends:
                    banned.add((a, int(arcs[-1])))
        # A map that forbids every way out of an approach is wrong about one of them: which, nobody can say.
        return frozenset(p for p in banned if {(p[0], o) for o in outward} - banned)

    @cached_property
    def _restrictions_by_first_arc(self) -> dict[int, list[int]]:
        g = self.graph
        found: dict[int, list[int]] = {}
        for r in range(len(g.restriction_modes)):
            if int(g.restriction_modes[r]) & StreetMode.CAR.bit:
                found.setdefault(int(g.restriction_arcs[g.first_restriction[r]]), []).append(r)
        return found
