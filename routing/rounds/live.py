"""A plan kept in memory while it is driven: orders inserted and events taken in within milliseconds.

Only rounds that change are timed anew; each passes the validator whole, as a problem of its own, and orders are counted: what
the changed rounds visited before is visited, or listed as unserved, after. The frozen part of a round (`standing`) never
changes but by what is reported of it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from routing.kernels.rounds_live import time_all
from routing.rounds.change import Change
from routing.rounds.errors import InfeasiblePlanError, UnknownIdError
from routing.rounds.explain import explain
from routing.rounds.growing import GrowingTimes
from routing.rounds.live_arrays import ROOM, LiveArrays
from routing.rounds.live_check import check_round, count_orders
from routing.rounds.live_search import LiveSearch
from routing.rounds.plain import require_plain, require_plain_shipment
from routing.rounds.plan import DeliveryRound, Plan, PlannedStop, Unserved
from routing.rounds.problem import Problem, Shipment
from routing.rounds.replan import joined_round
from routing.rounds.schedule import build_round
from routing.rounds.stability import NO_STABILITY, Stability
from routing.rounds.standing import Standing, leaves_stop_s, stand
from routing.rounds.told import left_at, reached_at, turned_away
from routing.rounds.travel_times import TravelTimes

FEW = 5
"""So many lost orders at most are explained at once (some milliseconds each)."""


__all__ = ["Change", "LivePlan"]


class LivePlan:
    """A plan under change. Not thread-safe: one change at a time.

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

    def insert(self, shipment: Shipment, *, dry_run: bool = False) -> Change:
        """Insert a shipment where it costs least; its locations are there already (`times.add`).

        An order that cannot be served is told with the reason and not kept.

        Raises
        ------
        InvalidProblemError
            The shipment is not well formed, or not plain.
        InfeasiblePlanError
            The validator found a defect; nothing was changed.
        """
        require_plain_shipment(shipment)
        before = self.problem
        problem = before.with_shipment(shipment, self.times.used)
        if self._times_seen is not self.times.times or not self._live.has_room(shipment):
            self._rebuild()
        live, search = self._live, self._search
        s = live.add(problem, self.times.times, shipment)
        live.bind_last(problem, self._flags("away"), self._flags("broken"))
        self.problem = problem
        pickups = search.mixed
        search.mixed = pickups or shipment.pickup is not None
        cost, r, at, then = search.place_of(s)
        if r < 0 or cost > shipment.penalty or not search.apply(s, r, at, then):
            lost = explain(problem, live.part(), self.times.times.arrays, search.routes(), s)
            self._forget(before, s, pickups)
            return Change(lost=(lost,))
        was = {r: self.rounds[r]} if r in self.rounds else {}
        try:
            now = {r: self._timed(r)}
            count_orders(problem, was, now, (), (s,))
        except InfeasiblePlanError:
            search.take_out(s)
            self._forget(before, s, pickups)
            raise
        change = Change(was, now, (s,), now[r].cost - (was[r].cost if was else 0.0), vehicle_idx=r)
        if dry_run:
            search.take_out(s)
            self._forget(before, s, pickups)
        else:
            self.rounds |= now
            self._next_s[r] = self._freezes_s(r)
        return change

    def remove(self, shipment_idx: int) -> Change:
        """Take out a shipment that is no longer wanted; one that is being served, or was, stays in the plan as history."""
        self.refused.add(shipment_idx)
        r = self._vehicle_of(shipment_idx)
        if r is None:
            return Change()
        here = self.standing[r]
        frozen = [k for k, stop in enumerate(here.done) if self.problem.visits[stop.visit_idx][0] == shipment_idx]
        if frozen and (frozen[-1] < len(here.done) - 1 or here.done[-1].start_s <= self.now_s):
            return Change()
        name = self.problem.shipments[shipment_idx].id
        self.unserved[shipment_idx] = Unserved(shipment_idx, ("refused",), f"order {name!r} is no longer wanted")
        one, times = self.rounds[r], self.times.times
        told = {r: turned_away(self.problem, times, one, len(here.done) - 1, shipment_idx, self.now_s)} if frozen else None
        return self._mend([r], NO_STABILITY, gone=shipment_idx, told=told)

    def break_down(self, vehicle_idx: int, stability: Stability = NO_STABILITY) -> Change:
        """Take a vehicle off the road: goods on board are lost, its other orders go to others where possible."""
        self.broken.add(vehicle_idx)
        return self._mend([vehicle_idx], stability)

    def delay(self, vehicle_idx: int, delay_s: float, stability: Stability = NO_STABILITY) -> Change:
        """Let a vehicle be late: it leaves its start later, reaches the stop it is driving to later, or stays longer."""
        here, one = self.standing[vehicle_idx], self.rounds.get(vehicle_idx)
        if one is None or not here.done:
            leaves = here.ready_s if one is None else one.departure_s
            self.held[vehicle_idx] = max(leaves + delay_s, self.held.get(vehicle_idx, leaves))
            return self._mend([vehicle_idx], stability)
        last = here.done[-1]
        if last.arrival_s > self.now_s:
            return self.reach(vehicle_idx, last.arrival_s + delay_s, stability)
        return self._told(vehicle_idx, left_at(last, last.departure_s + delay_s), stability)

    def reach(self, vehicle_idx: int, arrival_s: float, stability: Stability = NO_STABILITY) -> Change:
        """Correct when a vehicle reaches the stop it is driving to, by its position or by what is known of a delay.

        Raises
        ------
        UnknownIdError
            The vehicle has not set off for any stop.
        """
        here = self.standing[vehicle_idx]
        if not here.done:
            raise UnknownIdError(f"vehicle {self.problem.vehicles[vehicle_idx].id!r} has not set off for a stop yet")
        return self._told(vehicle_idx, reached_at(self.problem, here.done[-1], arrival_s), stability)

    def finish(self, vehicle_idx: int, done_s: float, stability: Stability = NO_STABILITY) -> Change:
        """Say when the stop a vehicle is at (or driving to) was left."""
        here = self.standing[vehicle_idx]
        if not here.done:
            raise UnknownIdError(f"vehicle {self.problem.vehicles[vehicle_idx].id!r} has not set off for a stop yet")
        last = here.done[-1]
        early = min(0.0, done_s - (last.departure_s - last.start_s) - last.arrival_s)
        return self._told(vehicle_idx, left_at(replace(last, arrival_s=last.arrival_s + early), done_s), stability)

    def _told(self, r: int, stop: PlannedStop, stability: Stability) -> Change:
        """Put what was told of the last frozen stop in its place."""
        one, last = self.rounds[r], len(self.standing[r].done) - 1
        told = replace(one, stops=(*one.stops[:last], stop, *one.stops[last + 1 :]))
        return self._mend([r], stability, told={r: told})

    def times_changed(self, stability: Stability = NO_STABILITY) -> Change:
        """Bring the rounds up to date after durations were changed in place (an incident on the road)."""
        busy = [r for r, one in sorted(self.rounds.items()) if len(one.stops) > len(self.standing[r].done)]
        return self._mend(busy, stability)

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

    def _mend(
        self,
        vehicles: list[int],
        stability: Stability,
        gone: int | None = None,
        told: Mapping[int, DeliveryRound] | None = None,
    ) -> Change:
        """Keep rounds as far as they are feasible, insert what fell out anew, time what changed.

        After an error the plan is to be made anew from the last one that was kept.
        """
        before, cost, search = dict(self.rounds), self.cost, self._search
        self.rounds |= told or {}
        self._place(vehicles)
        planned = {r: self._free(r) for r in self.rounds}
        moved: list[int] = []
        for r in vehicles:
            wanted = [v for v in planned.get(r, []) if self.problem.visits[v][0] != gone]
            if self.standing[r].broken:
                moved += dict.fromkeys(self.problem.visits[v][0] for v in wanted)
            else:
                moved += search.keep_feasible(r, wanted)
        came_from = {self.problem.visits[v][0]: r for r in vehicles for v in planned.get(r, [])}
        left = self._insert_all(moved, came_from, stability)
        changed = {r for r in range(len(self.standing)) if search.route(r) != planned.get(r, [])} | set(vehicles)
        lost = tuple(self._lost(s, few=len(left) <= FEW) for s in left)
        self.unserved |= {one.shipment_idx: one for one in lost}
        for r in sorted(changed):
            if self.standing[r].done or search.route(r):
                self.rounds[r] = self._timed(r)
            else:
                self.rounds.pop(r, None)
            self._next_s[r] = self._freezes_s(r)
        was = {r: before[r] for r in changed if r in before}
        now = {r: self.rounds[r] for r in changed if r in self.rounds}
        count_orders(self.problem, was, now, self.unserved)
        return Change(was, now, tuple(moved), self.cost - cost, lost)

    def _insert_all(self, moved: list[int], came_from: Mapping[int, int], stability: Stability) -> list[int]:
        """Insert shipments where they cost least, moves to other vehicles at their price; those without a place."""
        dislike = self._live.arrays.dislike
        kept = dislike[moved].copy()
        for s in moved:
            others = np.arange(dislike.shape[1]) != came_from[s]
            dislike[s, others] += np.float32(stability.move_cost)
        left = self._search.insert_all(moved)
        dislike[moved] = kept
        if stability.move_cost and moved:
            self._search.refresh_rounds(np.ones(len(self.standing), np.bool_))
        return left

    def _lost(self, shipment_idx: int, *, few: bool) -> Unserved:
        """Why a shipment is not served any more; with many of them without looking for the reason."""
        name = self.problem.shipments[shipment_idx].id
        for r, here in enumerate(self.standing):
            if here.broken and shipment_idx in self._carried_by(r):
                vehicle = self.problem.vehicles[r].id
                return Unserved(
                    shipment_idx, ("on_board",), f"order {name!r} is on board of {vehicle}, which can no longer drive"
                )
        if not few:
            return Unserved(shipment_idx, (), f"order {name!r}: no other vehicle has a place for it")
        return explain(self.problem, self._live.part(), self.times.times.arrays, self._search.routes(), shipment_idx)

    def _forget(self, before: Problem, shipment_idx: int, mixed: bool) -> None:
        """Take back what was added for a shipment."""
        self._live.drop_last(len(self.problem.visits) - len(before.visits), self.problem.shipments[shipment_idx])
        self.problem, self._search.mixed = before, mixed
