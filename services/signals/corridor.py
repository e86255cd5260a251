"""A street with its signals as a network for the queue model."""

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np

from routing.model.modes import StreetMode
from services.signals.errors import CorridorNotFound
from services.signals.loader import SiteLoader
from traffic_lights.errors import SignalsError
from traffic_lights.model.intersection import Intersection
from traffic_lights.simulation.network import LinkSpec, QueueNetwork, build_network

MAX_WALK_M = 1500.0
ENTRY_LENGTH_M = 250.0
MAIN_VPH_PER_LANE = 450.0
SIDE_VPH_PER_LANE = 220.0


@dataclass(frozen=True, slots=True, eq=False)
class Corridor:
    """Signals along one street in order.

    Attributes
    ----------
    street : str
    site_ids : tuple[str, ...]
    network : QueueNetwork
        Demand is assumed (`MAIN_VPH_PER_LANE`, `SIDE_VPH_PER_LANE` times the factor asked for), turning shares too.
    """

    street: str
    site_ids: tuple[str, ...]
    network: QueueNetwork


def list_corridors(loader: SiteLoader, least: int = 4) -> list[tuple[str, int]]:
    """Names of streets with at least `least` signals, most first."""
    count: dict[str, int] = {}
    for i in range(len(loader.sites)):
        for name in _street_names(loader, i):
            count[name] = count.get(name, 0) + 1
    return sorted(((n, c) for n, c in count.items() if c >= least), key=lambda p: (-p[1], p[0]))


def pick_corridor(loader: SiteLoader, street: str = "", most: int = 8, demand_factor: float = 1.0) -> Corridor:
    """Build the corridor along `street` (default: the street with most signals).

    Raises
    ------
    CorridorNotFound
        If fewer than two signals of that street can be built; names the streets that have enough.
    """
    known = list_corridors(loader, 2)
    wanted = street or (known[0][0] if known else "")
    names = [n for n, _ in known if n.casefold() == wanted.casefold()] or [
        n for n, _ in known if wanted and wanted.casefold() in n.casefold()
    ]
    if not names:
        few = ", ".join(n for n, _ in known[:5])
        raise CorridorNotFound(f"no street {wanted!r} with two or more signals; streets with most: {few}", field="street")
    order = _along(loader, [i for i in range(len(loader.sites)) if names[0] in _street_names(loader, i)])
    built: list[tuple[int, Intersection]] = []
    for i in order:
        try:
            x = loader.build(i)
        except SignalsError:
            continue  # a site whose geometry makes no safe intersection takes no part
        if len(x.stages) >= 2:
            built.append((i, x))
    if len(built) < 2:
        raise CorridorNotFound(f"of {names[0]!r} fewer than two signals can be built from the map", field="street")
    built = _densest(loader, built, most)
    network = _network(loader, names[0], built, demand_factor)
    return Corridor(names[0], tuple(loader.sites.ids[i] for i, _ in built), network)


def _street_names(loader: SiteLoader, i: int) -> set[str]:
    g = loader.graph
    return {g.names[int(g.arc_name[a])] for a in (*loader.in_arcs(i), *loader.out_arcs(i))} - {""}


def _along(loader: SiteLoader, sites: list[int]) -> list[int]:
    """Sites in the order of their projection on the street's main direction."""
    s = loader.sites
    points = np.array([(s.lon_e7[i] * 0.76, s.lat_e7[i]) for i in sites], float)
    centred = points - points.mean(axis=0)
    axis = np.linalg.svd(centred, full_matrices=False)[2][0]
    return [sites[int(k)] for k in np.argsort(centred @ axis, kind="stable")]


def _densest(loader: SiteLoader, built: list[tuple[int, Intersection]], most: int) -> list[tuple[int, Intersection]]:
    """The `most` neighbours that span the shortest stretch."""
    if len(built) <= most:
        return built
    gaps = [math.dist(_position(loader, a), _position(loader, b)) for (a, _), (b, _) in itertools.pairwise(built)]
    start = min(range(len(built) - most + 1), key=lambda k: sum(gaps[k : k + most - 1]))
    return built[start : start + most]


def _position(loader: SiteLoader, i: int) -> tuple[float, float]:
    return float(loader.sites.lon_e7[i]) * 0.76, float(loader.sites.lat_e7[i])


def _network(loader: SiteLoader, street: str, built: list[tuple[int, Intersection]], factor: float) -> QueueNetwork:
    """Links between sites are followed along the streets; an approach nobody feeds is an entry with assumed demand."""
    g = loader.graph
    ends = {a: k for k, (i, _) in enumerate(built) for a in loader.in_arcs(i)}
    feeds: dict[int, tuple[int, float]] = {}  # approach arc → exit arc that leads to it, length
    for k, (i, _) in enumerate(built):
        for out in loader.out_arcs(i):
            reached = _walk(loader, out, ends)
            if reached is not None and ends[reached[0]] != k and reached[0] not in feeds:
                feeds[reached[0]] = (out, reached[1])
    links: dict[int, LinkSpec] = {}
    sites = []
    for _, x in built:
        movements = []
        for m in x.movements:
            link, length = feeds.get(m.approach, (m.approach, max(ENTRY_LENGTH_M, float(g.arc_length_m[m.approach]))))
            lanes = max(1, min(4, int(g.arc_lanes[m.approach])))
            speed_mps = max(5.0, float(g.arc_speed_kmh[m.approach]) * 0.8) / 3.6
            main = g.names[int(g.arc_name[m.approach])] == street
            demand = 0.0 if m.approach in feeds else lanes * factor * (MAIN_VPH_PER_LANE if main else SIDE_VPH_PER_LANE)
            links[link] = LinkSpec(link, length, speed_mps, lanes, demand)
            movements.append(replace(m, approach=link))
        sites.append(replace(x, movements=tuple(movements)))
    for x in sites:
        for m in x.movements:
            links.setdefault(m.exit, LinkSpec(m.exit, ENTRY_LENGTH_M, 8.0, max(1, int(g.arc_lanes[m.exit]))))
    return build_network(tuple(sites), tuple(links[k] for k in sorted(links)))


def _walk(loader: SiteLoader, arc: int, ends: dict[int, int]) -> tuple[int, float] | None:
    """Follow the street from `arc` until an approach in `ends`; that arc and the length, None if it leads elsewhere."""
    g = loader.graph
    length = float(g.arc_length_m[arc])
    while length < MAX_WALK_M:
        if arc in ends:
            return arc, length
        node = int(g.arc_head[arc])
        onward = [
            a
            for a in range(int(g.first_out[node]), int(g.first_out[node + 1]))
            if a != int(g.arc_reverse[arc]) and int(g.arc_access[a]) & StreetMode.CAR.bit
        ]
        same = [a for a in onward if int(g.arc_name[a]) == int(g.arc_name[arc])]
        if not onward or (len(onward) > 1 and not same):
            return None
        arc = min(same or onward, key=lambda a: (a not in ends, a))
        length += float(g.arc_length_m[arc])
    return None
