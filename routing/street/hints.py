"""Snapping with more knowledge than a position: the street's name, the direction of travel, the side where one stops."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from routing.errors import InvalidInput
from routing.street.anchors import Anchors
from routing.street.candidates import Candidates, list_candidates
from routing.street.names import StreetNames
from routing.street.path import arc_line
from routing.street.snapping import SnapGrid, Snaps

MOST_TURN_DEG = 60.0
"""A street that differs more than this from the bearing asked for is not the one meant, if there is another."""

_CANDIDATES = 32


@dataclass(frozen=True, slots=True)
class SnapHints:
    """What is known of k positions besides where they are.

    Attributes
    ----------
    names : sequence of str, optional
        Street names; empty = unknown. Within the radius a street whose name resembles the hint is preferred to nearer ones.
    bearing_deg : float[k], optional
        Direction of travel, clockwise from north; NaN = unknown. Chooses the direction of two-way streets, too.
    curb : bool
        The stop is on the position's own side: a two-way street is travelled so that the position lies on the side of the
        kerb. Without effect where the position lies on the middle of the street, or on the far side of a one-way street.
    drive_on_left : bool
        The kerb is on the left.
    """

    names: Sequence[str] | None = None
    bearing_deg: npt.ArrayLike | None = None
    curb: bool = False
    drive_on_left: bool = False


def snap_with_hints(
    grid: SnapGrid,
    names: StreetNames,
    usable: npt.NDArray[np.bool_],
    positions: tuple[npt.ArrayLike, npt.ArrayLike],
    hints: SnapHints,
    max_distance_m: float,
) -> Snaps:
    """Snap positions (latitudes, longitudes in degrees), choosing among the streets around by what is known of them.

    Columns `side` and `directed` of the answer are filled. Positions that are not finite, or with no street of the mode within
    `max_distance_m`, have arc -1.

    Raises
    ------
    InvalidInput
        For hints of another number than positions.
    """
    lat, lon = (np.atleast_1d(np.asarray(values, np.float64)) for values in positions)
    found = list_candidates(grid, lat, lon, usable, max_distance_m, _CANDIDATES, both_directions=True)
    k = len(lat)
    cost = found.distance_m.astype(np.float64)
    directed = np.zeros(k, np.bool_)
    if hints.names is not None:
        if len(hints.names) != k:
            raise InvalidInput(f"{len(hints.names)} street names for {k} positions", "names")
        for row, hint in enumerate(hints.names):
            likeness = names.resemblance(hint, grid.graph.arc_name[found.arc[row]])
            cost[row] += (1.0 - likeness) * max_distance_m
    if hints.bearing_deg is not None:
        bearing = np.atleast_1d(np.asarray(hints.bearing_deg, np.float64))
        if bearing.shape != (k,):
            raise InvalidInput(f"{bearing.shape} bearings for {k} positions", "bearing_deg")
        turn = np.abs((found.bearing_deg - bearing[:, None] + 540.0) % 360.0 - 180.0)
        cost += np.where(np.isnan(turn), 0.0, np.where(turn > MOST_TURN_DEG, 4.0 * max_distance_m, 0.05 * turn))
        directed |= np.isfinite(bearing)
    if hints.curb:
        kerb = -1 if hints.drive_on_left else 1
        cost += np.where(found.side == -kerb, 0.5, 0.0)
    cost[~found.valid] = np.inf
    best = np.lexsort((found.arc, cost), axis=1)[:, 0]
    return _chosen(grid, found, best, hints, directed)


def _chosen(
    grid: SnapGrid, found: Candidates, best: npt.NDArray[np.int64], hints: SnapHints, directed: npt.NDArray[np.bool_]
) -> Snaps:
    rows = np.arange(len(found))
    arc, fraction, side = found.arc[rows, best], found.fraction[rows, best], found.side[rows, best]
    if hints.curb:
        directed = directed | (side == (-1 if hints.drive_on_left else 1))
    lat, lon = np.full(len(found), np.nan), np.full(len(found), np.nan)
    for row in np.flatnonzero(arc >= 0).tolist():
        line_lat, line_lon = arc_line(grid.graph, int(arc[row]), 0.0, float(fraction[row]))
        lat[row], lon[row] = line_lat[-1], line_lon[-1]
    return Snaps(arc, fraction, found.distance_m[rows, best], lat, lon, side, directed & (arc >= 0))


def keep_directed(anchors: Anchors, snaps: Snaps) -> Anchors:
    """Anchors without those that travel a `directed` position's street the other way."""
    if not snaps.directed.any():
        return anchors
    position = np.repeat(np.arange(len(snaps)), np.diff(anchors.first))
    kept = ~snaps.directed[position] | (anchors.arc == snaps.arc[position])
    first = np.zeros(len(snaps) + 1, np.int32)
    np.cumsum(np.bincount(position[kept], minlength=len(snaps)), out=first[1:])
    return Anchors(first, anchors.state[kept], anchors.time_ms[kept], anchors.arc[kept])
