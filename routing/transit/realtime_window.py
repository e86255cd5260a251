"""Lay an overlay over a service window: lines that real time touches are replaced, all others are taken over as they are."""

from typing import Any

import numpy as np
import numpy.typing as npt

from routing.kernels.raptor_realtime import CALL_SKIPPED
from routing.kernels.raptor_types import ALIGHT, BOARD, Int32, Int64, Lines
from routing.kernels.raptor_window import index_stops
from routing.model.timetable import Timetable
from routing.transit.realtime import RealtimeOverlay
from routing.transit.service_window import (
    Groups,
    Instances,
    ServiceWindow,
    frozen,
    hops_of,
    lay_out,
    pattern_groups,
    scheduled,
)


def patch_window(timetable: Timetable, window: ServiceWindow, overlay: RealtimeOverlay, begin: int, end: int) -> ServiceWindow:
    """Window with the changes of `overlay`; `window` is as scheduled and stays so.

    A line is touched when one of its trips is. Its trips are split anew, so a delayed trip that others now overtake gets a line
    of its own. Skipped stops and added trips make lines of other stop sequences.
    """
    if not overlay.change_count:
        return window
    changed = _is_changed(timetable, window, overlay)
    line_of = np.repeat(np.arange(len(window.line_pattern)), np.diff(window.lines.first_instance))
    touched = np.zeros(len(window.line_pattern), bool)
    touched[line_of[changed]] = True
    rest = np.flatnonzero(touched[line_of] & ~changed)
    unchanged = _unchanged(timetable, window, rest)
    groups, moved = _moved(timetable, overlay, window.base_s, begin, end)
    instances = _joined(unchanged, moved)
    if not len(instances.group):
        return _merged(window, touched, None)
    return _merged(window, touched, lay_out(timetable.stop_count, window.base_s, groups, instances))


def _is_changed(timetable: Timetable, window: ServiceWindow, overlay: RealtimeOverlay) -> npt.NDArray[np.bool_]:
    days = timetable.day_count
    known = overlay.change_trip >= 0
    keys = overlay.change_trip[known].astype(np.int64) * days + overlay.change_day[known]
    return np.isin(window.instance_trip.astype(np.int64) * days + window.instance_day, keys)


def _unchanged(timetable: Timetable, window: ServiceWindow, chosen: Int64) -> Instances:
    """Scheduled instances of the window, to be laid out again."""
    trips, days = window.instance_trip[chosen], window.instance_day[chosen]
    order = np.argsort(timetable.trip_pattern[trips], kind="stable")
    trips, days = trips[order], days[order]
    starts = timetable.day_start_s[timetable.route_feed[timetable.trip_route[trips]], days] - window.base_s
    return scheduled(timetable, np.ascontiguousarray(np.column_stack((trips, days, starts)).astype(np.int32)))


def _moved(timetable: Timetable, overlay: RealtimeOverlay, base_s: int, begin: int, end: int) -> tuple[Groups, Instances]:
    """Changed and added trips that run in the window, and all stop sequences (those of the patterns first)."""
    groups = pattern_groups(timetable)
    extra: dict[tuple[object, ...], int] = {}
    stops: list[Int32] = [groups.position_stop]
    uses = [groups.position_use]
    attributes: list[tuple[int, int, int]] = []
    chosen, group = [], []
    for change in np.flatnonzero(overlay.change_cancelled == 0).tolist():
        calls = slice(int(overlay.first_call[change]), int(overlay.first_call[change + 1]))
        last, first = overlay.call_arrival_s[calls.stop - 1] - base_s, overlay.call_departure_s[calls.start] - base_s
        if last < begin or first > end:
            continue
        trip = int(overlay.change_trip[change])
        skipped = overlay.call_state[calls] & CALL_SKIPPED
        chosen.append(change)
        if trip >= 0 and not skipped.any():
            group.append(int(timetable.trip_pattern[trip]))
            continue
        pattern = int(timetable.trip_pattern[trip]) if trip >= 0 else -1
        route, stop = int(overlay.change_route[change]), overlay.call_stop[calls]
        key = (pattern, route, stop.tobytes(), skipped.tobytes())
        if key not in extra:
            extra[key] = len(groups.pattern) + len(extra)
            stops.append(stop)
            positions = slice(int(groups.first_position[pattern]), int(groups.first_position[pattern + 1]))
            use = groups.position_use[positions] if pattern >= 0 else np.full(len(stop), BOARD | ALIGHT, np.uint8)
            uses.append(np.where(skipped, 0, use).astype(np.uint8))
            attributes.append((pattern, route, int(groups.wheelchair[pattern]) if pattern >= 0 else 0))
        group.append(extra[key])
    pattern_column, route_column, wheelchair_column = np.array(attributes, np.int32).reshape(-1, 3).T
    lengths = np.concatenate((np.diff(groups.first_position), [len(part) for part in stops[1:]]))
    all_groups = Groups(
        np.concatenate(([0], np.cumsum(lengths))).astype(np.int32),
        np.concatenate(stops),
        np.concatenate(uses),
        np.concatenate((groups.pattern, pattern_column)).astype(np.int32),
        np.concatenate((groups.route, route_column)).astype(np.int32),
        np.concatenate((groups.wheelchair, wheelchair_column)).astype(np.uint8),
    )
    return all_groups, _changed_instances(overlay, np.array(chosen, np.int64), np.array(group, np.int32), base_s)


def _changed_instances(overlay: RealtimeOverlay, chosen: Int64, group: Int32, base_s: int) -> Instances:
    lengths = overlay.first_call[chosen + 1] - overlay.first_call[chosen]
    first = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
    calls = np.repeat(overlay.first_call[chosen] - first[:-1], lengths) + np.arange(first[-1])
    return Instances(
        group,
        overlay.change_trip[chosen],
        overlay.change_day[chosen],
        chosen.astype(np.int32),
        first,
        (overlay.call_arrival_s[calls] - base_s).astype(np.int32),
        (overlay.call_departure_s[calls] - base_s).astype(np.int32),
    )


def _joined(one: Instances, other: Instances) -> Instances:
    """Both, sorted by group."""
    group = np.concatenate((one.group, other.group))
    order = np.argsort(group, kind="stable")
    begins = np.concatenate((one.first[:-1], other.first[:-1] + one.first[-1]))[order]
    lengths = np.concatenate((np.diff(one.first), np.diff(other.first)))[order]
    first = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
    calls = np.repeat(begins - first[:-1], lengths) + np.arange(first[-1])
    return Instances(
        group[order],
        np.concatenate((one.trip, other.trip))[order],
        np.concatenate((one.day, other.day))[order],
        np.concatenate((one.change, other.change))[order],
        first,
        np.concatenate((one.arrival, other.arrival))[calls],
        np.concatenate((one.departure, other.departure))[calls],
    )


def _merged(window: ServiceWindow, touched: npt.NDArray[np.bool_], new: ServiceWindow | None) -> ServiceWindow:
    """The untouched lines of `window`, then those of `new`."""
    lines = window.lines
    keep = ~touched
    positions, instances = np.diff(lines.first_position), np.diff(lines.first_instance)
    calls = positions.astype(np.int64) * instances
    keep_position, keep_instance, keep_call = (np.repeat(keep, counts) for counts in (positions, instances, calls))
    first_position, first_instance, first_time = (_offsets(counts[keep]) for counts in (positions, instances, calls))
    use = [keep_position, keep_position, keep_call, np.repeat(keep_call, 2), keep, keep, keep, *3 * [keep_instance]]
    columns = [column[chosen] for column, chosen in zip(_columns(window), use, strict=True)]
    first_time = first_time[:-1]
    if new is not None:
        columns = [np.concatenate(pair) for pair in zip(columns, _columns(new), strict=True)]
        first_time = np.concatenate((first_time, new.lines.first_time + calls[keep].sum()))
        first_position = np.concatenate((first_position, new.lines.first_position[1:] + first_position[-1]))
        first_instance = np.concatenate((first_instance, new.lines.first_instance[1:] + first_instance[-1]))
    bounds = (frozen(first_position.astype(np.int32)), frozen(first_instance.astype(np.int32)))
    stops = len(lines.first_stop_line) - 1
    index = index_stops(bounds[0], frozen(columns[0]), bounds[1], stops)
    arrays = (bounds[0], columns[0], columns[1], bounds[1], first_time, columns[2], columns[3], *index)
    merged = Lines._make(frozen(array) for array in arrays)
    return ServiceWindow(window.base_s, False, merged, hops_of(merged), *columns[4:])


def _columns(window: ServiceWindow) -> list[npt.NDArray[Any]]:
    """Columns of which those of two windows can be joined end to end."""
    lines = window.lines
    laid_out: list[npt.NDArray[Any]] = [lines.position_stop, lines.position_use, lines.departures, lines.times]
    of_lines: list[npt.NDArray[Any]] = [window.line_pattern, window.line_route, window.line_wheelchair]
    columns: list[npt.NDArray[Any]] = [*laid_out, *of_lines]
    return [*columns, window.instance_trip, window.instance_day, window.instance_change]


def _offsets(counts: Int32 | Int64) -> Int64:
    return np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
