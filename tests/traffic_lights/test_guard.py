"""The guard keeps every limit whatever a controller asks, proved by a checker that shares no code with it."""

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from tests.builders.signals import find_violations, junction, limits_of
from traffic_lights.build import BuildLimits, build_intersection
from traffic_lights.errors import InvalidIntersectionError, SignalsError, UnsafeIntersectionError
from traffic_lights.guard import Guard, Verdict
from traffic_lights.model.groups import SignalGroup, Stage
from traffic_lights.model.intersection import Intersection

GARBAGE: list[Any] = [
    None,
    -1,
    99,
    1 << 70,
    0.5,
    float("nan"),
    "s1",
    b"\x00",
    True,
    [],
    {},
    object(),
    np.int64(1),
    np.float64(0),
]


def random_intersection(seed: int) -> Intersection | None:
    """Groups, conflicts, permissive pairs, intergreens, stages and transitions drawn at random; None if they contradict."""
    rng = random.Random(seed)
    n = rng.randint(2, 7)
    conflicts, yields = np.zeros((n, n), bool), np.zeros((n, n), bool)
    for i in range(n):
        for j in range(i):
            kind = rng.random()
            if kind < 0.5:
                conflicts[i, j] = conflicts[j, i] = True
            elif kind < 0.65:
                yields[(i, j) if rng.random() < 0.5 else (j, i)] = True
    groups = tuple(
        SignalGroup(f"g{i}", clearing_s=rng.randint(0, 5), min_green_s=rng.randint(1, 9), max_green_s=rng.choice([25, 40, 80]),
                    max_red_s=rng.choice([90, 120, 200]))
        for i in range(n)
    )  # fmt: skip
    intergreen = np.array([[groups[i].clearing_s + rng.randint(0, 8) for _ in range(n)] for i in range(n)], np.int32)
    stages: list[Stage] = []
    for first in range(n):
        members: set[int] = set()
        for g in [first, *rng.sample(range(n), n)]:
            if not conflicts[g, list(members)].any() and (g == first or rng.random() < 0.8):
                members.add(g)
        if frozenset(members) not in [s.groups for s in stages]:
            stages.append(Stage(f"s{first}", frozenset(members)))
    transitions = np.array([[rng.random() < 0.7 for _ in stages] for _ in stages])
    cycle = tuple(range(len(stages)))
    for a in cycle:
        transitions[a, (a + 1) % len(cycle)] = True
    try:
        x = Intersection("drawn", groups, conflicts, yields, intergreen, tuple(stages), transitions, cycle)
        Guard(x)
    except (InvalidIntersectionError, UnsafeIntersectionError):
        return None
    return x


def attack(x: Intersection, seed: int, seconds: int) -> list[bytes]:
    """Run the guard under a controller that alternates garbage, holding, flapping and random stages."""
    rng = random.Random(seed)
    guard = _start(x, rng.randrange(len(x.stages)))
    states, mood, stage = [], 0, 0
    for second in range(seconds):
        if rng.random() < 0.02:
            mood, stage = rng.randrange(4), rng.randrange(len(x.stages))
        request = (rng.choice(GARBAGE), stage, rng.randrange(len(x.stages)), None)[mood]
        states.append(guard.step(second, request).aspects)
    return states


def _start(x: Intersection, stage: int) -> Guard:
    """Start a guard in a stage, or in the first one its maximum reds allow to start in."""
    try:
        return Guard(x, stage)
    except UnsafeIntersectionError:
        return Guard(x, 0)


def test_ten_thousand_malicious_commands_on_drawn_intersections() -> None:
    """10 000 random commands over intersections drawn at random lead to no violation."""
    attacked, seed = 0, 0
    while attacked < 20:
        seed += 1
        x = random_intersection(seed)
        if x is None:
            continue
        attacked += 1
        assert find_violations(limits_of(x), attack(x, seed, 500)) == []


@settings(max_examples=25)
@given(
    bearings=st.lists(st.integers(0, 11), min_size=1, max_size=5, unique=True),
    lanes=st.integers(1, 4),
    all_red_s=st.integers(0, 3),
    min_green_s=st.integers(1, 12),
    seed=st.integers(0, 10**6),
)
def test_malicious_commands_on_built_junctions(
    bearings: list[int], lanes: int, all_red_s: int, min_green_s: int, seed: int
) -> None:
    """No violation on junctions built from any geometry, with pedestrians and permissive turns.

    A geometry or limits that make no safe junction are refused when it is built, never guarded half-heartedly.
    """
    limits = BuildLimits(min_green_s, 90, 120, all_red_s)
    try:
        x = build_intersection(junction(*(30.0 * b for b in bearings), lanes=lanes), limits)
        Guard(x, 0)
    except SignalsError:
        reject()
    assert find_violations(limits_of(x), attack(x, seed, 700)) == []


def test_checker_finds_planted_violations() -> None:
    """The checker itself sees each kind of violation (else its silence would prove nothing)."""
    x = build_intersection(junction(0, 90, 180, 270))
    limits = limits_of(x)
    good = attack(x, 1, 400)
    conflicting = next(j for j in range(len(x.groups)) if x.conflicts[0, j])
    t = next(t for t in range(50, 400) if good[t][0] in (2, 3) and good[t - 1][0] in (2, 3))
    both = bytearray(good[t])
    both[conflicting] = 2
    assert any("together" in v for v in find_violations(limits, [*good[:t], bytes(both), *good[t + 1 :]]))
    dark = bytearray(good[t])
    dark[0] = 0
    assert any("no clearing" in v for v in find_violations(limits, [*good[:t], bytes(dark), *good[t + 1 :]]))
    assert any("red of" in v for v in find_violations(limits, [good[t]] * 400))
    assert any("too long" in v for v in find_violations(limits, [good[t]] * 400))


def test_maximum_red_forces_a_change_as_late_as_possible() -> None:
    """A controller that only holds is overruled just in time: the waiting group turns green at its maximum red."""
    x = build_intersection(junction(0, 90, 180, 270, pedestrian_crossings=False), BuildLimits(max_green_s=500, max_red_s=100))
    guard = Guard(x, 0, 0)
    forced = [second for second in range(400) if guard.step(second, 0).verdict is Verdict.FORCED]
    assert forced, "the guard never intervened"
    guard, reds = Guard(x, 0, 0), [0] * len(x.groups)
    longest = 0
    for second in range(400):
        aspects = guard.step(second, 0).aspects
        reds = [0 if a in (2, 3) else r + 1 for a, r in zip(aspects, reds, strict=True)]
        longest = max(longest, *reds)
    assert 80 <= longest <= 100


def test_step_is_deterministic() -> None:
    """Same intersection, same requests, same states."""
    x = build_intersection(junction(0, 90, 180, 270, lanes=3))
    assert attack(x, 7, 500) == attack(x, 7, 500)


def test_contradicting_limits_are_refused() -> None:
    """Limits that cannot all be kept are an error before the first second, not a violation after it."""
    conflict = np.array([[False, True], [True, False]])
    groups = (SignalGroup("a", min_green_s=50, max_red_s=40), SignalGroup("b", min_green_s=50, max_red_s=40))
    stages = (Stage("A", frozenset({0})), Stage("B", frozenset({1})))
    x = Intersection(
        "x", groups, conflict, np.zeros((2, 2), bool), np.full((2, 2), 5, np.int32), stages, np.ones((2, 2), bool), (0, 1)
    )
    with pytest.raises(UnsafeIntersectionError, match="rescue cycle cannot keep"):
        Guard(x)
    with pytest.raises(InvalidIntersectionError, match="which conflict"):
        Intersection(
            "x", groups, conflict, np.zeros((2, 2), bool), np.full((2, 2), 5, np.int32),
            (Stage("AB", frozenset({0, 1})),), np.ones((1, 1), bool), (0,),
        )  # fmt: skip
