"""A plan in memory with its vehicles where they stand: what time does to it, how its rounds are timed and checked.

Only rounds that change are timed anew; each passes the validator whole, as a problem of its own. The frozen part of a round
(`standing`) never changes but by what is reported of it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from routing.kernels.rounds_live import time_all
from routing.rounds.errors import InfeasiblePlanError
from routing.rounds.growing import GrowingTimes
from routing.rounds.live_arrays import ROOM, LiveArrays
from routing.rounds.live_check import check_round, count_orders
from routing.rounds.live_search import LiveSearch
from routing.rounds.plain import require_plain
from routing.rounds.plan import DeliveryRound, Plan
from routing.rounds.problem import Problem
from routing.rounds.replan import joined_round
from routing.rounds.schedule import build_round
from routing.rounds.standing import Standing, leaves_stop_s, stand
from routing.rounds.travel_times import TravelTimes


class MovingPlan:
    """A plan whose vehicles move on. Not thread-safe.

    Parameters
    ----------
    problem, travel_times, plan
        What was planned, as validated; the travel times are copied.
    now_s : float
        Engine time; it never goes back.
    held_until_s : Mapping of int to float, optional
        By vehicle: when it leaves the place where it is, at the earliest.
    broken : Iterable of int
        Vehicles that can no longer drive.
    refused : Iterable of int
        Shipments that are no longer wanted.
    room : int
        Orders and locations that can be added before arrays are made anew.

    Raises
    ------
    InvalidProblemError
        The problem is not plain (`routing.rounds.plain`).
    """

    def __init__(
        self,
        problem: Problem,
        travel_times: TravelTimes,
        plan: Plan,
        now_s: float,
        *,
        held_until_s: Mapping[int, float] | None = None,
        broken: Iterable[int] = (),
        refused: Iterable[int] = (),
        room: int = ROOM,
    ) -> None:
        require_plain(problem)
        self.problem, self.now_s, self._room = problem, now_s, room
        self.times = GrowingTimes(travel_times, room, problem.location_count)
        self.rounds = {one.vehicle_idx: one for one in plan.rounds}
        self.unserved = {one.shipment_idx: one for one in plan.unserved}
        self.held, self.broken, self.refused = dict(held_until_s or {}), set(broken), set(refused)
        self._iterations, self._first_cost, self._warnings = plan.iterations, plan.first_cost, plan.warnings
        self._rebuild()

    @property
    def plan(self) -> Plan:
        """The plan as it is."""
        rounds = tuple(self.rounds[r] for r in sorted(self.rounds))
        unserved = tuple(self.unserved[s] for s in sorted(self.unserved))
        return Plan(rounds, unserved, self.cost, self._iterations, self._first_cost, self._warnings)

    @property
    def cost(self) -> float:
        """Cost of the plan, penalties of unserved shipments that are still wanted included."""
        left = sum(self.problem.shipments[s].penalty for s in self.unserved if s not in self.refused)
        return float(sum(one.cost for one in self.rounds.values()) + left)

    def advance(self, now_s: float) -> None:
        """Let time pass: stops that vehicles have set off for are frozen."""
        if now_s > self.now_s:
            self.now_s = now_s
            due = np.flatnonzero(self._next_s < now_s).tolist()
            leaving = [r for r in due if not self._waits(r)]
            if leaving:
                self._place(leaving)
            waiting = [r for r in due if self._waits(r)]
            if waiting:
                self._wait(waiting)

    def evaluate(self) -> float:
        """Cost of the free parts of all rounds, timed exactly from nothing but the arrays."""
        count = len(self.problem.vehicles)
        arrays, state = self._live.arrays, self._search.state
        return float(time_all(arrays, self.times.times.arrays, state, np.empty(count), np.empty(count)))

    def check(self) -> None:
        """Validate the whole plan: every free part, and that each order is served once or listed.

        Raises
        ------
        InfeasiblePlanError
            With every violation in words.
        """
        for r in sorted(self.rounds):
            self._timed(r)
        frozen = {r: replace(one, stops=self.standing[r].done) for r, one in self.rounds.items()}
        count_orders(self.problem, frozen, self.rounds, self.unserved, range(len(self.problem.shipments)))

    def _rebuild(self) -> None:
        """Arrays with room again, vehicles where they stand, routes as they are."""
        count = len(self.problem.vehicles)
        self._live = LiveArrays(self.problem, self.times.times, self._room)
        self._times_seen = self.times.times
        self._search = LiveSearch(self._live.arrays, self.times.times.arrays)
        self._next_s = np.full(count, np.inf)
        self.standing: list[Standing] = [self._stand(r) for r in range(count)]
        self._place(list(range(count)))

    def _stand(self, r: int) -> Standing:
        return stand(self.problem, r, self.rounds.get(r), self.now_s, self.held.get(r), broken=r in self.broken)

    def _place(self, vehicles: list[int]) -> None:
        """Stand `vehicles` anew, with the free parts of their rounds as they are."""
        wanted = np.zeros(len(self.standing), np.bool_)
        for r in vehicles:
            here = self.standing[r] = self._stand(r)
            self._live.place(self.problem, r, here, self.times.times.length_m)
            self._live.finish(self.problem, here.done)
            self._next_s[r] = self._freezes_s(r)
            self._search.put(r, [] if here.broken else self._free(r))
            wanted[r] = True
        carried = {s: r for r in range(len(self.standing)) for s in self._carried_by(r)}
        self._live.bind(self.problem, carried, self._flags("away"), self._flags("broken"), self.refused)
        self._search.refresh_rounds(wanted)

    def _waits(self, r: int) -> bool:
        """Whether all that time does to a vehicle is that it leaves later: at its start, or after its last stop."""
        one, here, vehicle = self.rounds.get(r), self.standing[r], self.problem.vehicles[r]
        if vehicle.breaks or (here.away and vehicle.max_duration_s is not None):
            return False
        if here.away:
            return one is not None and len(here.done) == len(one.stops)
        return one is None or one.departure_s >= self.now_s

    def _wait(self, vehicles: list[int]) -> None:
        """Let vehicles that wait leave from now on."""
        wanted, own = np.zeros(len(self.standing), np.bool_), self._live.arrays.vehicles
        for r in vehicles:
            here = self.standing[r]
            ready = max(self.now_s, here.ready_s)
            self.standing[r] = replace(here, ready_s=ready, departure_s=here.departure_s if here.away else ready)
            wanted[r], self._next_s[r] = r in self.rounds and not here.away, ready
        later = np.array(vehicles)
        own.leave_from_s[later] = np.maximum(own.leave_from_s[later], self.now_s)
        gone = np.array([r for r in vehicles if self.standing[r].away], np.int64)
        own.leave_by_s[gone] = self.now_s
        self._search.refresh_rounds(wanted)

    def _free(self, r: int) -> list[int]:
        """Visits of the free part of a round."""
        one = self.rounds.get(r)
        return [] if one is None else [stop.visit_idx for stop in one.stops[len(self.standing[r].done) :]]

    def _freezes_s(self, r: int) -> float:
        """From when on vehicle `r` stands otherwise."""
        one, here = self.rounds.get(r), self.standing[r]
        if here.broken:
            return np.inf
        if here.away and one is not None and len(here.done) < len(one.stops):
            return leaves_stop_s(here.done[-1])
        return here.ready_s

    def _flags(self, name: str) -> np.ndarray:
        return np.array([getattr(here, name) for here in self.standing], np.bool_)

    def _carried_by(self, r: int) -> set[int]:
        """Shipments on board of a vehicle that has left."""
        here = self.standing[r]
        if not here.away:
            return set()
        picked = {self.problem.visits[stop.visit_idx][0] for stop in here.done}
        free = {self.problem.visits[v][0] for v in self._free(r)}
        return {s for s in free if s in picked or self.problem.shipments[s].pickup is None}

    def _vehicle_of(self, shipment_idx: int) -> int | None:
        first = self.problem.first_visit(shipment_idx)
        return next((r for r, one in self.rounds.items() if any(stop.visit_idx == first for stop in one.stops)), None)

    def _timed(self, r: int) -> DeliveryRound:
        """Round of `r` with its frozen part, the rest timed anew and validated."""
        here, one, times = self.standing[r], self.rounds.get(r), self.times.times
        route = self._search.route(r)
        rest = build_round(self._live.arrays, times.arrays, r, route) if route else None
        if rest is None and route:
            raise InfeasiblePlanError([f"vehicle {self.problem.vehicles[r].id!r} cannot keep its times"])
        if rest is not None:
            check_round(self.problem, times, here, rest, self._carried_by(r))
        stops = [*here.done, *(() if rest is None else rest.stops)]
        departure = one.departure_s if here.done and one is not None else rest.departure_s if rest else here.ready_s
        return joined_round(self.problem, times, r, departure, stops, rest)
