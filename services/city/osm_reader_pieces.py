"""Cutting ways at junctions and laying the pieces out as arcs (NumPy, pure)."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from routing.model.street_graph import StreetGraph
from routing.model.strings import StringTable
from services.city.errors import CityInputError
from services.city.osm_reader_limits import NO_LIMITS, strictest
from services.city.osm_reader_raw import RawStreets
from services.city.osm_reader_tags import WayTraits
from services.city.osm_reader_times import build_rules

BBox = tuple[float, float, float, float]
"""South, west, north, east in degrees."""

_EARTH_M = 6_371_008.8
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Pieces:
    """Ways cut at junctions; q pieces over one list of positions.

    Attributes
    ----------
    node : int64[…]
        Rows of `RawStreets.node_id`, way after way.
    begin, end : int64[q]
        First and last position (both included) of a piece.
    way : int64[q]
        Row of the way.
    length_m : float64[q]
    missing_nodes : int
    """

    node: Int64
    begin: Int64
    end: Int64
    way: Int64
    length_m: npt.NDArray[np.float64]
    missing_nodes: int


def cut_ways(raw: RawStreets, bbox: BBox | None, keep_nodes: Collection[int], source: str) -> Pieces:
    """Cut ways at nodes where more or less than two segments meet, at ends of ways, signals, barriers and `keep_nodes`.

    References to missing nodes, and to nodes outside `bbox`, interrupt a way.
    """
    way = np.repeat(np.arange(len(raw.way_id)), np.diff(raw.first_ref))
    row = np.minimum(np.searchsorted(raw.node_id, raw.refs), max(len(raw.node_id) - 1, 0))
    present = raw.node_id[row] == raw.refs if len(raw.node_id) else np.zeros(len(row), bool)
    missing = int((~present).sum())
    if bbox is not None:
        present &= _inside(raw, bbox)[row] if len(raw.node_id) else False
    again = np.zeros(len(row), bool)
    again[1:] = (row[1:] == row[:-1]) & (way[1:] == way[:-1]) & present[1:] & present[:-1]
    row, way, present = row[~again], way[~again], present[~again]
    joined = present[1:] & present[:-1] & (way[1:] == way[:-1])
    if not joined.any():
        raise CityInputError(f"{source}: holds no street" + (" inside the bounding box" if bbox else ""))
    cut = _cut_nodes(raw, row, joined, keep_nodes)
    begin = np.flatnonzero(joined & cut[row[:-1]])
    end = np.flatnonzero(joined & cut[row[1:]]) + 1
    along = np.concatenate([[0.0], np.cumsum(np.where(joined, _segment_m(raw, row), 0.0))])
    return Pieces(row, begin, end, way[begin], along[end] - along[begin], missing)


def _inside(raw: RawStreets, bbox: BBox) -> npt.NDArray[np.bool_]:
    south, west, north, east = (round(degrees * 1e7) for degrees in bbox)
    lat, lon = raw.node_lat_e7, raw.node_lon_e7
    inside: npt.NDArray[np.bool_] = (lat >= south) & (lat <= north) & (lon >= west) & (lon <= east)
    return inside


def _cut_nodes(
    raw: RawStreets, row: Int64, joined: npt.NDArray[np.bool_], keep_nodes: Collection[int]
) -> npt.NDArray[np.bool_]:
    count = len(raw.node_id)
    degree = np.bincount(row[:-1][joined], minlength=count) + np.bincount(row[1:][joined], minlength=count)
    cut: npt.NDArray[np.bool_] = (degree != 2) | (raw.node_flags != 0) | (raw.node_blocked != 0)
    cut[list(raw.node_limits)] = True
    runs = np.concatenate([[False], joined, [False]]).astype(np.int8)
    ends = np.flatnonzero(runs[1:] != runs[:-1])  # where a run of joined positions begins or ends
    cut[row[ends]] = True
    if len(keep_nodes):
        cut |= np.isin(raw.node_id, np.fromiter(keep_nodes, np.int64, len(keep_nodes)))
    return cut


def _segment_m(raw: RawStreets, row: Int64) -> npt.NDArray[np.float64]:
    """Great-circle length between consecutive positions (haversine)."""
    lat, lon = np.radians(raw.node_lat_e7[row] * 1e-7), np.radians(raw.node_lon_e7[row] * 1e-7)
    half = np.sin(np.diff(lat) / 2) ** 2 + np.cos(lat[1:]) * np.cos(lat[:-1]) * np.sin(np.diff(lon) / 2) ** 2
    metres: npt.NDArray[np.float64] = 2 * _EARTH_M * np.arcsin(np.sqrt(np.minimum(half, 1.0)))
    return metres


def lay_out(raw: RawStreets, pieces: Pieces) -> StreetGraph:
    """Turn pieces into arcs sorted by tail; nodes follow a space-filling curve, so neighbours lie close in memory.

    Turn restrictions are not in it yet.
    """
    access = np.array([traits.access for traits in raw.traits], np.uint16).reshape(-1, 2)[raw.way_traits]
    along = np.flatnonzero(access[pieces.way, 0])
    against = np.flatnonzero(access[pieces.way, 1])
    piece = np.concatenate([along, against])
    backward = np.repeat([False, True], [len(along), len(against)])
    first_row = pieces.node[np.where(backward, pieces.end[piece], pieces.begin[piece])]
    last_row = pieces.node[np.where(backward, pieces.begin[piece], pieces.end[piece])]
    used = np.unique(np.concatenate([first_row, last_row]))
    used = used[np.lexsort((raw.node_id[used], _morton(raw.node_lat_e7[used], raw.node_lon_e7[used])))]
    number = np.full(len(raw.node_id), -1, np.int64)
    number[used] = np.arange(len(used))
    tail, head = number[first_row], number[last_row]
    order = np.lexsort((backward, piece, head, tail))
    tail, head, piece, backward = tail[order], head[order], piece[order], backward[order]
    place = np.full((2, len(pieces.begin)), -1, np.int64)
    place[backward.astype(np.int8), piece] = np.arange(len(piece))
    first_out = np.zeros(len(used) + 1, np.int32)
    np.cumsum(np.bincount(tail, minlength=len(used)), out=first_out[1:])
    first_shape, shape = _shapes(pieces, piece, backward)
    rows = pieces.node[shape]
    ways = pieces.way[piece]
    nothing = np.zeros(0, np.int32)
    rules, rule_of = build_rules(
        [hours for traits in raw.traits for hours in _hours(traits)] + [r.hours for r in raw.restrictions if r.hours]
    )
    return StreetGraph(
        node_osm_id=raw.node_id[used],
        node_lat_e7=raw.node_lat_e7[used],
        node_lon_e7=raw.node_lon_e7[used],
        node_flags=raw.node_flags[used],
        node_blocked=raw.node_blocked[used],
        first_out=first_out,
        arc_tail=tail.astype(np.int32),
        arc_head=head.astype(np.int32),
        arc_way_osm_id=raw.way_id[ways],
        arc_length_m=pieces.length_m[piece].astype(np.float32),
        **_arc_columns(raw, pieces, piece, backward, access),
        **_limits(raw, pieces, piece, number, tail, head),
        **_conditions(raw, raw.way_traits[ways], backward, access[ways, backward.astype(np.int8)], rule_of),
        **_speeds(raw, raw.way_traits[ways], backward, access[ways, backward.astype(np.int8)], rule_of),
        arc_name=raw.way_name[ways],
        arc_reverse=place[(~backward).astype(np.int8), piece].astype(np.int32),
        first_shape=first_shape,
        shape_lat_e7=raw.node_lat_e7[rows],
        shape_lon_e7=raw.node_lon_e7[rows],
        first_restriction=np.zeros(1, np.int32),
        restriction_arcs=nothing,
        restriction_modes=np.zeros(0, np.uint16),
        restriction_rule=nothing,
        rules=rules,
        names=StringTable.build(raw.names),
    )


def _arc_columns(
    raw: RawStreets, pieces: Pieces, piece: Int64, backward: npt.NDArray[np.bool_], access: npt.NDArray[np.uint16]
) -> dict[str, Any]:
    """Arc columns that come from the traits of the ways."""
    ways, side = pieces.way[piece], backward.astype(np.int8)
    kind = raw.way_traits[ways]

    def column(name: str, dtype: type[np.generic]) -> npt.NDArray[Any]:
        return np.array([getattr(traits, name) for traits in raw.traits], dtype)

    speed = column("speed_kmh", np.float32)[kind, side]
    duration = column("duration_s", np.float64)[kind]
    way_m = np.bincount(pieces.way, weights=pieces.length_m, minlength=len(raw.way_id))
    timed = duration > 0
    speed[timed] = np.clip(way_m[ways[timed]] / duration[timed] * 3.6, 0.2, 100.0)
    mask = access[ways, side]
    return {
        "arc_access": mask,
        "arc_no_through": column("no_through", np.uint16)[kind] & mask,
        "arc_routable": mask,
        "arc_speed_kmh": speed,
        "arc_road_class": column("road_class", np.uint8)[kind],
        "arc_lanes": column("lanes", np.uint8)[kind, side],
        "arc_flags": column("flags", np.uint8)[kind],
        "arc_smoothness": column("smoothness", np.uint8)[kind],
        "arc_incline_pct": column("incline_pct", np.int8)[kind] * np.where(backward, -1, 1).astype(np.int8),
    }


def _limits(raw: RawStreets, pieces: Pieces, piece: Int64, number: Int64, tail: Int64, head: Int64) -> dict[str, Any]:
    """Limits of the arcs. What limits a node (a height restrictor) closes the shorter of the pieces beside it."""
    codes: dict[tuple[int, ...], int] = {NO_LIMITS: 0}
    of_traits = np.array([codes.setdefault(traits.limits, len(codes)) for traits in raw.traits], np.uint16)
    code = of_traits[raw.way_traits[pieces.way[piece]]]
    for row, limits in sorted(raw.node_limits.items()):
        beside = np.flatnonzero((tail == number[row]) | (head == number[row]))
        if number[row] >= 0 and len(beside):
            shortest = piece[beside[np.argmin(pieces.length_m[piece[beside]])]]
            arcs = beside[piece[beside] == shortest]
            both = strictest(limits, list(codes)[code[arcs[0]]])
            code[arcs] = codes.setdefault(both, len(codes))
    return {"arc_limit": code, "limits": np.array(list(codes), np.uint16)}


def _hours(traits: WayTraits) -> list[str]:
    """Hours of the conditions of a way."""
    both = (*traits.conditions, *traits.oneways[0], *traits.oneways[1])
    speeds = (*traits.speeds[0], *traits.speeds[1])
    return [condition.hours for condition in both] + [speed.hours for speed in speeds if speed.hours]


def _conditions(
    raw: RawStreets,
    kind: npt.NDArray[np.int32],
    backward: npt.NDArray[np.bool_],
    access: npt.NDArray[np.uint16],
    rule_of: dict[str, int],
) -> dict[str, Any]:
    """Access that depends on the time, arc by arc."""
    rows = [
        (arc, condition.modes & int(access[arc]), condition.effect, rule_of[condition.hours])
        for k, traits in enumerate(raw.traits)
        if traits.conditions or traits.oneways != ((), ())
        for arc in np.flatnonzero(kind == k).tolist()
        for condition in (*traits.conditions, *traits.oneways[int(backward[arc])])
        if condition.modes & int(access[arc])
    ]
    table = np.array(sorted(rows), np.int64).reshape(-1, 4).T
    names = (("arc", np.int32), ("modes", np.uint16), ("effect", np.uint8), ("rule", np.int32))
    return {f"condition_{name}": column.astype(dtype) for (name, dtype), column in zip(names, table, strict=True)}


def _speeds(
    raw: RawStreets,
    kind: npt.NDArray[np.int32],
    backward: npt.NDArray[np.bool_],
    access: npt.NDArray[np.uint16],
    rule_of: dict[str, int],
) -> dict[str, Any]:
    """Speeds of certain hours or vehicles, arc by arc in the order of their weight."""
    rows = [
        (arc, speed.modes & int(access[arc]), rule_of.get(speed.hours, -1), speed.limit_kmh * traits.speed_share)
        for k, traits in enumerate(raw.traits)
        if traits.speeds != ((), ())
        for arc in np.flatnonzero(kind == k).tolist()
        for speed in traits.speeds[int(backward[arc])]
        if speed.modes & int(access[arc])
    ]
    rows.sort(key=lambda row: row[0])
    table = np.array(rows, np.float64).reshape(-1, 4).T
    names = (("arc", np.int32), ("modes", np.uint16), ("rule", np.int32), ("kmh", np.float32))
    return {f"speed_{name}": column.astype(dtype) for (name, dtype), column in zip(names, table, strict=True)}


def _shapes(pieces: Pieces, piece: Int64, backward: npt.NDArray[np.bool_]) -> tuple[Int64, Int64]:
    """Offsets per arc and, per shape point, its position."""
    points = pieces.end[piece] - pieces.begin[piece] + 1
    first = np.zeros(len(piece) + 1, np.int64)
    np.cumsum(points, out=first[1:])
    start = np.where(backward, pieces.end[piece], pieces.begin[piece])
    step = np.where(backward, -1, 1)
    inside = np.arange(first[-1]) - np.repeat(first[:-1], points)
    return first, np.repeat(start, points) + inside * np.repeat(step, points)


def _morton(lat_e7: npt.NDArray[np.int32], lon_e7: npt.NDArray[np.int32]) -> npt.NDArray[np.uint64]:
    """Z-order of positions: the bits of both coordinates interleaved."""
    return _spread(lat_e7.astype(np.int64) + 900_000_000) << np.uint64(1) | _spread(lon_e7.astype(np.int64) + 1_800_000_000)


def _spread(values: Int64) -> npt.NDArray[np.uint64]:
    """Put a zero before every one of 32 bits."""
    bits = values.astype(np.uint64)
    for shift, mask in (
        (16, 0x0000FFFF0000FFFF), (8, 0x00FF00FF00FF00FF), (4, 0x0F0F0F0F0F0F0F0F), (2, 0x3333333333333333),
        (1, 0x5555555555555555),
    ):  # fmt: skip
        bits = (bits | bits << np.uint64(shift)) & np.uint64(mask)
    return bits
