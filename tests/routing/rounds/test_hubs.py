"""Rounds over micro-hubs: against enumeration, against vans alone, and what the validator finds."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from routing.rounds.api import Problem, TimeWindow, TravelTimes, solve
from routing.rounds.errors import InvalidProblemError
from routing.rounds.hub import Hub
from routing.rounds.hub_plan import HubPlan
from routing.rounds.hub_search import solve_over_hubs
from routing.rounds.validate_hubs import list_hub_violations
from tests.builders.hubs import hub_problem, vans_alone
from tests.routing.rounds.reference_hubs import optimal_hub_cost


@cache
def planned() -> tuple[Problem, TravelTimes, HubPlan]:
    """A plan over a hub to break."""
    problem, times = hub_problem(np.random.default_rng(1), 8, vans=2, bikes=2, windows=True)
    found = solve_over_hubs(problem, times, iterations=1000)
    assert found.transfers
    return problem, times, found


@pytest.mark.parametrize("seed", range(4))
def test_never_below_and_at_the_enumerated_optimum(seed: int) -> None:
    """No plan is cheaper than the enumerated optimum, and small problems reach it."""
    problem, times = hub_problem(np.random.default_rng(seed), 5, hubs=1 + seed % 2, bikes=2)
    found = solve_over_hubs(problem, times, iterations=6000, seed=seed)
    best = optimal_hub_cost(problem, times)
    assert best - 1e-6 <= found.cost <= best + 1e-6 * best
    assert not found.plan.unserved


@pytest.mark.parametrize("seed", range(4))
def test_costs_no_more_than_vans_alone(seed: int) -> None:
    """With the same iterations hubs never cost more than doing without; every plan told of is feasible."""
    problem, times = hub_problem(np.random.default_rng(seed), 14, hubs=1 + seed % 2, vans=2, bikes=2, windows=seed % 2 == 1)
    alone = solve(vans_alone(problem), times, iterations=1200, seed=seed)
    told: list[HubPlan] = []
    found = solve_over_hubs(problem, times, iterations=1200, seed=seed, on_improvement=told.append)
    assert found.cost <= alone.cost + 1e-6
    assert told[-1].cost == pytest.approx(found.cost)
    assert all(not list_hub_violations(problem, times, one) for one in told)


def test_same_seed_same_plan() -> None:
    """The search is deterministic."""
    problem, times, found = planned()
    assert solve_over_hubs(problem, times, iterations=1000).plan == found.plan


def test_goods_are_there_before_they_leave_and_fit() -> None:
    """Vans bring, bikes fetch later, the store holds it all."""
    problem, _, found = planned()
    for one in found.transfers:
        assert one.ready_s == one.brought_s + problem.hubs[0].handling_s <= one.fetched_s
        assert problem.vehicles[one.brought_by].id.startswith("van")
        assert problem.vehicles[one.fetched_by].id.startswith("bike")
    assert sum(problem.shipments[one.shipment_idx].load[0] for one in found.transfers) <= problem.hubs[0].capacity[0]


def test_hub_that_nothing_reaches_in_time_is_left_alone() -> None:
    """A hub that closes before a van can be there is not used."""
    problem, times = hub_problem(np.random.default_rng(0), 5, bikes=2)
    closed = replace(problem, depots=(problem.depots[0], replace(problem.depots[1], window=TimeWindow(0, 600))))
    found = solve_over_hubs(closed, times, iterations=500)
    assert not found.transfers
    assert not found.plan.unserved


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: replace(p, hubs=(replace(p.hubs[0], capacity=(1,)),)), "holds"),
        (lambda p: replace(p, hubs=(replace(p.hubs[0], handling_s=45.0),)), "handover lasts"),
        (lambda p: replace(p, hubs=(replace(p.hubs[0], fixed_cost=1e4),)), "its rounds and hubs cost"),
        (lambda p: replace(p, shipments=tuple(replace(one, direct_only=True) for one in p.shipments)), "may not"),
        (lambda p: replace(p, hubs=()), "other"),
    ],
)
def test_validator_reads_the_problem_itself(change: object, words: str) -> None:
    """A plan that is right for one problem is found wrong for another."""
    problem, times, found = planned()
    assert not list_hub_violations(problem, times, found)
    if words == "other":
        other = replace(problem, vehicles=problem.vehicles[:-1])
        assert any(words in text for text in list_hub_violations(other, times, found))
        return
    assert any(words in text for text in list_hub_violations(change(problem), times, found))  # type: ignore[operator]


def test_validator_sees_goods_fetched_too_early() -> None:
    """A bike that leaves before its goods are there is found."""
    problem, times, found = planned()
    homes = {one.fetched_by for one in found.transfers}
    early = tuple(replace(one, departure_s=600.0) if one.vehicle_idx in homes else one for one in found.plan.rounds)
    wrong = replace(found, plan=replace(found.plan, rounds=early))
    assert any("before it is there" in text for text in list_hub_violations(problem, times, wrong))


def test_what_cannot_be_combined_is_named() -> None:
    """Wrong fields of hubs, and what they cannot be combined with."""
    problem, times = hub_problem(np.random.default_rng(0), 4)
    reloading = replace(problem.vehicles[0], max_reloads=2)
    locked = replace(problem.shipments[0], vehicle_ids=frozenset({"bike 0.0"}))
    for change, field in (
        ({"vehicles": (reloading, *problem.vehicles[1:])}, "vehicles[0].max_reloads"),
        ({"vehicles": problem.vehicles[1:]}, "vehicles"),
        ({"shipments": (locked, *problem.shipments[1:])}, "shipments[0].vehicle_ids"),
        ({"hubs": (Hub("a", 1), Hub("a", 1))}, "hubs[1].id"),
        ({"hubs": (Hub("a", 7),)}, "hubs[0].depot_idx"),
        ({"hubs": (Hub("a", 1, capacity=(1, 2)),)}, "hubs[0].capacity"),
    ):
        with pytest.raises(InvalidProblemError) as error:
            replace(problem, **change)
        assert field in [one.field for one in error.value.findings]
    with pytest.raises(InvalidProblemError, match="hubs"):
        solve(problem, times, iterations=1)
