"""Changes of which order goes over which hub, and of when goods are handed over there: candidates of the search over hubs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from routing.rounds.hub_plan import HubPlan
from routing.rounds.hub_problem import DIRECT, HubOptions
from routing.rounds.travel_times import TravelTimes

F64 = npt.NDArray[np.float64]
Choice = tuple[tuple[int, ...], tuple[float, ...]]
"""Hub of each order (-1 = directly), and handover of each hub in seconds."""
NOISE = 0.3
"""Estimated savings are drawn with this relative spread."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Least costs of ways for each vehicle, whatever the hour: estimates only."""

    options: HubOptions
    times: TravelTimes

    def way(self, r: int) -> F64:
        """Least cost float64[n, n] of the ways of vehicle `r`."""
        vehicle, arrays = self.options.problem.vehicles[r], self.times.arrays
        least = np.minimum(arrays.matrix_s[vehicle.profile], 1e9)
        cost: F64 = vehicle.cost_per_s * least
        if self.times.has_lengths:
            cost += vehicle.cost_per_m * arrays.length_m[vehicle.profile]
        return cost

    def marginal(self, now: HubPlan) -> F64:
        """Estimated change of the cost float64[orders, 1 + hubs] if an order went directly (column 0) or over a hub instead.

        What an order saves where it is, against the cheapest place in the rounds of the other side or in an unused vehicle.
        The way to the hub counts its handling only: whoever brings other goods goes there anyway. inf = it may not.
        """
        problem, options = self.options.problem, self.options
        places = np.array([-1 if one.delivery is None else one.delivery.location_idx for one in problem.shipments])
        saved, added = np.zeros(len(places)), np.full((len(places), 1 + len(problem.hubs)), np.inf)
        for r, route in enumerate(now.plan.routes_by_vehicle(len(now.problem.vehicles))):
            vehicle, way = problem.vehicles[r], self.way(r)
            ends = [problem.depots[vehicle.start_depot_idx].location_idx]
            at = np.array(ends + [now.problem.visit(v).location_idx for v in route] + ends)
            longer = way[at[:-1]][:, places] + way[places][:, at[1:]].T - way[at[:-1], at[1:]][:, None]
            column = options.belongs[r] + 1
            cheapest = longer.min(axis=0) + (0.0 if route else vehicle.fixed_cost)
            added[:, column] = np.minimum(added[:, column], cheapest)
            for k, v in enumerate(route):
                s = now.problem.visits[v][0]
                if s < len(places):
                    a, b, c = at[k : k + 3]
                    saved[s] = way[a, b] + way[b, c] - way[a, c]
        for h, hub in enumerate(problem.hubs):
            added[:, h + 1] += hub.handling_s * problem.vehicles[options.belongs.index(DIRECT)].cost_per_s
        for s, hubs in enumerate(options.of_orders):
            may = [0, *(h + 1 for h in hubs)]
            added[s, [column for column in range(added.shape[1]) if column not in may]] = np.inf
            added[s, now.plan.hub_of[s] + 1] = np.inf
        answer: F64 = added - saved[:, None]
        return answer


class Moves:
    """Draws candidates near a plan.

    Parameters
    ----------
    options, times
        What may go where; travel times for what lies close together.
    rng : numpy Generator
    """

    def __init__(self, options: HubOptions, times: TravelTimes, rng: np.random.Generator) -> None:
        self._options, self._rng, self._costs = options, rng, Costs(options, times)
        problem = options.problem
        self._free = np.array([s for s, hubs in enumerate(options.of_orders) if hubs], np.int64)
        places = [problem.shipments[s].delivery.location_idx for s in self._free]
        least = times.arrays.matrix_s[problem.vehicles[options.belongs.index(DIRECT)].profile]
        self._close = np.argsort(least[np.ix_(places, places)], axis=1, kind="stable")
        self._to_hub = np.stack([least[problem.depots[hub.depot_idx].location_idx, places] for hub in problem.hubs])
        self._bounds = [self._handover_bounds(h, least) for h in range(len(problem.hubs))]

    @property
    def any(self) -> bool:
        """Whether some order may go over a hub."""
        return len(self._free) > 0

    def starts(self, most: int) -> list[Choice]:
        """Assignments to begin with: all that may, or the nearer half, over one hub or the nearest of all, early or late."""
        hubs = len(self._options.problem.hubs)
        sets = [[h] for h in range(hubs)] + ([list(range(hubs))] if hubs > 1 else [])
        found = [
            (self._over(chosen, share), self.handovers(part))
            for part in (0.1, 0.25, 0.45)
            for share in (1.0, 0.5)
            for chosen in sets
        ]
        if len(found) <= most:
            return found
        return [found[k] for k in sorted(self._rng.choice(len(found), most, replace=False))]

    def openings(self, most: int) -> list[tuple[tuple[float, ...], list[int]]]:
        """Handovers, early or late, and hubs to use: each alone or all."""
        hubs = len(self._options.problem.hubs)
        sets = ([list(range(hubs))] if hubs > 1 else []) + [[h] for h in range(hubs)]
        found = [(self.handovers(part), chosen) for part in (0.1, 0.25, 0.45) for chosen in sets]
        if len(found) <= most:
            return found
        return [found[k] for k in sorted(self._rng.choice(len(found), most, replace=False))]

    def coin(self, share: float) -> bool:
        """True with this probability."""
        return bool(self._rng.random() < share)

    def draw(self, now: HubPlan, handover_s: Sequence[float]) -> Choice:
        """One candidate, within the capacities of the hubs."""
        kinds: list[Callable[[HubPlan, list[int], list[float]], None]] = [
            self._cheapest, self._cheapest, self._cluster, self._cluster, self._round, self._close_hub, self._shift,
        ]  # fmt: skip
        hub_of, handover = list(now.plan.hub_of), list(handover_s)
        kinds[int(self._rng.integers(len(kinds)))](now, hub_of, handover)
        if self._rng.random() < 0.3:
            self._shift(now, hub_of, handover)
        return self.fitted(hub_of), tuple(handover)

    def fitted(self, hub_of: Sequence[int]) -> tuple[int, ...]:
        """The assignment less what finds no room in its hub; drawn who goes directly instead."""
        problem, answer = self._options.problem, list(hub_of)
        for h, hub in enumerate(problem.hubs):
            if hub.capacity is None:
                continue
            lying = np.zeros(len(hub.capacity), np.int64)
            for s in self._rng.permutation([s for s, one in enumerate(answer) if one == h]).tolist():
                load = np.zeros_like(lying)
                load[: len(problem.shipments[s].load)] = problem.shipments[s].load
                if (lying + load > hub.capacity).any():
                    answer[s] = DIRECT
                else:
                    lying += load
        return tuple(answer)

    def _cheapest(self, now: HubPlan, hub_of: list[int], _: list[float]) -> None:
        """Orders whose estimated saving is best, drawn."""
        change = self._costs.marginal(now)
        change *= 1.0 + NOISE * self._rng.standard_normal(change.shape)
        change[~np.isfinite(change)] = np.inf
        best = change.argmin(axis=1)
        ranked = np.argsort(change.min(axis=1), kind="stable")
        for s in ranked[: int(self._rng.integers(1, 2 + len(self._free) // 8))].tolist():
            if np.isfinite(change[s, best[s]]):
                hub_of[s] = int(best[s]) - 1

    def _cluster(self, _: HubPlan, hub_of: list[int], __: list[float]) -> None:
        """Orders close to each other, to one side."""
        size = int(self._rng.integers(1, 2 + len(self._free) // 4))
        near = self._free[self._close[int(self._rng.integers(len(self._free)))][:size]].tolist()
        target = int(self._rng.choice([DIRECT, *self._options.of_orders[near[0]]]))
        for s in near:
            if target == DIRECT or target in self._options.of_orders[s]:
                hub_of[s] = target

    def _round(self, now: HubPlan, hub_of: list[int], _: list[float]) -> None:
        """All orders of a round to the other side."""
        if not now.plan.rounds:
            return
        one = now.plan.rounds[int(self._rng.integers(len(now.plan.rounds)))]
        home, target = self._options.belongs[one.vehicle_idx], int(self._rng.integers(len(self._options.problem.hubs)))
        for stop in one.stops:
            s = now.problem.visits[stop.visit_idx][0]
            if s < len(hub_of) and home != DIRECT and hub_of[s] == home:
                hub_of[s] = DIRECT
            elif s < len(hub_of) and home == DIRECT and target in self._options.of_orders[s]:
                hub_of[s] = target

    def _close_hub(self, _: HubPlan, hub_of: list[int], __: list[float]) -> None:
        """A hub less, or all that goes over one over another."""
        old = int(self._rng.integers(len(self._options.problem.hubs)))
        new = int(self._rng.integers(DIRECT, len(self._options.problem.hubs)))
        for s, hub in enumerate(hub_of):
            if hub == old:
                hub_of[s] = new if new in self._options.of_orders[s] else DIRECT

    def _shift(self, now: HubPlan, _: list[int], handover: list[float]) -> None:
        """Another handover at a hub: as early or as late as the present rounds allow, or drawn."""
        h = int(self._rng.integers(len(handover)))
        low, high = self._bounds[h]
        kind, own = self._rng.integers(4), [one for one in now.transfers if one.hub_idx == h]
        if kind == 0 and own:
            handover[h] = max(one.ready_s for one in own)
        elif kind == 1 and own:
            handover[h] = min(high, *(one.fetched_s for one in own))
        elif kind == 2:
            handover[h] = float(self._rng.uniform(low, high))
        else:
            handover[h] = float(np.clip(handover[h] + self._rng.normal(0.0, 0.1 * (high - low)), low, high))

    def _over(self, hubs: Sequence[int], share: float) -> tuple[int, ...]:
        """Orders, those nearest to these hubs first, over the nearest of them."""
        answer = [DIRECT] * len(self._options.problem.shipments)
        reach = np.full((len(hubs), len(self._free)), np.inf)
        for k, h in enumerate(hubs):
            may = [h in self._options.of_orders[s] for s in self._free]
            reach[k, may] = self._to_hub[h, may]
        order = np.argsort(reach.min(axis=0), kind="stable")
        for k in order[: max(1, round(share * len(order)))].tolist():
            if np.isfinite(reach[:, k].min()):
                answer[self._free[k]] = hubs[int(reach[:, k].argmin())]
        return self.fitted(answer)

    def handovers(self, part: float) -> tuple[float, ...]:
        """Handovers at a share of what the hubs' days allow."""
        return tuple(low + part * (high - low) for low, high in self._bounds)

    def _handover_bounds(self, h: int, least: F64) -> tuple[float, float]:
        """First moment at which some van can have handed goods over, and last one at which a vehicle of the hub may leave."""
        problem, belongs = self._options.problem, self._options.belongs
        hub = problem.hubs[h]
        depot = problem.depots[hub.depot_idx]
        reached = [
            max(vehicle.shift.start_s, problem.depots[vehicle.start_depot_idx].window.start_s)
            + float(least[problem.depots[vehicle.start_depot_idx].location_idx, depot.location_idx])
            for vehicle, home in zip(problem.vehicles, belongs, strict=True)
            if home == DIRECT
        ]
        leaves = [vehicle.shift.end_s for vehicle, home in zip(problem.vehicles, belongs, strict=True) if home == h]
        opens = depot.window.start_s + hub.handling_s
        low = max(opens, min(min(reached) + hub.handling_s, depot.window.end_s))
        return low, max(low, min([depot.window.end_s, *leaves]))
