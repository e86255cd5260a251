"""Footpaths between stops: transfers.txt, and straight-line walks between stops that lie close together."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree  # type: ignore[import-untyped]

from routing.model.timetable import Int32
from routing.transit.footpaths import EARTH_RADIUS_M, beeline_m
from services.city.gtfs_reader_feed import FeedColumns

NOT_POSSIBLE = 3
"""transfers.txt `transfer_type`: one cannot change between these stops."""


@dataclass(frozen=True, slots=True)
class WalkOptions:
    """How footpaths are made where no street network is at hand.

    Attributes
    ----------
    radius_m : float
        Stops farther apart (straight line) are not joined.
    detour : float
        Length of the way over the straight line.
    speed_mps : float
    margin_s : int
        Added to each walk: leaving the vehicle and finding the way.
    """

    radius_m: float = 400.0
    detour: float = 1.3
    speed_mps: float = 1.2
    margin_s: int = 60

    def __post_init__(self) -> None:
        if self.radius_m < 0 or self.detour < 1 or self.speed_mps <= 0 or self.margin_s < 0:
            raise ValueError(f"{self}: radius and margin must not be negative, detour at least 1, speed positive")


@dataclass(frozen=True, slots=True)
class Transfers:
    """Footpaths (`source`, `target`, `seconds`: int32[w]) and the change time at each stop (int32[s], -1 = not given)."""

    source: Int32
    target: Int32
    seconds: Int32
    min_change_s: Int32


def make_transfers(
    feeds: list[FeedColumns],
    first_stop: list[int],
    served: npt.NDArray[np.bool_],
    lat_deg: npt.NDArray[np.float64],
    lon_deg: npt.NDArray[np.float64],
    options: WalkOptions,
) -> Transfers:
    """Footpaths between the `served` stops of all feeds; what transfers.txt says wins over the straight line."""
    source, target = _near(served, lat_deg, lon_deg, options.radius_m)
    seconds = _walk_s(source, target, lat_deg, lon_deg, options)
    paths = {(int(a), int(b)): int(s) for a, b, s in zip(source, target, seconds, strict=True)}
    min_change = np.full(len(served), -1, np.int32)
    for feed, first in zip(feeds, first_stop, strict=True):
        if "transfers" in feed.tables.tables:
            _apply(feed, first, served, paths, min_change, (lat_deg, lon_deg), options)
    ordered = sorted(paths)
    return Transfers(
        np.array([a for a, _ in ordered], np.int32),
        np.array([b for _, b in ordered], np.int32),
        np.array([paths[pair] for pair in ordered], np.int32),
        min_change,
    )


def _near(
    served: npt.NDArray[np.bool_], lat_deg: npt.NDArray[np.float64], lon_deg: npt.NDArray[np.float64], radius_m: float
) -> tuple[Int32, Int32]:
    """Ordered pairs of served stops within `radius_m` of each other."""
    stops = np.flatnonzero(served & ~np.isnan(lat_deg)).astype(np.int32)
    if radius_m == 0 or len(stops) < 2:
        return stops[:0], stops[:0]
    scale = np.cos(np.radians(np.median(lat_deg[stops])))
    plane = np.radians(np.column_stack((lat_deg[stops], lon_deg[stops] * scale))) * EARTH_RADIUS_M
    # The plane is true at the middle of the area only: search a little wider, then measure.
    pairs = cKDTree(plane).query_pairs(radius_m * 1.1, output_type="ndarray")
    a, b = stops[pairs[:, 0]], stops[pairs[:, 1]]
    close = beeline_m(lat_deg[a], lon_deg[a], lat_deg[b], lon_deg[b]) <= radius_m
    return np.concatenate((a[close], b[close])), np.concatenate((b[close], a[close]))


def _walk_s(
    source: Int32, target: Int32, lat_deg: npt.NDArray[np.float64], lon_deg: npt.NDArray[np.float64], options: WalkOptions
) -> Int32:
    metres = beeline_m(lat_deg[source], lon_deg[source], lat_deg[target], lon_deg[target])
    return (np.ceil(np.nan_to_num(metres) * options.detour / options.speed_mps) + options.margin_s).astype(np.int32)


def _apply(
    feed: FeedColumns,
    first: int,
    served: npt.NDArray[np.bool_],
    paths: dict[tuple[int, int], int],
    min_change: Int32,
    position: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]],
    options: WalkOptions,
) -> None:
    """Lay one transfers.txt over the straight-line footpaths."""
    tables = feed.tables
    numbers = {stop_id.partition(":")[2]: first + i for i, stop_id in enumerate(feed.stop_ids)}
    children: dict[int, list[int]] = {}
    for i, parent in enumerate(feed.stop_parent.tolist()):
        if parent >= 0:
            children.setdefault(first + parent, []).append(first + i)
    special = unknown = 0
    names = ("from_stop_id", "to_stop_id", "transfer_type", "min_transfer_time", "from_trip_id", "from_route_id", "to_route_id")
    for origin, destination, kind, minimum, *narrower in zip(
        *(tables.column("transfers", name) for name in names), strict=True
    ):
        if any(narrower) or kind in ("4", "5"):
            special += 1
            continue
        if origin not in numbers or destination not in numbers:
            unknown += 1
            continue
        seconds = int(minimum) if minimum.isascii() and minimum.isdigit() else None
        for a in _platforms(numbers[origin], children, served):
            for b in _platforms(numbers[destination], children, served):
                if a == b:
                    min_change[a] = seconds if seconds is not None and kind == "2" else 0 if kind == "1" else min_change[a]
                elif kind == str(NOT_POSSIBLE):
                    paths.pop((a, b), None)
                elif kind == "2" and seconds is not None:
                    paths[a, b] = seconds
                elif (a, b) not in paths:
                    pair = np.array([a], np.int32), np.array([b], np.int32)
                    paths[a, b] = int(_walk_s(*pair, *position, options)[0])
    if special:
        tables.report(
            "transfer_ignored", "info", "transfers.txt", f"{special} rules between single trips or routes are not used"
        )
    if unknown:
        tables.report("foreign_key_violation", "warning", "transfers.txt", f"{unknown} rows name unknown stops; left out")


def _platforms(stop: int, children: dict[int, list[int]], served: npt.NDArray[np.bool_]) -> list[int]:
    """The stop itself if trips call there, else the served stops of the station."""
    return [stop] if served[stop] else [child for child in children.get(stop, []) if served[child]]
