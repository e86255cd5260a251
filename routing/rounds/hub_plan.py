"""What the engine answers where goods go over micro-hubs."""

from collections.abc import Sequence
from dataclasses import dataclass

from routing.rounds.hub_problem import DIRECT, HubOptions, assigned
from routing.rounds.plan import Plan
from routing.rounds.problem import Problem


@dataclass(frozen=True, slots=True)
class Transfer:
    """An order that changes vehicles at a hub: handed over from `brought_s` to `ready_s`, it leaves the hub at `fetched_s`."""

    shipment_idx: int
    hub_idx: int
    brought_by: int
    brought_s: float
    ready_s: float
    fetched_by: int
    fetched_s: float


@dataclass(frozen=True, slots=True)
class HubPlan:
    """Rounds of vans and of hubs.

    Attributes
    ----------
    problem : Problem
        That of the rounds (`hub_problem.assigned`): orders first, then their ways to hubs.
    plan : Plan
        Over that problem; its `hub_of` says which order goes over which hub (-1 = directly), its cost leaves out that of hubs.
    transfers : tuple of Transfer
    cost : float
        With the fixed costs of the hubs that are used.
    """

    problem: Problem
    plan: Plan
    transfers: tuple[Transfer, ...]
    cost: float


def transfers_of(options: HubOptions, hub_of: Sequence[int], plan: Plan) -> tuple[Transfer, ...]:
    """Transfers at hubs of a plan in which every order over a hub is brought and delivered."""
    orders, visits = len(options.problem.shipments), assigned(options, hub_of).visits
    over = [s for s, hub in enumerate(hub_of) if hub != DIRECT]
    brought: dict[int, tuple[int, float, float]] = {}
    fetched: dict[int, tuple[int, float]] = {}
    for one in plan.rounds:
        for stop in one.stops:
            s = visits[stop.visit_idx][0]
            if s >= orders:
                brought[over[s - orders]] = (one.vehicle_idx, stop.start_s, stop.departure_s)
            elif hub_of[s] != DIRECT:
                fetched[s] = (one.vehicle_idx, one.departure_s)
    return tuple(Transfer(s, hub_of[s], *brought[s], *fetched[s]) for s in over)


def hubs_cost(problem: Problem, hub_of: Sequence[int]) -> float:
    """Fixed costs of the hubs that are used."""
    return sum(problem.hubs[hub].fixed_cost for hub in sorted(set(hub_of) - {DIRECT}))
