"""Outlines of filled cells of a grid, as rings: outer ones counter-clockwise, holes clockwise."""

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ring = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Area:
    """Rings of (lat, lon) degrees, closed; `holes[i]` lie in `outers[i]`."""

    outers: tuple[Ring, ...]
    holes: tuple[tuple[Ring, ...], ...]
    area_m2: float


def trace_rings(filled: npt.NDArray[np.bool_]) -> list[list[tuple[int, int]]]:
    """Closed rings of grid corners round filled cells, the filled side on the left."""
    edges: dict[tuple[int, int], list[tuple[int, int]]] = {}
    south = np.argwhere(filled & ~np.roll(filled, 1, axis=0))
    north = np.argwhere(filled & ~np.roll(filled, -1, axis=0))
    west = np.argwhere(filled & ~np.roll(filled, 1, axis=1))
    east = np.argwhere(filled & ~np.roll(filled, -1, axis=1))
    for cells, start, end in ((south, (0, 0), (0, 1)), (north, (1, 1), (1, 0)), (west, (1, 0), (0, 0)), (east, (0, 1), (1, 1))):
        for y, x in cells.tolist():
            edges.setdefault((y + start[0], x + start[1]), []).append((y + end[0], x + end[1]))
    rings = []
    while edges:
        first = next(iter(edges))
        ring, at, came = [first], first, (0, 0)
        while True:
            options = edges[at]
            step = options.pop(_leftmost(at, came, options))
            if not options:
                del edges[at]
            came = (step[0] - at[0], step[1] - at[1])
            at = step
            if at == first:
                break
            ring.append(at)
        rings.append([*_corners_only(ring), _corners_only(ring)[0]])
    return rings


def _leftmost(at: tuple[int, int], came: tuple[int, int], options: list[tuple[int, int]]) -> int:
    """Where two rings touch in a corner, turn left: rings stay simple."""
    if len(options) == 1:
        return 0
    turns = [came[1] * (o[0] - at[0]) - came[0] * (o[1] - at[1]) for o in options]
    return int(np.argmax(turns))


def _corners_only(ring: list[tuple[int, int]]) -> list[tuple[int, int]]:
    n = len(ring)
    return [
        ring[k]
        for k in range(n)
        if (ring[k][0] - ring[k - 1][0], ring[k][1] - ring[k - 1][1])
        != (ring[(k + 1) % n][0] - ring[k][0], ring[(k + 1) % n][1] - ring[k][1])
    ]


def signed_area(ring: list[tuple[int, int]]) -> float:
    """Twice the area in cells, positive for counter-clockwise (x = column, y = row)."""
    return float(sum(a[1] * b[0] - b[1] * a[0] for a, b in itertools.pairwise(ring)))


def assemble(rings: list[list[tuple[int, int]]]) -> tuple[list[list[tuple[int, int]]], list[list[list[tuple[int, int]]]]]:
    """Outer rings, smallest first, and the holes in each of them."""
    outers = sorted((r for r in rings if signed_area(r) > 0), key=signed_area)
    holes: list[list[list[tuple[int, int]]]] = [[] for _ in outers]
    for ring in rings:
        if signed_area(ring) < 0:
            inside = _right_of_first_edge(ring)
            owner = next((k for k, outer in enumerate(outers) if _holds(outer, inside)), None)
            if owner is not None:
                holes[owner].append(ring)
    return outers, holes


def _right_of_first_edge(ring: list[tuple[int, int]]) -> tuple[float, float]:
    """Middle of the cell to the right of a ring's first edge: within the hole of a clockwise ring."""
    (y, x), (to_y, to_x) = ring[0], ring[1]
    dy, dx = float(np.sign(to_y - y)), float(np.sign(to_x - x))
    return y + 0.5 * dy - 0.5 * dx, x + 0.5 * dx + 0.5 * dy


def _holds(ring: list[tuple[int, int]], point: tuple[float, float]) -> bool:
    """Whether the middle of a cell lies in a ring (even-odd rule)."""
    (y, x), odd = point, False
    for a, b in itertools.pairwise(ring):
        if (a[0] > y) != (b[0] > y) and x < (b[1] - a[1]) * (y - a[0]) / (b[0] - a[0]) + a[1]:
            odd = not odd
    return odd


def cut_corners(ring: list[tuple[int, int]]) -> list[tuple[float, float]]:
    """The ring through the middles of a ring's unit edges: every right angle becomes two of 45 degrees. Stays simple."""
    out: list[tuple[float, float]] = []
    for (y, x), (to_y, to_x) in itertools.pairwise(ring):
        length = max(abs(to_y - y), abs(to_x - x))
        dy, dx = (to_y - y) / length, (to_x - x) / length
        out.append((y + 0.5 * dy, x + 0.5 * dx))
        if length > 1:
            out.append((to_y - 0.5 * dy, to_x - 0.5 * dx))
    return [*out, out[0]]
