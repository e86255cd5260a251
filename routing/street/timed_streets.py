"""Ways between positions on streets under predicted traffic.

Every street has the speed expected for the moment it is travelled: who sets out at ten to eight meets the streets of eight
o'clock farther on. Ways are exact (`routing.street.time_dependent`) and leave at a moment or arrive by one.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from routing.kernels import td_drive
from routing.kernels.street_anchors import part_ms
from routing.kernels.td_functions import CLOSED, arrival, departure
from routing.model.modes import UNREACHABLE_MS
from routing.model.street_graph import StreetGraph
from routing.street.cch import Hierarchy
from routing.street.customization import FAR
from routing.street.metric import StreetMetric
from routing.street.path import StreetPath, build_path
from routing.street.snapping import Snaps
from routing.street.time_dependent import KEPT, TimeDependentRouter, TimedWay
from routing.street.timed_anchors import TimedAnchors, timed_anchors
from routing.street.travel_time_functions import TravelTimeFunctions

Int32 = npt.NDArray[np.int32]
During = Callable[[float, float], "TimedStreets | None"]


@dataclass(frozen=True, slots=True)
class TimedPath:
    """A way and when it is travelled.

    Attributes
    ----------
    depart_ms : int
        Unix milliseconds.
    path : StreetPath
        Its times are those of this departure: `time_ms` in all, `arc_time_ms` arc by arc.
    """

    depart_ms: int
    path: StreetPath

    @property
    def arrive_ms(self) -> int:
        """Unix milliseconds."""
        return self.depart_ms + self.path.time_ms


@dataclass(frozen=True, slots=True, eq=False)
class _Drive:
    """A way as the kernels drive it: its arcs, and the columns of `td_drive.drive`."""

    arcs: Int32
    work_ms: Int32
    profile: Int32
    cost_ms: Int32


class TimedStreets:
    """Ways of one mode under travel-time functions; thread-safe.

    Parameters
    ----------
    graph : StreetGraph
    free_flow : StreetMetric
        What the functions were made from: the mode, and the arcs and turns that are closed the whole time.
    functions : TravelTimeFunctions
    hierarchy : Hierarchy
    kept : int
        Sets of weights to keep, see `TimeDependentRouter`.
    during : callable, optional
        Streets for a trip between two unix seconds, where other rules than those of these functions hold on the way; these
        or None = no others. What is closed at any time of a trip is then not used at all, if there is a way without it.
    """

    def __init__(
        self,
        graph: StreetGraph,
        free_flow: StreetMetric,
        functions: TravelTimeFunctions,
        hierarchy: Hierarchy,
        kept: int = KEPT,
        during: During | None = None,
    ) -> None:
        self.graph, self.free_flow, self.functions, self._during = graph, free_flow, functions, during
        self.router = TimeDependentRouter(functions, hierarchy, kept=kept)

    def leave_at(self, sources: Snaps, i: int, targets: Snaps, j: int, depart_s: float) -> TimedPath | None:
        """Quickest way from source `i` to target `j` when leaving at a unix second; None if there is none.

        Raises
        ------
        InvalidInput
            For a moment the functions do not cover.
        """
        start, end = sources.take(i), targets.take(j)
        return self._by_rules(self._leave_at(start, end, depart_s), lambda other: other._leave_at(start, end, depart_s))

    def _leave_at(self, start: Snaps, end: Snaps, depart_s: float) -> TimedPath | None:
        if start.arc[0] < 0 or end.arc[0] < 0:
            return None
        moment = self.functions.moment_ms(depart_s)
        ends = self._anchors(start, leaving=True), self._anchors(end, leaving=False)
        way = self.router.earliest_arrival(*ends, moment)
        best = FAR if way is None else way.arrive_ms
        drive = None if way is None else self._drive_of(way, *ends)
        arrays = self.functions.arrays
        for along in self._along(start, end):
            there = int(arrival(moment, along.work_ms[0], along.profile[0], arrays.pace))
            if there <= best and there < FAR:
                best, drive = there, along
        return None if drive is None else self._path(drive, start, end, moment)

    def arrive_by(self, sources: Snaps, i: int, targets: Snaps, j: int, deadline_s: float) -> TimedPath | None:
        """Way from source `i` with the latest departure that is at target `j` by a unix second.

        None if there is none, or none that leaves after the functions begin.

        Raises
        ------
        InvalidInput
            For a moment the functions do not cover.
        """
        start, end = sources.take(i), targets.take(j)
        return self._by_rules(self._arrive_by(start, end, deadline_s), lambda other: other._arrive_by(start, end, deadline_s))

    def _by_rules(self, way: TimedPath | None, again: "Callable[[TimedStreets], TimedPath | None]") -> TimedPath | None:
        """The way, or one that keeps off what is closed at any time of it."""
        if way is None or self._during is None:
            return way
        other = self._during(way.depart_ms / 1000, way.arrive_ms / 1000)
        return way if other is None or other is self else again(other) or way

    def _arrive_by(self, start: Snaps, end: Snaps, deadline_s: float) -> TimedPath | None:
        if start.arc[0] < 0 or end.arc[0] < 0:
            return None
        moment = self.functions.moment_ms(deadline_s)
        ends = self._anchors(start, leaving=True), self._anchors(end, leaving=False)
        way = self.router.latest_departure(*ends, moment)
        best = -1 if way is None else way.depart_ms
        drive = None if way is None else self._drive_of(way, *ends)
        for along in self._along(start, end):
            begun = int(departure(moment, along.work_ms[0], along.profile[0], self.functions.arrays.pace))
            if begun >= max(best, 0):
                best, drive = begun, along
        return None if drive is None else self._path(drive, start, end, best)

    def times_from(self, sources: Snaps, i: int, targets: Snaps, depart_s: float) -> npt.NDArray[np.uint32]:
        """Times (uint32 ms [k], `UNREACHABLE_MS` = no way) from source `i` to every target when leaving at a unix second."""
        found = (self.leave_at(sources, i, targets, j, depart_s) for j in range(len(targets)))
        return np.array([UNREACHABLE_MS if way is None else way.path.time_ms for way in found], np.uint32)

    def retimed(self, path: StreetPath, depart_s: float) -> TimedPath | None:
        """A way of this mode, however it was found, as it is when leaving at a unix second; None if it is closed."""
        drive, moment = self._drive_along(path), self.functions.moment_ms(depart_s)
        return None if drive is None else self._timed(path, drive, moment)

    def retimed_back(self, path: StreetPath, deadline_s: float) -> TimedPath | None:
        """The same with the latest departure that arrives by a unix second; None if there is none."""
        drive = self._drive_along(path)
        if drive is None:
            return None
        moment, pace = self.functions.moment_ms(deadline_s), self.functions.arrays.pace
        begun = int(td_drive.drive_back(moment, drive.work_ms, drive.profile, drive.cost_ms, pace))
        return None if begun < 0 else self._timed(path, drive, begun)

    def prepare(self, unix_s: float) -> None:
        """Make the bounds that trips around a unix second need first, so that no question waits for them."""
        self.router.prepare(self.functions.moment_ms(unix_s))

    def used_bytes(self) -> int:
        """Bytes of the functions, and of the weights kept now."""
        functions = self.functions
        own = sum(int(array.nbytes) for array in (functions.turn_ms, functions.free_turn_ms))
        own += functions.arrays.pace.nbytes + functions.arrays.arc_work_ms.nbytes + functions.arrays.arc_profile.nbytes
        return own + self.router.kept_bytes

    def _anchors(self, snap: Snaps, *, leaving: bool) -> TimedAnchors:
        return timed_anchors(self.graph, self.functions, snap, leaving=leaving)

    def _along(self, start: Snaps, end: Snaps) -> Iterator[_Drive]:
        """Ways along the one street that both positions lie on, if they do."""
        arc, back = int(start.arc[0]), int(self.graph.arc_reverse[start.arc[0]])
        target = int(end.arc[0])
        if target not in (arc, back):
            return
        begin, stop = float(start.fraction[0]), float(end.fraction[0]) if target == arc else 1.0 - float(end.fraction[0])
        if stop >= begin and (target == arc or not end.directed[0]):
            yield from self._part(arc, stop - begin)
        if stop <= begin and back >= 0 and not start.directed[0] and (target == back or not end.directed[0]):
            yield from self._part(back, begin - stop)

    def _part(self, arc: int, share: float) -> Iterator[_Drive]:
        arrays = self.functions.arrays
        work = int(arrays.arc_work_ms[arc])
        if work != CLOSED:
            columns = (arc, part_ms(work, share), arrays.arc_profile[arc], 0)
            yield _Drive(*(np.array([value], np.int32) for value in columns))

    def _drive_of(self, way: TimedWay, sources: TimedAnchors, targets: TimedAnchors) -> _Drive:
        functions, net = self.functions, self.functions.network
        arcs = net.edge_arc[way.edges]
        parts = zip(
            (sources.arc, sources.work_ms, sources.profile, sources.cost_ms),
            (arcs, functions.arrays.arc_work_ms[arcs], functions.arrays.arc_profile[arcs], functions.turn_ms[way.edges]),
            (targets.arc, targets.work_ms, targets.profile, targets.cost_ms),
            strict=True,
        )
        seed, last = slice(way.seed, way.seed + 1), slice(way.end, way.end + 1)
        return _Drive(*(np.concatenate([first[seed], middle, end[last]]).astype(np.int32) for first, middle, end in parts))

    def _drive_along(self, path: StreetPath) -> _Drive | None:
        net, functions, arcs = self.functions.network, self.functions, path.arcs
        work = functions.arrays.arc_work_ms[arcs].copy()
        if (work == CLOSED).any():
            return None
        if len(arcs) == 1:
            work[0] = part_ms(int(work[0]), path.end_fraction - path.start_fraction)
        else:
            work[0], work[-1] = part_ms(int(work[0]), 1.0 - path.start_fraction), part_ms(int(work[-1]), path.end_fraction)
        cost = np.zeros(len(arcs), np.int32)
        if net.edge_based and not td_drive.turns_along(
            arcs, net.arc_first_state, net.arc_states, net.first_edge, net.edge_to, net.edge_arc, functions.turn_ms, cost
        ):
            return None
        return _Drive(arcs, work, functions.arrays.arc_profile[arcs].astype(np.int32), cost)

    def _path(self, drive: _Drive, start: Snaps, end: Snaps, depart_ms: int) -> TimedPath:
        first, last = int(drive.arcs[0]), int(drive.arcs[-1])
        fractions = (
            float(snap.fraction[0]) if arc == snap.arc[0] else 1.0 - float(snap.fraction[0])
            for arc, snap in ((first, start), (last, end))
        )
        found = self._timed(build_path(self.graph, self.free_flow, 0, drive.arcs, *fractions), drive, depart_ms)
        assert found is not None, "a way over a closed street"
        return found

    def _timed(self, path: StreetPath, drive: _Drive, depart_ms: int) -> TimedPath | None:
        enter = np.empty(len(drive.arcs), np.int64)
        pace = self.functions.arrays.pace
        there = int(td_drive.drive(depart_ms, drive.work_ms, drive.profile, drive.cost_ms, pace, enter))
        if there >= FAR:
            return None
        arc_time_ms = (np.append(enter[1:], there) - enter - drive.cost_ms).astype(np.float64)
        unix_ms = self.functions.start_s * 1000 + depart_ms
        return TimedPath(unix_ms, replace(path, time_ms=there - depart_ms, arc_time_ms=arc_time_ms))
