"""Heights of a street graph: from tags, else from an elevation model; bridges and tunnels run between their ends (pure)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, csgraph, diags_array  # type: ignore[import-untyped]
from scipy.sparse.linalg import spsolve  # type: ignore[import-untyped]

from routing.model.heights import StreetHeights
from routing.model.street_graph import ARC_BRIDGE, ARC_STEPS, ARC_TUNNEL, StreetGraph

Float64 = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

HeightsAt = Callable[[Float64, Float64], Float32]
"""Heights at latitudes and longitudes in degrees, NaN where not known."""

STEP_M = 30.0
"""Between two points of a street that is longer, heights are looked up this often."""

BELIEVED_M = 15.0
"""A tag further than this from the elevation model is taken for a mistake (feet, a roof, a summit beside the road)."""

_ARCS_AT_ONCE = 100_000
_E7_M = 6_371_008.8 * np.pi / 180.0 * 1e-7


@dataclass(frozen=True, slots=True)
class Spots:
    """Positions with a tagged height; k entries: int32[k], int32[k], float32[k]."""

    lat_e7: npt.NDArray[np.int32]
    lon_e7: npt.NDArray[np.int32]
    height_m: Float32


@dataclass(frozen=True, slots=True)
class HeightReport:
    """How many tags were used and how many not believed, and how many nodes have no height."""

    tags: int
    doubted: int
    unknown_nodes: int


def build_heights(graph: StreetGraph, spots: Spots, heights_at: HeightsAt | None) -> tuple[StreetHeights, HeightReport]:
    """Heights of nodes, climb and descent of arcs; O(nodes + shape points), and one sparse system for bridges and tunnels.

    On a bridge or in a tunnel the ground says nothing: heights change evenly between the places where it meets other streets
    (steps do not count, they lead up to it), weighed by length where several such stretches meet. One that meets none keeps the
    ground's height.
    """
    tags = _TagIndex(spots)
    ground = _ground(graph.node_lat_e7, graph.node_lon_e7, heights_at)
    tagged = tags.find(graph.node_lat_e7, graph.node_lon_e7)
    doubted = np.abs(tagged - ground) > BELIEVED_M
    tagged[doubted] = np.nan
    node_height = _on_structures(graph, np.where(np.isnan(tagged), ground, tagged), ~np.isnan(tagged))
    climb, descent = _climbs(graph, node_height, tags, heights_at)
    report = HeightReport(int((~np.isnan(tagged)).sum()), int(doubted.sum()), int(np.isnan(node_height).sum()))
    return StreetHeights(node_height, climb, descent), report


class _TagIndex:
    """Tagged heights by position."""

    def __init__(self, spots: Spots) -> None:
        keys = _key(spots.lat_e7, spots.lon_e7)
        self._keys, rows = np.unique(keys, return_index=True)
        self._heights = spots.height_m[rows]

    def find(self, lat_e7: npt.NDArray[np.int32], lon_e7: npt.NDArray[np.int32]) -> Float32:
        """Heights at exactly these positions, else NaN."""
        found = np.full(len(lat_e7), np.nan, np.float32)
        if len(self._keys):
            keys = _key(lat_e7, lon_e7)
            rows = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
            hit = self._keys[rows] == keys
            found[hit] = self._heights[rows[hit]]
        return found


def _key(lat_e7: npt.NDArray[np.int32], lon_e7: npt.NDArray[np.int32]) -> Int64:
    key: Int64 = (lat_e7.astype(np.int64) << 32) + lon_e7
    return key


def _ground(lat_e7: npt.ArrayLike, lon_e7: npt.ArrayLike, heights_at: HeightsAt | None) -> Float32:
    lat, lon = (np.asarray(value, np.float64) * 1e-7 for value in (lat_e7, lon_e7))
    return np.full(len(lat), np.nan, np.float32) if heights_at is None else heights_at(lat, lon)


def _structures(graph: StreetGraph) -> Bool:
    """Arcs on bridges and in tunnels."""
    on: Bool = (graph.arc_flags & (ARC_BRIDGE | ARC_TUNNEL)) != 0
    return on


def _on_structures(graph: StreetGraph, height: Float32, fixed: Bool) -> Float32:
    """Replace the heights of nodes inside bridges and tunnels: each is the mean of its neighbours, weighed by 1 / length."""
    n, on = graph.node_count, _structures(graph)
    tail, head = graph.arc_tail[on], graph.arc_head[on]
    plain = ~on & ((graph.arc_flags & ARC_STEPS) == 0)
    portal = np.zeros(n, np.bool_)
    portal[graph.arc_tail[plain]] = portal[graph.arc_head[plain]] = True
    free = np.zeros(n, np.bool_)
    free[tail] = free[head] = True
    touched = free.copy()
    free &= ~(fixed | (portal & ~np.isnan(height)))
    weight = 1.0 / np.maximum(graph.arc_length_m[on].astype(np.float64), 1.0)
    links = coo_array((np.r_[weight, weight], (np.r_[tail, head], np.r_[head, tail])), shape=(n, n)).tocsr()
    count, part = csgraph.connected_components(links, directed=False)
    held = np.zeros(count, np.bool_)
    held[part[touched & ~free]] = True
    rows = np.flatnonzero(free & held[part])
    if not len(rows):
        return height
    known = np.flatnonzero(touched & ~free)
    inner = diags_array(links[rows].sum(axis=1)) - links[rows][:, rows]
    solved = spsolve(inner.tocsc(), links[rows][:, known] @ height[known].astype(np.float64))
    filled = height.copy()
    filled[rows] = solved
    return filled


def _climbs(graph: StreetGraph, node_height: Float32, tags: _TagIndex, heights_at: HeightsAt | None) -> tuple[Float32, Float32]:
    """Metres up and down along every arc; the two directions of a street are looked at once."""
    back = graph.arc_reverse
    chosen = np.flatnonzero((back < 0) | (np.arange(graph.arc_count) < back))
    climb, descent = np.empty(graph.arc_count, np.float32), np.empty(graph.arc_count, np.float32)
    on = _structures(graph)
    rise = node_height[graph.arc_head] - node_height[graph.arc_tail]
    climb[on], descent[on] = np.maximum(rise[on], 0.0), np.maximum(-rise[on], 0.0)
    chosen = chosen[~on[chosen]]
    for start in range(0, len(chosen), _ARCS_AT_ONCE):
        arcs = chosen[start : start + _ARCS_AT_ONCE]
        up, down = _profile(graph, arcs, node_height, tags, heights_at)
        climb[arcs], descent[arcs] = up, down
        twin = back[arcs] >= 0
        climb[back[arcs[twin]]], descent[back[arcs[twin]]] = down[twin], up[twin]
    return climb, descent


def _profile(
    graph: StreetGraph, arcs: Int64, node_height: Float32, tags: _TagIndex, heights_at: HeightsAt | None
) -> tuple[Float32, Float32]:
    """Climb and descent of some arcs over their shape points and points between."""
    counts = (graph.first_shape[arcs + 1] - graph.first_shape[arcs] - 1).astype(np.int64)
    first = np.concatenate([[0], np.cumsum(counts)])
    point = np.arange(first[-1]) - np.repeat(first[:-1], counts) + np.repeat(graph.first_shape[arcs], counts)
    lat, lon = graph.shape_lat_e7[point].astype(np.float64), graph.shape_lon_e7[point].astype(np.float64)
    north, east = graph.shape_lat_e7[point + 1] - lat, graph.shape_lon_e7[point + 1] - lon
    length_m = np.hypot(north, east * np.cos(np.radians(lat * 1e-7))) * _E7_M
    parts = np.maximum(np.ceil(length_m / STEP_M), 1).astype(np.int64) if heights_at else np.ones(len(point), np.int64)
    at = np.concatenate([[0], np.cumsum(parts)])
    share = (np.arange(at[-1]) - np.repeat(at[:-1], parts)) / np.repeat(parts, parts)
    height = _ground(
        np.repeat(lat, parts) + share * np.repeat(north, parts),
        np.repeat(lon, parts) + share * np.repeat(east, parts),
        heights_at,
    )
    tagged = tags.find(graph.shape_lat_e7[point], graph.shape_lon_e7[point])
    believed = ~np.isnan(tagged) & ~(np.abs(tagged - height[at[:-1]]) > BELIEVED_M)
    height[at[:-1][believed]] = tagged[believed]
    tail, head = node_height[graph.arc_tail[arcs]], node_height[graph.arc_head[arcs]]
    height[at[first[:-1]]] = tail
    up, down = _sums(height, np.repeat(length_m / parts, parts), at[first], head)
    up[np.isnan(tail + head)] = down[np.isnan(tail + head)] = np.nan
    return up, down


def _sums(height: Float32, step_m: Float64, begins: Int64, head_height: Float32) -> tuple[Float32, Float32]:
    """Rises and falls of stretches that begin at ``begins[:-1]`` and end with `head_height`; evenly over what is not known."""
    height, step_m = np.insert(height, begins[1:], head_height), np.insert(step_m, begins[1:], 1.0)
    along = np.cumsum(step_m) - step_m
    gaps = np.isnan(height)
    if gaps.any() and not gaps.all():
        height[gaps] = np.interp(along[gaps], along[~gaps], height[~gaps])
    starts = begins[:-1] + np.arange(len(head_height))
    rise = np.append(np.diff(height), np.float32(0.0))
    rise[starts[1:] - 1] = 0.0
    up, down = (np.add.reduceat(np.maximum(sign * rise, 0.0), starts) for sign in (1.0, -1.0))
    return up.astype(np.float32), down.astype(np.float32)
