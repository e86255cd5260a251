"""Plans kept in memory while they are driven: orders inserted, events taken in, the frozen part left alone."""

import contextlib

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from routing.kernels.rounds_times import NO_WAY_S
from routing.rounds.api import Break, DeliveryRound, Problem, Shipment, TimeWindow, TravelTimes, Visit, list_violations, solve
from routing.rounds.errors import InvalidProblemError, UnknownIdError
from routing.rounds.growing import GrowingTimes
from routing.rounds.live import LivePlan
from routing.rounds.replan import insert_shipment, residual
from routing.rounds.stability import Stability
from routing.rounds.standing import frozen_stops
from tests.builders.rounds import delivery, line_times, problem, random_problem, random_times, van

PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
"""A failing day is not shrunk: every example is a whole plan."""


def _drawn(seed: int, n: int = 10, *, breaks: bool = False) -> tuple[Problem, TravelTimes, LivePlan]:
    """A drawn problem planned in few iterations, driven for a while."""
    rng = np.random.default_rng(seed)
    times = random_times(rng, n + 4)
    drawn = random_problem(rng, n, 3, breaks=breaks)
    pairs = tuple(
        Shipment(f"p{k}", (1,), Visit(int(rng.integers(1, n + 1)), 10), Visit(int(rng.integers(1, n + 1)), 10))
        for k in range(2)
    )
    whole = Problem(n + 4, drawn.depots, drawn.vehicles, (*drawn.shipments, *pairs))
    plan = solve(whole, times, iterations=30, seed=seed)
    return whole, times, LivePlan(whole, times, plan, float(rng.integers(-200, 1200)), room=3)


def _frozen(live: LivePlan) -> dict[int, list[tuple[int, float]]]:
    return {r: [(stop.visit_idx, stop.departure_s) for stop in here.done] for r, here in enumerate(live.standing)}


@settings(max_examples=10, deadline=None, phases=PHASES)
@given(seed=st.integers(0, 10_000), breaks=st.booleans())
def test_any_day_stays_valid(seed: int, breaks: bool) -> None:
    """Whatever happens: every free part passes the validator, every order is served once or told why not.

    What was frozen keeps its place and times but where its own vehicle was reported on.
    """
    whole, _, live = _drawn(seed, breaks=breaks)
    rng = np.random.default_rng(seed + 1)
    for k in range(10):
        before, clock = _frozen(live), live.now_s
        spared: set[int] = set()
        match int(rng.integers(0, 8)):
            case 0 | 1:
                at = int(rng.integers(1, whole.location_count))
                one = delivery(f"n{k}", at) if rng.random() < 0.5 else Shipment(f"n{k}", (1,), pickup=Visit(at, 20))
                live.insert(one, dry_run=bool(rng.random() < 0.3))
            case 2:
                spared = set(range(3))
                live.remove(int(rng.integers(0, len(live.problem.shipments))))
            case 3:
                late = int(rng.integers(0, 3))
                spared = {late}
                live.delay(late, float(rng.integers(0, 500)))
            case 4:
                live.advance(live.now_s + float(rng.integers(0, 300)))
            case 5:
                slots = live.times.times.arrays.slot_s
                slots[:, :, 1:4, 1:4] += np.int32(rng.integers(0, 60))
                np.einsum("pkii->pki", slots)[:] = 0
                live.times_changed(Stability(5.0, 0.1))
            case 6:
                r = int(rng.choice(sorted(live.rounds))) if live.rounds else 0
                stops = live.rounds[r].stops if r in live.rounds else ()
                spared = {r}
                for stop in stops[: int(rng.integers(1, 5))]:
                    with contextlib.suppress(UnknownIdError):
                        live.complete(stop.visit_idx, live.now_s - float(rng.integers(0, 60)))
            case _ if rng.random() < 0.3:
                live.break_down(int(rng.integers(0, 3)))
            case _:
                pass
        live.check()
        assert live.evaluate() < np.inf
        assert live.now_s >= clock
        for r, stops in before.items():
            assert r in spared or _frozen(live)[r][: len(stops)] == stops


@settings(max_examples=8, deadline=None, phases=PHASES)
@given(seed=st.integers(0, 10_000))
def test_an_insertion_is_that_of_the_problem_made_anew(seed: int) -> None:
    """Inserted in place or into arrays built from what is left of the problem: the same change of cost."""
    whole, times, live = _drawn(seed)
    plan, new = live.plan, delivery("new", whole.location_count - 1, service=30)
    more = Problem(whole.location_count, whole.depots, whole.vehicles, (*whole.shipments, new))
    rest = residual(more, plan, live.now_s, length_m=times.length_m)
    slow = insert_shipment(rest, times, len(more.shipments) - 1)
    fast = live.insert(new)
    assert fast.vehicle_idx == slow.vehicle_idx
    if fast.vehicle_idx is not None:
        assert list_violations(more, times, live.plan) == [] or live.now_s > 0
        assert set(fast.after) == {fast.vehicle_idx}


def test_a_new_location_is_reached_by_its_row_and_column() -> None:
    """Times from and to a location that joined are those given, also beyond the room kept."""
    rng = np.random.default_rng(3)
    whole = random_times(rng, 9)
    part = TravelTimes.slots(whole.arrays.slot_start_s, whole.arrays.slot_s[0, :, :6, :6], whole.arrays.length_m[0, :6, :6])
    growing = GrowingTimes(part, 2)
    for n in range(6, 9):
        row, column = whole.arrays.slot_s[:, :, n, : n + 1], whole.arrays.slot_s[:, :, : n + 1, n]
        metres = whole.arrays.length_m[:, n, : n + 1], whole.arrays.length_m[:, : n + 1, n]
        assert growing.add(row, column, metres) == n
    for t in (-50.0, 310.0, 900.0, 5000.0):
        for i, j in ((8, 0), (2, 7), (6, 8), (8, 8)):
            assert growing.times.arrival_s(0, i, j, t) == pytest.approx(whole.arrival_s(0, i, j, t), abs=1e-9)
    assert growing.times.length_m(0, 8, 3) == whole.length_m(0, 8, 3)
    assert (growing.times.arrays.matrix_s[0, :9, :9] == whole.arrays.matrix_s[0]).all()
    with pytest.raises(InvalidProblemError, match="shape"):
        growing.add(np.zeros((1, 2, 3)), np.zeros((1, 2, 3)))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_rows_are_made_first_in_first_out_as_whole_tables_are(seed: int) -> None:
    """Any durations, also with no way in some slots: a location that joins gets what the table made at once has."""
    rng = np.random.default_rng(seed)
    starts, durations = np.array([0.0, 300.0, 450.0]), rng.integers(0, 2000, (1, 3, 4, 4)).astype(np.int32)
    durations[rng.random(durations.shape) < 0.1] = NO_WAY_S
    np.einsum("pkii->pki", durations)[:] = 0
    whole = TravelTimes.slots(starts, durations)
    growing = GrowingTimes(TravelTimes.slots(starts, durations[:, :, :3, :3]), 1)
    growing.add(durations[:, :, 3, :4], durations[:, :, :4, 3])
    np.testing.assert_array_equal(growing.times.arrays.slot_s[:, :, :4, :4], whole.arrays.slot_s)
    np.testing.assert_array_equal(growing.times.arrays.matrix_s[:, :4, :4], whole.arrays.matrix_s)


def _two_vans(now_s: float) -> tuple[LivePlan, Problem]:
    orders = [delivery(f"o{k}", k, (0, 400), 10) for k in range(1, 5)]
    whole = problem(5, [van("one", 4), van("two", 4)], orders)
    times = line_times([0, 100, 200, -100, -200])
    plan = solve(whole, times, iterations=50)
    return LivePlan(whole, times, plan, now_s), whole


def _round_with(live: LivePlan, name: str) -> DeliveryRound:
    return next(
        one
        for one in live.rounds.values()
        for stop in one.stops
        if live.problem.shipments[live.problem.visits[stop.visit_idx][0]].id == name
    )


def test_a_delay_before_the_start_moves_orders_to_who_is_in_time() -> None:
    """Held at the depot until it is too late for its windows, a van's orders go to the other one."""
    live, _ = _two_vans(-10.0)
    late = _round_with(live, "o1").vehicle_idx
    change = live.delay(late, 1000.0)
    live.check()
    assert change.moved
    assert late not in live.rounds
    assert not live.unserved or all("o" in one.message for one in live.unserved.values())


def test_a_vehicle_behind_its_plan_shifts_what_follows() -> None:
    """Reached 50 s later, the next stop is left 50 s later, and so on; a second report corrects the first."""
    live, _ = _two_vans(-10.0)
    r = _round_with(live, "o1").vehicle_idx
    live.advance(live.rounds[r].departure_s + 1.0)
    was = live.rounds[r]
    live.reach(r, was.stops[0].arrival_s + 50.0)
    assert [stop.arrival_s for stop in live.rounds[r].stops] == pytest.approx([stop.arrival_s + 50.0 for stop in was.stops])
    live.reach(r, was.stops[0].arrival_s)
    assert live.rounds[r].end_s == pytest.approx(was.end_s)
    with pytest.raises(UnknownIdError, match="not set off"):
        _two_vans(-10.0)[0].reach(0, 10.0)


def test_a_stop_left_late_shifts_what_follows_and_frees_what_was_not_reached() -> None:
    """Told to have left its first stop long after the plan, a van is not taken to be further than the next one."""
    live, _ = _two_vans(-10.0)
    r = next(r for r, one in live.rounds.items() if len(one.stops) > 1)
    was = live.rounds[r]
    live.advance(was.end_s + 1000.0)
    assert len(live.standing[r].done) == len(was.stops)
    live.complete(was.stops[0].visit_idx, live.now_s - 5.0)
    live.check()
    now = live.rounds[r]
    assert now.stops[0].departure_s == live.now_s - 5.0
    assert len(live.standing[r].done) == 2
    drives = was.stops[1].arrival_s - was.stops[0].departure_s
    assert now.stops[1].arrival_s == pytest.approx(live.now_s - 5.0 + drives)


def test_a_stop_done_before_its_turn_comes_first() -> None:
    """The driver went the other way round: what was skipped follows, nothing is lost, and the vehicle goes on from there."""
    live, whole = _two_vans(-10.0)
    r = next(r for r, one in live.rounds.items() if len(one.stops) > 1)
    first, second = live.rounds[r].stops[:2]
    live.advance(first.arrival_s - 1.0)
    live.complete(second.visit_idx, live.now_s)
    live.check()
    stops = live.rounds[r].stops
    assert [stop.visit_idx for stop in stops[:2]] == [second.visit_idx, first.visit_idx]
    assert stops[0].departure_s == live.now_s
    assert stops[1].arrival_s > live.now_s
    assert live.standing[r].location_idx == whole.visit(second.visit_idx).location_idx


def test_a_delivery_before_its_pickup_is_refused() -> None:
    """Nobody delivers what was not picked up; told in order, both are taken."""
    pair = Shipment("pair", (1,), Visit(1, 10), Visit(2, 10))
    whole, times = problem(3, [van("one", 4)], [pair]), line_times([0, 100, 200])
    live = LivePlan(whole, times, solve(whole, times, iterations=10), -10.0)
    pickup, drop = live.rounds[0].stops
    live.advance(live.rounds[0].departure_s + 1.0)
    with pytest.raises(UnknownIdError, match="not picked up"):
        live.complete(drop.visit_idx, live.now_s)
    live.complete(pickup.visit_idx, live.now_s)
    live.complete(drop.visit_idx, live.now_s)
    live.check()
    assert [stop.departure_s for stop in live.rounds[0].stops] == [live.now_s, live.now_s]


def test_goods_on_board_of_a_broken_vehicle_are_lost() -> None:
    """Nobody else can hand over what is in the van; what was not loaded yet is."""
    live, whole = _two_vans(-10.0)
    r = _round_with(live, "o1").vehicle_idx
    live.advance(live.rounds[r].departure_s + 1.0)
    change = live.break_down(r)
    live.check()
    assert change.lost
    assert all("on board" in one.message for one in change.lost)
    assert {one.shipment_idx for one in change.lost} == set(change.moved)
    assert len(whole.shipments) == 4


def test_a_refused_order_is_driven_past() -> None:
    """On its way to an order that is no longer wanted, a van sets off for the next one."""
    live, whole = _two_vans(-10.0)
    r = next(r for r, one in live.rounds.items() if len(one.stops) > 1)
    first, second = live.rounds[r].stops[:2]
    live.advance(live.rounds[r].departure_s + 1.0)
    live.remove(whole.visits[first.visit_idx][0])
    live.check()
    assert live.rounds[r].stops[0].visit_idx == second.visit_idx
    assert live.rounds[r].stops[0].arrival_s <= second.arrival_s + 1.0


def test_a_break_is_taken_once() -> None:
    """A rest behind the vehicle does not come again, one before it does."""
    rest = Break(100, 200, 50)
    whole = problem(3, [van("one", 4, breaks=(rest,))], [delivery("a", 1, None, 10), delivery("b", 2, (600, 900), 10)])
    times = line_times([0, 90, 180])
    plan = solve(whole, times, iterations=20)
    live = LivePlan(whole, times, plan, -10.0)
    live.advance(live.rounds[0].stops[1].departure_s - 1.0)
    live.insert(Shipment("c", (1,), pickup=Visit(1, 5)))
    live.check()
    taken = [pause for stop in live.rounds[0].stops for pause in (*stop.breaks_before, *stop.breaks_after)]
    assert len(taken) <= 1
    assert frozen_stops(live.rounds[0], 1e9) == live.rounds[0].stops


def test_stability_costs_moves_and_shifts() -> None:
    """An order with another vehicle and one that comes later cost what was said; nothing by default."""
    live, whole = _two_vans(-10.0)
    before = live.plan
    live.delay(_round_with(live, "o1").vehicle_idx, 30.0)
    after = live.plan
    assert Stability().cost(whole, before, after) == 0.0
    assert Stability(move_cost=7.0).cost(whole, before, before) == 0.0
    assert Stability(shift_cost_per_s=2.0).cost(whole, before, after) > 0.0
    with pytest.raises(InvalidProblemError, match="move_cost"):
        Stability(move_cost=-1.0)


def test_an_order_that_fits_nowhere_is_told_and_forgotten() -> None:
    """Larger than any van: the reason is said, and the plan is as before."""
    live, whole = _two_vans(-10.0)
    before = live.plan
    change = live.insert(Shipment("big", (99,), delivery=Visit(1, 5, (TimeWindow(0, 400),))))
    assert change.vehicle_idx is None
    assert change.lost[0].reasons[0] == "capacity"
    assert live.plan == before
    assert live.problem is whole
