"""A plan kept in memory while it is driven: orders inserted and events taken in within milliseconds.

Only rounds that change are timed anew (`live_state`), and orders are counted: what the changed rounds visited before is
visited, or listed as unserved, after.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from routing.rounds.change import Change
from routing.rounds.errors import InfeasiblePlanError, UnknownIdError
from routing.rounds.explain import explain
from routing.rounds.live_check import count_orders
from routing.rounds.live_state import MovingPlan
from routing.rounds.plain import require_plain_shipment
from routing.rounds.plan import DeliveryRound, PlannedStop, Unserved
from routing.rounds.polish import ENOUGH
from routing.rounds.problem import Problem, Shipment
from routing.rounds.stability import NO_STABILITY, Stability
from routing.rounds.told import done_at, left_at, reached_at, turned_away

FEW = 5
"""So many lost orders at most are explained at once (some milliseconds each)."""


__all__ = ["Change", "LivePlan"]


class LivePlan(MovingPlan):
    """A plan under change (`MovingPlan` says of what). Not thread-safe: one change at a time."""

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

    def complete(self, visit_idx: int, done_s: float, stability: Stability = NO_STABILITY) -> Change:
        """Say when a stop was left, by now at the latest: it is done, and what follows is timed from there (`done_at`).

        Raises
        ------
        UnknownIdError
            No round holds the visit, or the pickup that belongs to it is still to come.
        """
        found = ((r, k) for r, one in self.rounds.items() for k, stop in enumerate(one.stops) if stop.visit_idx == visit_idx)
        r, k = next(found, (-1, -1))
        if r < 0:
            name = self.problem.shipments[self.problem.visits[visit_idx][0]].id
            raise UnknownIdError(f"order {name!r} is in no round")
        told = done_at(self.problem, self.times.times, self.rounds[r], k, min(done_s, self.now_s), self.now_s)
        self._live.undo(self.problem, self.standing[r].done)
        return self._mend([r], stability, told={r: told})

    def adopt(self, routes: Mapping[int, Sequence[int]], stability: Stability = NO_STABILITY) -> Change | None:
        """Take over better rounds (visits by vehicle, frozen ones first) of a plan that has not been changed since.

        None, and nothing is changed, if a vehicle has set off for another stop meanwhile, if a round is infeasible now, or if
        the plan would cost no less, moves to other vehicles at their price included.
        """
        before, old = dict(self.rounds), self.plan
        free = {r: self._free(r) for r in routes}
        frozen = {r: [stop.visit_idx for stop in self.standing[r].done] for r in routes}
        if any(list(route[: len(frozen[r])]) != frozen[r] for r, route in routes.items()):
            return None
        self._put({r: route[len(frozen[r]) :] for r, route in routes.items()})
        was = {r: before[r] for r in routes if r in before}
        served = {self.problem.visits[v][0] for route in routes.values() for v in route} & self.unserved.keys()
        try:
            now = {r: self._timed(r) for r in routes if self.standing[r].done or self._search.route(r)}
            count_orders(self.problem, was, now, self.unserved.keys() - served, tuple(served))
            self.rounds = {r: one for r, one in before.items() if r not in routes} | now
            self.unserved = {s: one for s, one in self.unserved.items() if s not in served}
            delta = self.cost - old.cost
            if delta + stability.cost(self.problem, old, self.plan) > -ENOUGH:
                raise InfeasiblePlanError(["the plan would cost no less"])
        except InfeasiblePlanError:
            self.rounds, self.unserved = before, {one.shipment_idx: one for one in old.unserved}
            self._put(free)
            return None
        for r in routes:
            self._next_s[r] = self._freezes_s(r)
        vehicle_of = {v: r for r, route in free.items() for v in route}
        moved = dict.fromkeys(
            self.problem.visits[v][0] for r, route in routes.items() for v in route[len(frozen[r]) :] if vehicle_of.get(v) != r
        )
        return Change(was, now, tuple(moved), delta)

    def _put(self, free: Mapping[int, Sequence[int]]) -> None:
        """Make these the free parts of the rounds of some vehicles."""
        wanted = np.zeros(len(self.standing), np.bool_)
        for r in free:
            self._search.put(r, [])
        for r, route in free.items():
            self._search.put(r, route)
            wanted[r] = True
        self._search.refresh_rounds(wanted)

    def _told(self, r: int, stop: PlannedStop, stability: Stability) -> Change:
        """Put what was told of the last frozen stop in its place."""
        one, last = self.rounds[r], len(self.standing[r].done) - 1
        told = replace(one, stops=(*one.stops[:last], stop, *one.stops[last + 1 :]))
        return self._mend([r], stability, told={r: told})

    def times_changed(self, stability: Stability = NO_STABILITY) -> Change:
        """Bring the rounds up to date after durations were changed in place (an incident on the road)."""
        busy = [r for r, one in sorted(self.rounds.items()) if len(one.stops) > len(self.standing[r].done)]
        return self._mend(busy, stability)

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
