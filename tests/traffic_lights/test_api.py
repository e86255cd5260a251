"""The controller: modes, stale detection, operator, priority, faults."""

from dataclasses import replace

import numpy as np
import pytest

from tests.builders.signals import find_violations, junction, limits_of
from traffic_lights.api import Controller, Mode, Source, check_plan
from traffic_lights.build import build_intersection
from traffic_lights.detection import Detection
from traffic_lights.errors import InvalidDetectionError, InvalidPlanError, InvalidRequestError
from traffic_lights.model.intersection import Intersection
from traffic_lights.model.plan import SignalPlan
from traffic_lights.priority import PriorityClass, PriorityRequest

PLAN = SignalPlan((0, 1), (0, 40), 80)


def _crossroads() -> Intersection:
    return build_intersection(junction(0, 90, 180, 270))


def _seen(x: Intersection, stage: int, age_s: int = 0) -> Detection:
    """Ten vehicles on every movement that is green in `stage`."""
    m = len(x.movements)
    queue = np.array([10.0 if x.green[stage, k.group] else 0.0 for k in x.movements], np.float32)
    zero = np.zeros(m, np.float32)
    return Detection(queue, zero, zero, np.full(m, np.inf, np.float32), np.full(m, age_s, np.int32))


def test_active_follows_detection_and_shadow_only_says_so() -> None:
    """With a queue on one street only, ACTIVE stays there past the plan; SHADOW proposes it and runs the plan."""
    x = _crossroads()
    active, shadow, fixed = (Controller(x, PLAN, mode) for mode in (Mode.ACTIVE, Mode.SHADOW, Mode.FIXED))
    plan_states, shadow_states, proposals = [], [], set()
    for t in range(80):
        decision = active.step(t, _seen(x, 0))
        shown = shadow.step(t, _seen(x, 0))
        shadow_states.append(shown.command.aspects)
        plan_states.append(fixed.step(t).command.aspects)
        proposals.add(shown.proposal)
        assert shown.source is not Source.ADAPTIVE
    assert decision.source is Source.ADAPTIVE
    assert decision.command.stage == 0
    assert shadow_states == plan_states
    assert proposals >= {0}


def test_stale_detection_falls_back_to_the_plan_and_recovers() -> None:
    """One old detector is enough to fall back; the strategy returns after the recovery time, not at once."""
    x = _crossroads()
    controller = Controller(x, PLAN, Mode.ACTIVE)
    sources = []
    for t in range(100):
        seen = _seen(x, 0)
        if 30 <= t < 50:
            seen.age_s[0] = 11
        sources.append(controller.step(t, seen).source)
    assert set(sources[10:30]) == {Source.ADAPTIVE}
    assert set(sources[30:50]) <= {Source.FALLBACK, Source.RESCUE}
    assert Source.FALLBACK in sources[60:65]
    assert sources[70] is Source.ADAPTIVE
    assert controller.step(100, None).source is Source.FALLBACK


def test_operator_holds_a_stage_within_the_limits() -> None:
    """An override wins over plan and strategy, ends by itself, and never beats a maximum red."""
    x = _crossroads()
    controller = Controller(x, PLAN, Mode.ACTIVE)
    states = []
    for t in range(600):
        if t == 20:
            controller.override(1, 420)
        decision = controller.step(t, _seen(x, 0))
        states.append(decision.command.aspects)
        if t == 60:
            assert (decision.source, decision.command.stage) == (Source.OPERATOR, 1)
    assert find_violations(limits_of(x), states) == []
    assert controller.intervention_count > 0
    assert controller.override_in_force is None
    with pytest.raises(InvalidRequestError):
        controller.override(9, 10)


@pytest.mark.parametrize("arrival_s", [25, 33, 47, 61, 75])
def test_emergency_vehicle_meets_green(arrival_s: int) -> None:
    """An emergency vehicle announced 25 s ahead finds its group green, whatever the plan shows, and no limit is passed."""
    x = _crossroads()
    controller, group = Controller(x, PLAN), next(m.group for m in x.movements if x.green[1, m.group])
    states = []
    for t in range(200):
        if t == arrival_s + 75:
            controller.request_priority(PriorityRequest("e", group, arrival_s + 100, PriorityClass.EMERGENCY))
        states.append(controller.step(t).command.aspects)
    assert states[arrival_s + 100][group] in (2, 3)
    assert find_violations(limits_of(x), states) == []


def test_wrong_input_is_refused_without_stepping() -> None:
    """Detections of another intersection, NaN, unknown stages and groups are errors."""
    x = _crossroads()
    controller = Controller(x, PLAN, Mode.ACTIVE)
    with pytest.raises(InvalidDetectionError):
        Detection(*(np.array([np.nan], np.float32),) * 4, np.zeros(1, np.int32))
    with pytest.raises(InvalidDetectionError):
        controller.step(0, Detection(*(np.zeros(1, np.float32),) * 4, np.zeros(1, np.int32)))
    with pytest.raises(InvalidPlanError):
        controller.set_plan(SignalPlan((0, 7), (0, 40), 80))
    with pytest.raises(InvalidRequestError):
        controller.request_priority(PriorityRequest("x", 99, 10))
    assert check_plan(x, SignalPlan((0, 1), (0, 4), 80))


def test_infinite_counts_and_a_clock_set_back() -> None:
    """Infinite counts are refused; after the clock was set back trust is regained in the usual time, not in hours."""
    x = _crossroads()
    seen = _seen(x, 0)
    with pytest.raises(InvalidDetectionError, match="finite"):
        replace(seen, queue_veh=seen.queue_veh + np.inf)
    controller = Controller(x, PLAN, Mode.ACTIVE)
    for t in range(5000, 5020):
        assert controller.step(t, None).source is not Source.ADAPTIVE
    sources = [controller.step(t, seen).source for t in range(100, 140)]
    assert sources[-1] is Source.ADAPTIVE
    assert Source.ADAPTIVE not in sources[:15]


def test_a_fault_stops_the_guard_and_ends_with_the_start_up() -> None:
    """While the equipment reports a fault nothing is decided; afterwards control begins in all-red."""
    x = _crossroads()
    controller = Controller(x, PLAN)
    before = [controller.step(t).command.aspects for t in range(30)][-1]
    controller.set_fault(True, 30)
    assert {controller.step(t).command.aspects for t in range(30, 60)} == {before}
    assert controller.step(60).source is Source.FALLBACK
    controller.set_fault(False, 61)
    after = controller.step(61)
    assert (after.command.stage, after.command.aspects, after.source) == (-1, bytes(len(x.groups)), Source.RESCUE)
    assert after.reason == "start-up: the fault is over"
