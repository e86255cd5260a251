"""The public transport engine: what other packages call."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from copy import copy

import numpy as np

from routing.errors import InvalidInput, NotFound
from routing.kernels.raptor import search_one, search_range
from routing.kernels.raptor_bounds import bound_times
from routing.kernels.raptor_types import NEVER, Found, Int32, Int64, Labels, Query, UInt8, Walks
from routing.model.timetable import Timetable
from routing.transit.departures import Departure, list_departures_at
from routing.transit.footpaths import pack_footpaths
from routing.transit.journeys import RideLeg, TransferLeg, TransitJourney, TripOnDay
from routing.transit.realtime import RealtimeOverlay, StopChange, TripChange
from routing.transit.realtime_window import patch_window
from routing.transit.reconstruct import Rebuilder
from routing.transit.request import TransitRequest, stop_to_stop
from routing.transit.service_window import DAY_S, REACH_S, ServiceWindow, build_window, frozen, mirror

__all__ = [
    "Departure",
    "RealtimeOverlay",
    "RideLeg",
    "StopChange",
    "TransferLeg",
    "TransitEngine",
    "TransitJourney",
    "TransitRequest",
    "TripChange",
    "TripOnDay",
    "stop_to_stop",
]

NOT_REACHED = np.iinfo(np.int64).max
"""Arrival at a stop that no journey reaches."""

MAX_WINDOWS = 6
"""Laid out days kept at a time (Porto: about 10 MB each)."""


class TransitEngine:
    """Answers journey searches and departure boards on one timetable, optionally with real time.

    Safe to use from many threads at once: searches release the GIL, everything shared is immutable, scratch belongs to the
    thread. The first search of a day lays out its trips (Porto: some 20 ms).

    Parameters
    ----------
    timetable : Timetable

    Examples
    --------
    >>> engine = TransitEngine(timetable)
    >>> engine.plan(TransitRequest(time_s, access_stop, access_s, egress_stop, egress_s))
    >>> live = engine.with_realtime(RealtimeOverlay.build(timetable, changes, now_s))
    """

    def __init__(self, timetable: Timetable) -> None:
        self._timetable = timetable
        self._overlay: RealtimeOverlay | None = None
        self._scheduled = _Windows()
        self._live = self._scheduled
        source = np.repeat(np.arange(timetable.stop_count, dtype=np.int32), np.diff(timetable.first_footpath))
        self._walks = _both_ways(timetable.stop_count, source, timetable.footpath_to, timetable.footpath_s)
        self._scratch = threading.local()

    @property
    def timetable(self) -> Timetable:
        """The schedule searched."""
        return self._timetable

    @property
    def overlay(self) -> RealtimeOverlay | None:
        """The real time laid over it."""
        return self._overlay

    def with_realtime(self, overlay: RealtimeOverlay | None) -> "TransitEngine":
        """Engine that answers with `overlay` (None = as scheduled); everything else is shared with this one.

        Raises
        ------
        InvalidInput
            If the overlay was built for another timetable.
        """
        if overlay is not None and overlay.timetable is not self._timetable:
            raise InvalidInput("the overlay belongs to another timetable: build it again", "overlay")
        engine = object.__new__(TransitEngine)
        engine._timetable, engine._scheduled, engine._walks = self._timetable, self._scheduled, self._walks
        engine._scratch, engine._overlay = self._scratch, overlay
        engine._live = self._scheduled if overlay is None else _Windows()
        return engine

    def with_footpaths(self, from_stop: Int32, to_stop: Int32, duration_s: Int32) -> "TransitEngine":
        """Engine in which travellers change along these footpaths instead of the timetable's; everything else is shared.

        Raises
        ------
        InvalidInput
            If the arrays differ in length, a stop does not exist, or a duration is negative.
        """
        engine = copy(self)
        engine._walks = _both_ways(self._timetable.stop_count, from_stop, to_stop, duration_s)
        return engine

    def prepare(self, time_s: int, arrive_by: bool = False) -> None:
        """Lay out the trips of the day of `time_s`, so that the next search does not wait for it."""
        self._window(time_s, arrive_by)

    def plan(self, request: TransitRequest) -> list[TransitJourney]:
        """Find journeys, ordered by departure, arrival and transfers; none is better than another in all respects.

        Raises
        ------
        InvalidInput
            If `time_s` lies outside the calendar of the timetable, or a stop does not exist.
        """
        self._check(request)
        window = self._window(request.time_s, request.arrive_by)
        walks = self._walks[int(request.arrive_by)]
        query = self._query(request, window)
        if not len(query.access_stop) or query.egress_s.max(initial=-1) < 0:
            return []
        time = (request.time_s - window.base_s) * (-1 if request.arrive_by else 1)
        found = self._search(window, walks, query, request, time)
        rebuild = Rebuilder(self._timetable, self._overlay, window, walks, query)
        journeys = [rebuild.journey(found.journey[i], found.leg, request.window_s == 0) for i in range(int(found.total[0]))]
        return sorted(journeys, key=lambda journey: (journey.departure_s, journey.arrival_s, journey.transfers))

    def earliest_arrivals(
        self,
        time_s: int,
        access_stop: Int32,
        access_s: Int32,
        *,
        max_transfers: int = 7,
        min_change_s: int = 120,
        wheelchair: bool = False,
        max_duration_s: int = 4 * 3600,
    ) -> Int64:
        """One-to-all: earliest arrival by a vehicle at every stop, unix seconds int64[stops]; `NOT_REACHED` where none comes.

        Leaving at or after `time_s` from the stops of `access_stop` (int32[a]), reached in `access_s` seconds. Arrivals on foot
        (access, footpaths) are not in it. Raises like `plan`.
        """
        nowhere = np.zeros(0, np.int32)
        request = TransitRequest(
            time_s, access_stop, access_s, nowhere, nowhere, max_transfers=max_transfers, min_change_s=min_change_s,
            wheelchair=wheelchair, allow_unknown_trips=True, max_duration_s=max_duration_s,
        )  # fmt: skip
        self._check(request)
        window = self._window(time_s, False)
        query = self._query(request, window)._replace(bound_s=np.zeros(self._timetable.stop_count, np.int32))
        answer = np.full(self._timetable.stop_count, NOT_REACHED, np.int64)
        if len(query.access_stop):
            self._search(window, self._walks[0], query, request, time_s - window.base_s)
            arrival = self._labels(max_transfers + 1, len(window.line_pattern)).arrival[max_transfers + 1]
            reached = arrival < NEVER
            answer[reached] = window.base_s + arrival[reached].astype(np.int64)
        return answer

    def departures(self, stop: int, from_s: int, count: int = 20) -> list[Departure]:
        """Next departures from a stop or station, in order of expected time; cancelled ones are included and marked.

        Raises
        ------
        NotFound
            If there is no such stop.
        InvalidInput
            If `from_s` lies outside the calendar.
        """
        if not 0 <= stop < self._timetable.stop_count:
            raise NotFound(f"stop {stop}: the timetable has {self._timetable.stop_count} stops", "stop")
        self._check_time(from_s)
        windows = self._window(from_s, False), self._scheduled_window(from_s // DAY_S, False)
        return list_departures_at(self._timetable, self._overlay, *windows, stop, from_s, count)

    def _check(self, request: TransitRequest) -> None:
        self._check_time(request.time_s)
        for name, stops in (("access", request.access_stop), ("egress", request.egress_stop)):
            if len(stops) and stops.max() >= self._timetable.stop_count:
                raise InvalidInput(f"{name}: stop {stops.max()} of {self._timetable.stop_count}", name)

    def _check_time(self, time_s: int) -> None:
        timetable = self._timetable
        first, last = int(timetable.day_start_s.min()), int(timetable.day_start_s.max()) + 2 * DAY_S
        if not first <= time_s < last:
            dates = f"{timetable.date_of_day(0)} to {timetable.date_of_day(timetable.day_count - 1)}"
            raise InvalidInput(f"the timetable runs from {dates}: choose a time in it", "time_s")

    def _window(self, time_s: int, mirrored: bool) -> ServiceWindow:
        day = time_s // DAY_S
        overlay = self._overlay
        if overlay is None:
            return self._scheduled_window(day, mirrored)

        def build() -> ServiceWindow:
            straight = self._scheduled_window(day, mirrored, turned=False)
            patched = patch_window(self._timetable, straight, overlay, *_bounds(mirrored))
            return mirror(patched) if mirrored else patched

        return self._live.get((day, mirrored, True), build)

    def _scheduled_window(self, day: int, mirrored: bool, turned: bool = True) -> ServiceWindow:
        """Scheduled trips for searches that begin on UTC day `day`, forwards or (mirrored) backwards."""

        def build() -> ServiceWindow:
            if mirrored and turned:
                return mirror(self._scheduled_window(day, mirrored, turned=False))
            return build_window(self._timetable, day * DAY_S, *_bounds(mirrored))

        return self._scheduled.get((day, mirrored, turned), build)

    def _query(self, request: TransitRequest, window: ServiceWindow) -> Query:
        timetable = self._timetable
        access, egress = (request.access_stop, request.access_s), (request.egress_stop, request.egress_s)
        if request.arrive_by:
            access, egress = egress, access
        egress_s = np.full(timetable.stop_count, -1, np.int32)
        # Longest first: of equal stops the shortest is written last.
        order = np.argsort(-np.asarray(egress[1]), kind="stable")
        egress_s[np.asarray(egress[0])[order]] = np.asarray(egress[1])[order]
        order = np.lexsort((access[1], access[0]))
        stops, first = np.unique(np.asarray(access[0], np.int32)[order], return_index=True)
        change = timetable.stop_min_change_s
        stop_allowed = np.ones(timetable.stop_count, np.uint8)
        if request.wheelchair:
            stop_allowed[
                (timetable.stop_wheelchair == 2) | ((timetable.stop_wheelchair == 0) & (not request.allow_unknown_stops))
            ] = 0
        stop_allowed[list(request.banned_stops)] = 0
        return Query(
            stops,
            np.asarray(access[1], np.int32)[order][first],
            egress_s,
            np.where(change >= 0, change, request.min_change_s).astype(np.int32),
            self._line_allowed(request, window),
            stop_allowed,
            bound_times(window.hops, self._walks[1 - int(request.arrive_by)], egress_s),
        )

    def _line_allowed(self, request: TransitRequest, window: ServiceWindow) -> UInt8:
        allowed = np.ones(len(window.line_pattern), bool)
        if request.wheelchair:
            allowed &= (window.line_wheelchair == 1) | ((window.line_wheelchair == 0) & request.allow_unknown_trips)
        if request.banned_routes:
            allowed &= ~np.isin(window.line_route, list(request.banned_routes))
        if request.banned_route_types:
            types = np.where(window.line_route >= 0, self._timetable.route_type[window.line_route], -1)
            allowed &= ~np.isin(types, list(request.banned_route_types))
        return allowed.astype(np.uint8)

    def _search(self, window: ServiceWindow, walks: Walks, query: Query, request: TransitRequest, time: int) -> Found:
        labels = self._labels(request.max_transfers + 1, len(window.line_pattern))
        horizon = time + request.max_duration_s + request.window_s + 1
        journeys, legs = 256, 2048
        while True:
            found = Found(np.zeros((journeys, 5), np.int32), np.zeros((legs, 3), np.int32), np.zeros(2, np.int64))
            if request.window_s:
                search_range(window.lines, walks, query, labels, found, time, time + request.window_s, horizon)
            else:
                search_one(window.lines, walks, query, labels, found, time, horizon)
            if found.total[0] <= journeys and found.total[1] <= legs:
                return found
            journeys, legs = int(found.total[0]), int(found.total[1])

    def _labels(self, rounds: int, lines: int) -> Labels:
        """Scratch of this thread, large enough."""
        kept: dict[int, Labels] = self._scratch.__dict__.setdefault("labels", {})
        if rounds not in kept or len(kept[rounds].line_place) < lines:
            kept[rounds] = _make_labels(rounds, self._timetable.stop_count, lines + lines // 4)
        return kept[rounds]


def _both_ways(stop_count: int, source: Int32, target: Int32, duration_s: Int32) -> tuple[Walks, Walks]:
    """Footpaths by where they start, and by where they end."""
    forth, back = (pack_footpaths(stop_count, *ends, duration_s) for ends in ((source, target), (target, source)))
    return Walks._make(frozen(array) for array in forth), Walks._make(frozen(array) for array in back)


class _Windows:
    """The latest windows used, made once even when many threads ask at the same time."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._kept: OrderedDict[tuple[int, bool, bool], ServiceWindow] = OrderedDict()

    def get(self, key: tuple[int, bool, bool], build: Callable[[], ServiceWindow]) -> ServiceWindow:
        window = self._kept.get(key)
        if window is not None:
            return window
        with self._lock:
            if key not in self._kept:
                self._kept[key] = build()
                while len(self._kept) > MAX_WINDOWS:
                    self._kept.popitem(last=False)
            return self._kept[key]


def _bounds(mirrored: bool) -> tuple[int, int]:
    """Window time that searches from one UTC day may reach."""
    return (-REACH_S, DAY_S) if mirrored else (0, DAY_S + REACH_S)


def _make_labels(rounds: int, stops: int, lines: int) -> Labels:
    def table() -> Int32:
        return np.zeros((rounds + 1, stops), np.int32)

    def column(length: int, dtype: type[np.generic]) -> np.ndarray[tuple[int], np.dtype[np.generic]]:
        return np.zeros(length, dtype)

    tables = [table() for _ in range(5)]
    bests = [column(rounds + 1, np.int32), column(rounds + 1, np.int32), column(rounds + 1, np.uint8)]
    flags = [column(stops, np.uint8), column(stops, np.uint8), column(stops, np.int32), column(stops, np.int32)]
    return Labels._make([*tables, *bests, *flags, column(lines, np.int32), np.zeros((lines, 4), np.int32)])
