"""Webster's method gives the numbers of the textbook, and plans the guard need not change."""

import numpy as np
import pytest

from tests.builders.corridors import corridor, demand_of
from tests.builders.signals import junction
from traffic_lights.api import check_plan
from traffic_lights.build import build_intersection
from traffic_lights.errors import InvalidPlanError
from traffic_lights.offline.webster import build_webster_plan, compute_delay_s, compute_webster


def test_textbook_example() -> None:
    """Khanna and Justo, Highway Engineering: 400 of 1250 and 250 of 1000 veh/h, 16 s lost: cycle 67.4 s."""
    times = compute_webster((400 / 1250, 250 / 1000), 16.0)
    assert times.cycle_s == pytest.approx(67.4, abs=0.1)
    assert times.greens_s[0] == pytest.approx(28.9, abs=0.1)
    assert times.greens_s[1] == pytest.approx(22.6, abs=0.1)


def test_cycle_is_clipped_when_demand_exceeds_capacity() -> None:
    """Flow ratios of one or more give the longest cycle, not a negative one."""
    times = compute_webster((0.6, 0.6), 10.0, max_cycle_s=100.0)
    assert times.cycle_s == 100.0
    assert sum(times.greens_s) == pytest.approx(90.0)


@pytest.mark.parametrize("seed", range(12))
def test_guard_leaves_webster_plans_unchanged(seed: int) -> None:
    """Plans for drawn junctions and demands run through the guard exactly as written, and fill their cycle."""
    rng = np.random.default_rng(seed)
    bearings = sorted(rng.choice(12, size=rng.integers(2, 5), replace=False) * 30.0)
    x = build_intersection(junction(*bearings, lanes=int(rng.integers(1, 4))))
    result = build_webster_plan(x, rng.uniform(0, 250, len(x.movements)), max_cycle_s=150)
    assert check_plan(x, result.plan) == []


def test_more_demand_gets_more_green() -> None:
    """Doubling the demand of one street moves green to it."""
    network = corridor(1)
    x = network.intersections[0]
    few = build_webster_plan(x, demand_of(network, 0, 400, 300), cycle_s=80).plan
    many = build_webster_plan(x, demand_of(network, 0, 1200, 300), cycle_s=80).plan

    def seconds(plan: object, stage: int) -> int:
        return sum(plan.stage_at(t) == stage for t in range(80))  # type: ignore[attr-defined]

    main = next(k for k in range(len(x.stages)) if x.green[k, next(m.group for m in x.movements if m.approach == 0)])
    assert seconds(many, main) > seconds(few, main) + 5


def test_delay_formula_at_low_flow_is_the_uniform_red() -> None:
    """With hardly any vehicles the mean delay is red² / (2 cycle)."""
    assert compute_delay_s(60, 30, 1e-6, 1800) == pytest.approx(30 * 30 / (2 * 60), rel=1e-3)


def test_bad_demand_is_refused() -> None:
    """A demand of the wrong length or below zero is an error that names the field."""
    x = build_intersection(junction(0, 90, 180, 270))
    with pytest.raises(InvalidPlanError) as caught:
        build_webster_plan(x, np.array([-1.0]))
    assert caught.value.field == "demand"
