"""The trips of about three days, laid out for the search.

A search never looks at a calendar: the window holds exactly the trips that run, those of yesterday that pass midnight and those
of tomorrow included, in one order of time. Windows are made once for a day and kept; real time makes a window that shares
everything but the lines it touches (see `routing.transit.realtime_window`).
"""

from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
import numpy.typing as npt

from routing.kernels.raptor_bounds import list_hops
from routing.kernels.raptor_types import ALIGHT, BOARD, Int32, Int64, Lines, UInt8, Walks
from routing.kernels.raptor_window import (
    fill_times,
    gather_times,
    index_stops,
    mirror_times,
    select_instances,
    split_lines,
)
from routing.model.timetable import NO_PICKUP, Timetable

Array = TypeVar("Array", bound=npt.NDArray[Any])

DAY_S = 86_400
REACH_S = 36 * 3600
"""How far a search may reach beyond the UTC day it begins in."""


@dataclass(frozen=True, slots=True, eq=False)
class ServiceWindow:
    """Lines and what each line and instance is.

    Attributes
    ----------
    base_s : int
        Unix seconds of window time 0.
    mirrored : bool
        Time and direction are turned round (for arrive-by).
    lines : Lines
    hops : Walks
        Fastest ride between neighbouring stops, by the stop it ends at.
    line_pattern : int32[l]
        Pattern of the timetable, -1 for lines of added trips.
    line_route : int32[l]
        Route, -1 if it is not in the timetable.
    line_wheelchair : uint8[l]
    instance_trip, instance_day : int32[i]
        `instance_trip` is -1 for added trips.
    instance_change : int32[i]
        Index of the change in the overlay, -1 = as scheduled.
    """

    base_s: int
    mirrored: bool
    lines: Lines
    hops: Walks
    line_pattern: Int32
    line_route: Int32
    line_wheelchair: UInt8
    instance_trip: Int32
    instance_day: Int32
    instance_change: Int32

    def line_of(self, instance: int) -> int:
        """Line an instance belongs to."""
        return int(np.searchsorted(self.lines.first_instance, instance, side="right")) - 1


class Groups(NamedTuple):
    """Stop sequences that instances may share; g groups, q positions.

    `pattern`, `route` int32[g] and `wheelchair` uint8[g] are copied to the lines made of a group.
    """

    first_position: Int32
    position_stop: Int32
    position_use: UInt8
    pattern: Int32
    route: Int32
    wheelchair: UInt8


class Instances(NamedTuple):
    """Trips to lay out, sorted by group; times of instance i are ``first[i]:first[i + 1]``, in window time."""

    group: Int32
    trip: Int32
    day: Int32
    change: Int32
    first: Int64
    arrival: Int32
    departure: Int32


def build_window(timetable: Timetable, base_s: int, begin: int, end: int) -> ServiceWindow:
    """Lay out the scheduled trips under way in [begin, end] (window time)."""
    first_day, day_start = _days(timetable, base_s, begin, end)
    rows = select_instances(
        frozen(timetable.first_pattern_trip),
        frozen(timetable.trip_service),
        frozen(timetable.first_stop_time),
        frozen(timetable.arrival_s),
        frozen(timetable.departure_s),
        frozen(timetable.service_days),
        day_start[timetable.route_feed[timetable.pattern_route]],
        first_day,
        begin,
        end,
    )
    return lay_out(timetable.stop_count, base_s, pattern_groups(timetable), scheduled(timetable, rows))


def scheduled(timetable: Timetable, rows: Int32) -> Instances:
    """Instances as scheduled, of rows (trip, day, window time of the day's start) in order of pattern."""
    trips = rows[:, 0]
    lengths = timetable.first_stop_time[trips + 1] - timetable.first_stop_time[trips]
    first = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
    times = gather_times(
        rows, frozen(timetable.first_stop_time), frozen(timetable.arrival_s), frozen(timetable.departure_s), first
    )
    unchanged = np.full(len(rows), -1, np.int32)
    return Instances(timetable.trip_pattern[trips], trips.copy(), rows[:, 1].copy(), unchanged, first, *times)


def pattern_groups(timetable: Timetable) -> Groups:
    """The patterns of the timetable."""
    use = (timetable.pattern_pickup != NO_PICKUP) * BOARD + (timetable.pattern_drop_off != NO_PICKUP) * ALIGHT
    return Groups(
        timetable.first_pattern_stop,
        timetable.pattern_stops,
        use.astype(np.uint8),
        np.arange(timetable.pattern_count, dtype=np.int32),
        timetable.pattern_route,
        timetable.pattern_wheelchair,
    )


def lay_out(stop_count: int, base_s: int, groups: Groups, instances: Instances) -> ServiceWindow:
    """Split instances into lines and arrange their times."""
    order, line_of, group = split_lines(instances.group, instances.first, instances.arrival, instances.departure)
    by_line = np.argsort(line_of, kind="stable")
    chosen = order[by_line]
    first_instance = np.concatenate(([0], np.cumsum(np.bincount(line_of, minlength=len(group))))).astype(np.int32)
    lengths = np.diff(groups.first_position)[group]
    first_position = np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)
    positions = np.repeat(groups.first_position[:-1][group] - first_position[:-1], lengths) + np.arange(first_position[-1])
    position_stop = groups.position_stop[positions].astype(np.int32)
    times = fill_times(instances.first, instances.arrival, instances.departure, chosen, first_instance, first_position)
    index = index_stops(frozen(first_position), frozen(position_stop), frozen(first_instance), stop_count)
    arrays = (first_position, position_stop, groups.position_use[positions], first_instance, *times, *index)
    lines = Lines._make(frozen(array) for array in arrays)
    return ServiceWindow(
        base_s,
        False,
        lines,
        hops_of(lines),
        groups.pattern[group],
        groups.route[group],
        groups.wheelchair[group],
        instances.trip[chosen],
        instances.day[chosen],
        instances.change[chosen],
    )


def mirror(window: ServiceWindow) -> ServiceWindow:
    """Turn a window round: an arrive-by search is a depart-at search in the mirrored window."""
    position_stop, position_use, instances, departures, times = mirror_times(window.lines)
    lines = window.lines
    index = index_stops(lines.first_position, frozen(position_stop), lines.first_instance, len(lines.first_stop_line) - 1)
    laid_out = (position_stop, position_use, lines.first_instance, lines.first_time, departures, times)
    mirrored = Lines._make(frozen(array) for array in (lines.first_position, *laid_out, *index))
    return ServiceWindow(
        window.base_s,
        not window.mirrored,
        mirrored,
        hops_of(mirrored),
        window.line_pattern,
        window.line_route,
        window.line_wheelchair,
        window.instance_trip[instances],
        window.instance_day[instances],
        window.instance_change[instances],
    )


def hops_of(lines: Lines) -> Walks:
    """Fastest rides between neighbouring stops, by the stop they end at."""
    return Walks._make(frozen(array) for array in list_hops(lines))


def _days(timetable: Timetable, base_s: int, begin: int, end: int) -> tuple[int, Int32]:
    """First service day that may matter, and the start of it and the following days in window time for each feed."""
    longest = int(timetable.arrival_s.max(initial=0))
    starts = timetable.day_start_s - base_s
    near = np.flatnonzero(((starts <= end) & (starts + longest >= begin)).any(axis=0))
    if not len(near):
        return 0, np.zeros((timetable.feed_count, 0), np.int32)
    days = slice(int(near[0]), int(near[-1]) + 1)
    return int(near[0]), starts[:, days].astype(np.int32)


def frozen(array: Array) -> Array:
    """Read-only view: mapped and computed arrays then have one compiled type."""
    view = array.view(np.ndarray)
    view.flags.writeable = False
    return cast(Array, view)
