"""The guard under stalls, restarts, lost commands, wrong reports and clocks that jump, proved by the independent checker.

A street is kept beside the guard: it shows what it was told last for as long as nobody tells it anything else, in real
seconds that the guard never sees. What the street showed is what is checked.
"""

import random
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from tests.builders.signals import find_violations, junction, limits_of
from tests.traffic_lights.test_guard import GARBAGE, random_intersection
from traffic_lights.build import build_intersection
from traffic_lights.errors import SignalsError
from traffic_lights.guard import TRUST_GAP_S, Guard, Resumption, Verdict
from traffic_lights.model.groups import SignalGroup, Stage
from traffic_lights.model.intersection import Intersection


@dataclass
class Piece:
    """What a street showed, second by second, while it was known: `lost` and `resumed` are positions in `states`."""

    states: list[bytes] = field(default_factory=list)
    lost: set[int] = field(default_factory=set)
    resumed: set[int] = field(default_factory=set)

    def hold(self, seconds: int) -> None:
        """The lamps stay as they are."""
        for _ in range(seconds if self.states else 0):
            self.lost.add(len(self.states))
            self.states.append(self.states[-1])


@dataclass
class Attack:
    """A malicious controller, a bad clock and a service that dies, against one intersection."""

    x: Intersection
    rng: random.Random
    guard: Guard = field(init=False)
    clock_s: int = 1000
    pieces: list[Piece] = field(default_factory=lambda: [Piece()])
    events: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.guard = Guard(self.x)

    def run(self, seconds: int) -> None:
        """Run with an event every 25 seconds or so."""
        mood, stage = 0, 0
        names = ["stall", "jump_forward", "jump_back", "repeat", "withheld", "restart_reported", "restart", "outage", "garbage"]
        for _ in range(seconds):
            if self.rng.random() < 0.04:
                mood, stage = self.rng.randrange(4), self.rng.randrange(len(self.x.stages))
            request = (self.rng.choice(GARBAGE), stage, self.rng.randrange(len(self.x.stages)), None)[mood]
            if self.rng.random() < 0.04:
                name = self.rng.choice(names)
                self.events[name] = self.events.get(name, 0) + 1
                getattr(self, name)(request)
            self.tell(request)

    def tell(self, request: object) -> None:
        """One second as it should be."""
        self.clock_s += 1
        self.pieces[-1].states.append(self.guard.step(self.clock_s, request).aspects)

    def stall(self, _: object) -> None:
        """Nobody steps the guard for some seconds; the lamps stay."""
        seconds = self.rng.randint(1, TRUST_GAP_S)
        self.clock_s += seconds
        self.pieces[-1].hold(seconds)

    def jump_forward(self, _: object) -> None:
        """The clock says that seconds passed which did not."""
        self.clock_s += self.rng.randint(1, TRUST_GAP_S)

    def jump_back(self, request: object) -> None:
        """The clock goes back while one second passes."""
        self.clock_s -= self.rng.randint(1, 5000)
        assert self.guard.step(self.clock_s, request).aspects == self.guard.shown
        self.pieces[-1].hold(1)

    def repeat(self, request: object) -> None:
        """Many calls in one second do not make time pass."""
        for _ in range(30 if self.pieces[-1].states else 0):
            command = self.guard.step(self.clock_s, request)
            assert (command.aspects, command.verdict) == (self.pieces[-1].states[-1], Verdict.NO_TIME)

    def withheld(self, request: object) -> None:
        """Commands that are not sent have not happened."""
        memory = self.guard.remember()
        for _ in range(self.rng.randint(1, TRUST_GAP_S)):
            self.clock_s += 1
            self.guard.step(self.clock_s, request)
            self.guard.recall(memory)
            self.pieces[-1].hold(1)

    def restart_reported(self, _: object) -> None:
        """The service starts anew; the street says what it shows."""
        piece = self.pieces[-1]
        if not piece.states:
            return
        piece.hold(self.rng.randint(0, 60))
        self.clock_s = self.rng.randint(0, 10**9)
        self.guard = Guard(self.x)
        piece.resumed.add(len(piece.states))
        self.guard.resume(piece.states[-1], self.rng.randint(0, 5), self.rng.randrange(len(self.x.stages)))

    def restart(self, _: object) -> None:
        """The service starts anew and nobody says what the street shows."""
        self.guard = Guard(self.x)
        self.pieces.append(Piece())

    def outage(self, _: object) -> None:
        """Nobody steps the guard for so long that the street has gone over to its own plan."""
        self.clock_s += TRUST_GAP_S + self.rng.randint(2, 10**6)
        self.pieces.append(Piece())

    def garbage(self, _: object) -> None:
        """The street reports, and shows, something that no guard ever told it."""
        shown = bytes(self.rng.choice((0, 0, 0, 1, 2, 3, 4)) for _ in self.x.groups)
        report = self.rng.choice((shown, shown[:-1], b"\xff" * len(shown)))
        kind = self.guard.resume(report, 0, 99)
        self.pieces.append(Piece([shown], resumed={1}) if report == shown else Piece())
        assert kind is Resumption.ALL_RED or report == shown

    def violations(self) -> list[str]:
        """What the checker finds, minus what the street itself did wrong in a first second nobody answers for."""
        found = []
        for piece in self.pieces:
            wrong_at_once = find_violations(limits_of(self.x), piece.states[:1])
            found += [
                v for v in find_violations(limits_of(self.x), piece.states, piece.lost, piece.resumed) if v not in wrong_at_once
            ]
        return found


def attacks(seeds: range, seconds: int) -> list[Attack]:
    """One attack on each drawn intersection."""
    done = []
    for seed in seeds:
        x = random_intersection(seed)
        if x is not None:
            done.append(Attack(x, random.Random(seed)))
            done[-1].run(seconds)
    return done


def test_ten_thousand_malicious_commands_with_gaps_restarts_and_jumps() -> None:
    """Over 10 000 commands on drawn intersections with hundreds of events: no violation on the street."""
    done = attacks(range(300), 250)
    assert sum(len(p.states) for a in done for p in a.pieces) > 10_000
    for event in ("stall", "jump_forward", "jump_back", "withheld", "restart_reported", "restart", "outage", "garbage"):
        assert sum(a.events.get(event, 0) for a in done) > 30, event
    assert [v for a in done for v in a.violations()] == []


@settings(max_examples=20)
@given(bearings=st.lists(st.integers(0, 11), min_size=2, max_size=5, unique=True), seed=st.integers(0, 10**6))
def test_attacks_on_built_junctions(bearings: list[int], seed: int) -> None:
    """The same on junctions built from any geometry, with pedestrians and permissive turns."""
    try:
        x = build_intersection(junction(*(30.0 * b for b in bearings), lanes=1 + seed % 3))
    except SignalsError:
        reject()
    attack = Attack(x, random.Random(seed))
    attack.run(400)
    assert attack.violations() == []


def _crossroads() -> Intersection:
    return build_intersection(junction(0, 90, 180, 270))


def _in_transition(x: Intersection) -> tuple[Guard, int]:
    """A guard in the first second of a yellow, and the time."""
    guard, t = Guard(x), 0
    while True:
        t += 1
        if 1 in guard.step(t, 1).aspects:
            return guard, t


@pytest.mark.parametrize("gap_s", [1, 3, TRUST_GAP_S])
def test_yellow_is_not_shortened_by_seconds_that_did_not_count(gap_s: int) -> None:
    """A yellow has its full length in seconds of which the guard knows, whatever the clock says in between."""
    x = _crossroads()
    guard, t = _in_transition(x)
    group = guard.shown.index(1)
    shown = [guard.step(t + gap_s + k, 1).aspects[group] for k in range(1, 5)]
    assert guard.step(t + gap_s + 5, 1).lost_s == 0
    assert shown == [1] * (x.groups[group].clearing_s - 1) + [0] * (5 - x.groups[group].clearing_s)


def test_a_stall_brings_the_rescue_forward() -> None:
    """Lost seconds count for the maximum red: held all the time, the stage ends that much earlier."""
    x = _crossroads()
    for gap_s in (0, 12):
        guard, t = Guard(x), 0
        while guard.held_s < 8:
            t += 1
            guard.step(t, 0)
        t += gap_s
        while (verdict := guard.step(t := t + 1, 0).verdict) is not Verdict.FORCED:
            assert verdict in (Verdict.HOLD, Verdict.IN_TRANSITION)
        if gap_s == 0:
            undisturbed_s = t
    assert t == undisturbed_s


def test_lost_seconds_go_on_counting_in_later_stages() -> None:
    """Seconds lost in one stage count for the reds of those who wait through the next one, too."""
    conflicts = ~np.eye(3, dtype=bool)
    x = Intersection(
        "three", tuple(SignalGroup(f"g{k}", max_green_s=200, max_red_s=100) for k in range(3)), conflicts,
        np.zeros((3, 3), bool), np.full((3, 3), 5, np.int32), tuple(Stage(f"s{k}", frozenset({k})) for k in range(3)),
        conflicts, (0, 1, 2),
    )  # fmt: skip
    served_at_s = []
    for gap_s in (0, 15):
        guard, t = Guard(x), 0
        while guard.held_s < 8:  # in the first stage
            guard.step(t := t + 1, 0)
        t += gap_s
        while guard.step(t := t + 1, 1).aspects[2] == 0:  # then the second is held for as long as the guard allows
            assert t < 500
        served_at_s.append(t)
    assert served_at_s[0] == served_at_s[1]


def test_start_up_is_the_longest_intergreen_in_red() -> None:
    """A new guard, and one that was not stepped for too long, show red to all for the longest intergreen."""
    x = _crossroads()
    longest_s = int(x.intergreen_s[x.conflicts | x.yields].max())
    guard = Guard(x)
    first = [guard.step(t).aspects for t in range(longest_s + 1)]
    assert set(first[:longest_s]) == {bytes(len(x.groups))}
    assert any(first[longest_s])
    again = guard.step(longest_s + TRUST_GAP_S + 2)
    assert (again.verdict, again.stage, again.aspects) == (Verdict.RESTARTED, -1, bytes(len(x.groups)))
    rest = [guard.step(longest_s + TRUST_GAP_S + 2 + k).aspects for k in range(1, longest_s + 1)]
    assert set(rest[:-1]) == {bytes(len(x.groups))}
    assert any(rest[-1])


def test_a_reported_stage_is_taken_over_and_keeps_its_minimum() -> None:
    """After a restart the guard goes on with the stage the street reports; how long it was green before is not believed."""
    x = _crossroads()
    old = Guard(x, 1)
    for t in range(60):
        shown = old.step(t, 1).aspects
    guard = Guard(x)
    assert guard.resume(shown) is Resumption.STAGE
    shortest_s = int(guard.tables.stage_min_s[1])
    verdicts = [guard.step(5000 + k, 0).verdict for k in range(shortest_s + 1)]
    assert verdicts == [Verdict.MIN_GREEN] * shortest_s + [Verdict.GRANTED]


def test_reported_conflict_is_cleared_at_once() -> None:
    """Greens in conflict get their yellow in the next second, then all is red until the longest intergreen is over."""
    x = _crossroads()
    i, j = next((i, j) for i in range(len(x.groups)) for j in range(i) if x.conflicts[i, j])
    shown = bytes(2 if g in (i, j) else 0 for g in range(len(x.groups)))
    guard = Guard(x)
    assert guard.resume(shown) is Resumption.CONFLICT
    aspects = guard.step(0).aspects
    assert {aspects[i], aspects[j]} <= {1, 4}
    longest_s = int(x.intergreen_s[x.conflicts | x.yields].max())
    assert all(not {2, 3} & set(guard.step(t).aspects) for t in range(1, longest_s))


def test_limits_cannot_be_changed_behind_the_guard() -> None:
    """Arrays of the intersection and of the guard's tables are read-only, and copies of what was given."""
    x = _crossroads()
    tables = Guard(x).tables
    for array in (x.conflicts, x.yields, x.intergreen_s, x.transitions, x.green, tables.stage_min_s, tables.lead_s):
        with pytest.raises(ValueError, match="read-only"):
            array[:] = 0
