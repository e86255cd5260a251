"""Actuated control: gap-out, max-out, calls, skipped stages, rest in green."""

from dataclasses import replace

import numpy as np
import pytest

from traffic_lights.adaptive.reference import Actuated, ActuatedParams
from traffic_lights.adaptive.strategy import StageView
from traffic_lights.detection import Detection
from traffic_lights.errors import InvalidDetectionError, InvalidRequestError
from traffic_lights.guard_tables import build_tables
from traffic_lights.model.groups import SignalGroup, Stage
from traffic_lights.model.intersection import Intersection, Movement, Turn
from traffic_lights.model.plan import SignalPlan

FAR_S = 99.0


def _three_arms() -> Intersection:
    """Three groups that all conflict, one movement and one stage each."""
    conflicts = ~np.eye(3, dtype=bool)
    return Intersection(
        "three",
        tuple(SignalGroup(f"g{k}", max_green_s=90, max_red_s=200) for k in range(3)),
        conflicts,
        np.zeros((3, 3), bool),
        np.full((3, 3), 5, np.int32),
        tuple(Stage(f"s{k}", frozenset({k})) for k in range(3)),
        conflicts,
        (0, 1, 2),
        tuple(Movement(k, 10 + k, Turn.THROUGH, k, 1.0, 1800.0) for k in range(3)),
    )


def _seen(x: Intersection, waiting: set[int], gap_s: float = FAR_S) -> Detection:
    """One vehicle standing on every movement green in the stages `waiting`; `gap_s` on all extension detectors."""
    m = len(x.movements)
    queue = np.array([float(any(x.green[k, move.group] for k in waiting)) for move in x.movements], np.float32)
    zero = np.zeros(m, np.float32)
    return Detection(queue, zero, zero, zero + np.inf, np.zeros(m, np.int32), np.full(m, gap_s, np.float32))


def test_rests_without_calls_and_gaps_out_with_one() -> None:
    """Nobody waits elsewhere: it stays for ever. Somebody does: it leaves once the gap is as long as the passage time."""
    x = _three_arms()
    control = Actuated(x, build_tables(x))
    assert all(control.choose(StageView(0, t, t), _seen(x, set())) == 0 for t in range(6, 500))
    assert control.choose(StageView(0, 500, 500), _seen(x, {1}, gap_s=2.9)) == 0
    assert control.choose(StageView(0, 501, 501), _seen(x, {1}, gap_s=3.0)) == 1


def test_maxes_out_counted_from_the_first_call() -> None:
    """With a vehicle always on the detector the stage ends its longest green after the first call, not before."""
    x = _three_arms()
    control = Actuated(x, build_tables(x), ActuatedParams(longest_s=30))
    assert control.choose(StageView(0, 100, 100), _seen(x, {0}, gap_s=0)) == 0
    chosen = [control.choose(StageView(0, t, t), _seen(x, {0, 2}, gap_s=0)) for t in range(101, 140)]
    assert chosen.index(2) == 30
    again = Actuated(x, build_tables(x), ActuatedParams(longest_s=30))
    chosen = [again.choose(StageView(0, t, t), _seen(x, {0, 2}, gap_s=0)) for t in range(5, 40)]
    assert chosen.index(2) == 30 - 5, "a call that was there from the begin counts from the begin of green"


def test_stages_nobody_called_are_skipped() -> None:
    """The order of the rescue cycle, without the stages that serve no call."""
    x = _three_arms()
    for called, expected in (({1, 2}, 1), ({2}, 2), ({0}, 0)):
        assert Actuated(x, build_tables(x)).choose(StageView(0, 20, 20), _seen(x, called)) == expected


def test_longest_green_follows_the_plan() -> None:
    """With a plan the longest green of a stage is a multiple of its green there."""
    x = _three_arms()
    tables = build_tables(x)
    plan = SignalPlan((0, 1, 2), (0, 40, 60), 80)
    control = Actuated(x, tables, ActuatedParams(plan_factor=1.5), plan)
    green_s = 40 - int(tables.transition_s[2, 0])
    chosen = [control.choose(StageView(0, t, t), _seen(x, {0, 1}, gap_s=0)) for t in range(5, 90)]
    assert chosen.index(1) + 5 == int(np.ceil(1.5 * green_s))


def test_permissive_turns_call_only_when_they_stand() -> None:
    """A left turn that may go giving way calls its own stage when it stands, not when it merely comes near."""
    x = _three_arms()
    yields = np.zeros((3, 3), bool)
    yields[1, 0] = True
    stages = (Stage("both", frozenset({0, 1})), Stage("turn", frozenset({1})))
    pair = slice(0, 2)
    groups = (x.groups[0], replace(x.groups[1], max_green_s=None))
    x = Intersection(
        "left", groups, np.zeros((2, 2), bool), yields[pair, pair], x.intergreen_s[pair, pair], stages,
        ~np.eye(2, dtype=bool), (0, 1), x.movements[pair],
    )  # fmt: skip
    none, one = np.zeros(2, np.float32), np.array([0.0, 1.0], np.float32)
    rest = (none, none + np.inf, np.zeros(2, np.int32), none + np.float32(FAR_S))
    for standing, coming, expected in ((none, one, 0), (one, none, 1)):
        assert Actuated(x, build_tables(x)).choose(StageView(0, 20, 20), Detection(standing, coming, *rest)) == expected


def test_without_extension_detectors_presence_extends() -> None:
    """Where no gap is reported any vehicle in range extends; impossible gaps and parameters are refused."""
    x = _three_arms()
    full = _seen(x, {0, 1})
    bare = Detection(full.queue_veh, full.approaching_veh, full.downstream_veh, full.downstream_space_veh, full.age_s)
    assert Actuated(x, build_tables(x)).choose(StageView(0, 20, 20), bare) == 0
    with pytest.raises(InvalidDetectionError):
        _seen(x, {0}, gap_s=-1.0)
    with pytest.raises(InvalidDetectionError):
        _seen(x, {0}, gap_s=float("nan"))
    for bad in ({"passage_s": 0.0}, {"longest_s": 0}, {"plan_factor": float("nan")}, {"permissive_call_veh": -1.0}):
        with pytest.raises(InvalidRequestError):
            ActuatedParams(**bad)
