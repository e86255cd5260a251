"""Rests by the time driven: earliest ends equal those of trying everything, the validator finds every breach."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.rounds.api import (
    Break,
    DrivingRules,
    Plan,
    Problem,
    RoadRest,
    Shipment,
    TimeWindow,
    TravelTimes,
    Visit,
    build_plan,
    list_violations,
    solve,
)
from routing.rounds.arrays import build_arrays
from routing.rounds.errors import InvalidProblemError
from routing.rounds.plan import PlannedBreak
from routing.rounds.replan import merge, repair, residual
from routing.rounds.schedule import build_round
from routing.rounds.standing import stand, standing_vehicle
from tests.builders.rounds import delivery, line_times, problem, random_times, van
from tests.routing.rounds.reference_driving import earliest_end

HOUR = 3600.0
DAY = TimeWindow(0, 24 * HOUR)
SMALL = DrivingRules(300.0, 45.0, (15.0, 30.0), 900.0)


def _random(rng: np.random.Generator, n: int = 4, *, breaks: bool = False) -> Problem:
    """One vehicle with rules of a few minutes, deliveries some with windows."""
    orders = []
    for k in range(n):
        start = int(rng.integers(0, 900))
        window = (start, start + int(rng.integers(100, 900))) if rng.random() < 0.6 else None
        orders.append(delivery(f"o{k}", k + 1, window, int(rng.integers(0, 60))))
    rules = DrivingRules(
        float(rng.integers(150, 400)), 45.0, (15.0, 30.0) if rng.random() < 0.7 else None,
        float(rng.integers(400, 1200)) if rng.random() < 0.5 else None, bool(rng.random() < 0.5),
        float(rng.integers(0, 100)) if rng.random() < 0.3 else 0.0,
    )  # fmt: skip
    rests = (Break(200, 900, float(rng.choice([20.0, 35.0, 60.0]))),) if breaks else ()
    fleet = [van("v0", 10, TimeWindow(0, 3000), driving_rules=rules, breaks=rests)]
    return problem(n + 1, fleet, orders, TimeWindow(0, 3000))


def _square(rng: np.random.Generator, n: int, side: float = 400.0) -> TravelTimes:
    at = rng.uniform(0, side, (n, 2))
    metres = np.rint(np.hypot(at[:, None, 0] - at[None, :, 0], at[:, None, 1] - at[None, :, 1]))
    return TravelTimes.static(metres, metres)


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6), start=st.integers(0, 600), breaks=st.booleans(), wide=st.booleans())
def test_the_earliest_end_is_that_of_trying_everything(seed: int, start: int, breaks: bool, wide: bool) -> None:
    """Rests after services, in waits and on the road, in one or two parts, beside breaks; the validator agrees."""
    rng = np.random.default_rng(seed)
    asked, times = _random(rng, breaks=breaks), _square(rng, 5, 900.0 if wide else 400.0)
    route = tuple(int(v) for v in rng.permutation(4)[: rng.integers(1, 5)])
    found = build_round(build_arrays(asked, times), times.arrays, 0, route, float(start))
    expected = earliest_end(asked, times, asked.vehicles[0], route, float(start))
    if found is None:
        assert expected == math.inf
        return
    assert found.end_s == pytest.approx(expected, abs=1e-5)
    only = replace(asked, shipments=tuple(asked.shipments[v] for v in sorted(route)))
    place = {v: k for k, v in enumerate(sorted(route))}
    stops = tuple(replace(stop, visit_idx=place[stop.visit_idx]) for stop in found.stops)
    assert list_violations(only, times, Plan((replace(found, stops=stops),), (), found.cost)) == []


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6), breaks=st.booleans())
def test_plans_under_traffic_keep_the_rules(seed: int, breaks: bool) -> None:
    """Whatever the search makes, the validator passes it."""
    rng = np.random.default_rng(seed)
    asked, times = _random(rng, 5, breaks=breaks), random_times(rng, 6)
    asked = replace(asked, vehicles=(asked.vehicles[0], replace(asked.vehicles[0], id="v1")))
    assert list_violations(asked, times, solve(asked, times, iterations=20)) == []


def test_a_rest_in_two_parts_uses_the_wait_before_a_service() -> None:
    """Fifteen minutes while the first place is shut and thirty later take less than three quarters of an hour."""
    times = line_times([0, 4 * HOUR, 5 * HOUR])
    orders = [delivery("a", 1, (4.25 * HOUR, 5 * HOUR)), delivery("b", 2)]
    waits = DrivingRules(waiting_rests=True, max_daily_driving_s=None)
    for rules, ends in ((waits, 5.75 * HOUR), (replace(waits, waiting_rests=False), 6.0 * HOUR)):
        vehicle = replace(van("v", 2, DAY, driving_rules=rules), end_depot_idx=None)
        asked = problem(3, [vehicle], orders, DAY)
        one = build_round(build_arrays(asked, times), times.arrays, 0, [0, 1], 0.0)
        assert one is not None
        assert one.end_s == pytest.approx(ends)


def test_a_long_drive_is_interrupted_on_the_road() -> None:
    """Ten hours to the only stop: rests after four and a half and after nine, where they are said to be."""
    asked = problem(2, [van("v", 2, DAY, driving_rules=DrivingRules(max_daily_driving_s=None))], [delivery("a", 1)], DAY)
    vehicle = replace(asked.vehicles[0], end_depot_idx=None)
    asked, times = replace(asked, vehicles=(vehicle,)), line_times([0, 10 * HOUR])
    stop = build_plan(asked, times, [[0]]).rounds[0].stops[0]
    assert [rest.after_s for rest in stop.road_rests] == [4.5 * HOUR, 9 * HOUR]
    assert stop.arrival_s - stop.road_rests[0].start_s + 4.5 * HOUR == pytest.approx(11.5 * HOUR)


def test_daily_driving_leaves_orders_out_and_says_why() -> None:
    """Nine hours in the day do not reach a place six hours away and back; ten by choice neither, twelve do."""
    times = line_times([0, 6 * HOUR])
    for daily, served in ((9 * HOUR, 0), (10 * HOUR, 0), (12 * HOUR, 1)):
        fleet = [van("v", 2, DAY, driving_rules=DrivingRules(max_daily_driving_s=daily))]
        plan = solve(problem(2, fleet, [delivery("a", 1)], DAY), times, iterations=3)
        assert sum(len(one.stops) for one in plan.rounds) == served
        if not served:
            assert plan.unserved[0].reasons[0] == "duration"


LINE = line_times([0, 200, 400])
ASKED = problem(3, [van("v", 4, driving_rules=SMALL)], [delivery("a", 1, None, 10), delivery("b", 2, None, 10)])
FAR = line_times([0, 400])
ROAD = problem(2, [van("v", 4, driving_rules=SMALL)], [delivery("a", 1, None, 10)])


def _changed(plan: Plan, stop_idx: int, **values: Any) -> Plan:
    one = plan.rounds[0]
    stops = list(one.stops)
    stops[stop_idx] = replace(stops[stop_idx], **values)
    return replace(plan, rounds=(replace(one, stops=tuple(stops)),))


def test_the_validator_finds_every_breach() -> None:
    """Rests left out, too short, in waits, at the wrong place of the road; too much driving in the day."""
    plan, road_plan = build_plan(ASKED, LINE, [[0, 1]]), build_plan(ROAD, FAR, [[0]])
    assert list_violations(ASKED, LINE, plan) == []
    assert list_violations(ROAD, FAR, road_plan) == []
    resting = next(k for k, stop in enumerate(plan.rounds[0].stops) if stop.breaks_after)
    rest = plan.rounds[0].stops[resting].breaks_after[0]
    assert rest.by_rule
    short = (PlannedBreak(rest.start_s, rest.end_s - 20, True),)
    road = road_plan.rounds[0].stops[0].road_rests[0]
    moved = (RoadRest(road.after_s + 10, road.start_s, road.end_s),)
    tired = replace(ASKED, vehicles=(replace(ASKED.vehicles[0], driving_rules=replace(SMALL, max_daily_driving_s=700.0)),))
    free = replace(ASKED, vehicles=(replace(ASKED.vehicles[0], driving_rules=None),))
    waiting = (PlannedBreak(200.0, 245.0, True),)
    for asked, times, told, message in (
        (ASKED, LINE, _changed(plan, resting, breaks_after=()), "without a rest"),
        (ASKED, LINE, _changed(plan, resting, breaks_after=short), "without a rest"),
        (ASKED, LINE, _changed(plan, 0, start_s=400.0, breaks_before=waiting), "while it waits"),
        (ROAD, FAR, _changed(road_plan, 0, road_rests=moved), "on the road"),
        (ROAD, FAR, _changed(road_plan, 0, road_rests=()), "without a rest"),
        (tired, LINE, plan, "in the day"),
        (free, LINE, plan, "no rules"),
    ):
        found = list_violations(asked, times, told)
        assert any(message in text for text in found), (message, found)


def test_what_was_driven_counts_after_a_change() -> None:
    """Cut in the middle the rest keeps what the driver has driven, and the joined plan keeps the rules."""
    orders = [delivery(f"o{k}", k + 1, None, 10) for k in range(3)]
    times = line_times([0, 150, 280, 400])
    asked = problem(4, [van("v", 4, driving_rules=replace(SMALL, max_daily_driving_s=None))], orders)
    plan = build_plan(asked, times, [[0, 1, 2]])
    now = plan.rounds[0].stops[1].arrival_s + 1.0
    here = stand(asked, 0, plan.rounds[0], now, None)
    rules = standing_vehicle(asked, 0, here, 0)[0].driving_rules
    assert rules is not None
    assert rules.driven_today_s == pytest.approx(280.0)
    rest = residual(asked, plan, now)
    after, _ = repair(rest, times)
    joined = merge(asked, times, plan, rest, after)
    assert list_violations(asked, times, joined) == []
    assert joined.rounds[0].end_s == pytest.approx(plan.rounds[0].end_s)


def test_a_longest_ride_moves_the_rest_before_the_pickup() -> None:
    """The rest would make the ride too long, so that it is taken before the goods are on board."""
    pair = Shipment("p", (1,), Visit(1, 0), Visit(2, 0), max_ride_s=160.0)
    vehicle = replace(van("v", 4, driving_rules=SMALL), end_depot_idx=None)
    asked, times = problem(3, [vehicle], [pair]), line_times([0, 200, 350])
    one = build_plan(asked, times, [[0, 1]]).rounds[0]
    assert one.stops[0].breaks_before
    assert one.stops[1].start_s - one.stops[0].departure_s <= 160.0


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"max_driving_s": 0.0}, "max_driving_s"),
        ({"rest_s": math.nan}, "rest_s"),
        ({"split_s": (900.0, 9000.0)}, "split_s[1]"),
        ({"max_daily_driving_s": -1.0}, "max_daily_driving_s"),
        ({"driven_s": -1.0}, "driven_s"),
    ],
)
def test_bad_rules_are_named(values: dict[str, Any], field: str) -> None:
    """Every wrong number is refused by its field."""
    with pytest.raises(InvalidProblemError) as caught:
        DrivingRules(**values)
    assert caught.value.findings[0].field == field
