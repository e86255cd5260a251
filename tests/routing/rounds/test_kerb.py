"""Searches by time of day and delivery bays in travel times: first in first out, never too early, exact where nothing turns."""

from dataclasses import dataclass
from itertools import pairwise, permutations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.kernels.rounds_times import NO_WAY_S
from routing.rounds.api import Depot, Problem, Shipment, TimeWindow, TravelTimes, Vehicle, Visit, solve
from routing.rounds.errors import InvalidProblemError
from routing.rounds.kerb import AT_DOOR, Bay, Kerb, park

SLOT_S, SLOTS, COUNT, BAYS = 900, 6, 3, 3
STARTS = SLOT_S * np.arange(SLOTS, dtype=np.float64)
ALWAYS = ((-np.inf, 0),)


@dataclass(frozen=True)
class Town:
    """Driving times between three doors and three bays, and how vehicles stop at the doors."""

    road_s: npt.NDArray[np.int32]
    kerbs: dict[int, Kerb]

    def drive(self, i: int, j: int, t: float) -> float:
        """Arrival by road."""
        return t if i == j else float(np.interp(t, STARTS, STARTS + self.road_s[:, i, j], right=t + self.road_s[-1, i, j]))

    def leave(self, i: int, b: int, j: int, t: float) -> float:
        """Arrival by road at `j` (door or bay) of a vehicle that stands in bay `b` of door `i`, or at the door."""
        if b == AT_DOOR:
            return self.drive(i, j, t)
        bay = self.kerbs[i].bays[b]
        return self.drive(COUNT + bay.idx, j, t + bay.walk_s)

    def stop(self, j: int, b: int, vehicle_s: float) -> float:
        """When the driver is at the door if the vehicle comes to the stand at a time; inf = closed from then on."""
        kerb = self.kerbs[j]
        if b == AT_DOOR:
            moments = [vehicle_s, *(since for since, _ in kerb.search if since > vehicle_s)]  # who is better off later waits
            return min(at + next(seconds for since, seconds in reversed(kerb.search) if at >= since) for at in moments)
        bay = kerb.bays[b]
        opens = [max(vehicle_s, w.start_s) for w in bay.hours if vehicle_s <= w.end_s] or ([] if bay.hours else [vehicle_s])
        return min(opens, default=np.inf) + bay.walk_s

    def reach(self, i: int, b: int, j: int, to: int, t: float) -> float:
        """From door `i`, the vehicle in its bay `b`, to door `j` by its bay `to`."""
        road = j if to == AT_DOOR else COUNT + self.kerbs[j].bays[to].idx
        return self.stop(j, to, self.leave(i, b, road, t)) if i != j else t


@st.composite
def towns(draw: st.DrawFn, steady: bool = False) -> Town:
    """Any town; `steady`: driving times that do not change."""
    size = COUNT + BAYS
    seed = draw(st.integers(0, 2**31))
    rng = np.random.default_rng(seed)
    road = np.empty((SLOTS, size, size), np.int32)
    road[-1] = rng.integers(10, 1500, (size, size))
    for k in range(SLOTS - 2, -1, -1):
        change = 0 if steady else rng.integers(-700, 701, (size, size))
        road[k] = np.clip(road[k + 1] + change, 10, road[k + 1] + SLOT_S)
    times = st.integers(0, SLOTS * SLOT_S)
    kerbs = {}
    for j in range(COUNT):
        since = sorted(draw(st.sets(times, max_size=3)))
        search = tuple((at, draw(st.integers(0, 1200))) for at in (-np.inf, *since))
        bays = []
        for idx in draw(st.sets(st.integers(0, BAYS - 1), max_size=2)):
            ends = sorted(draw(st.sets(times, min_size=0, max_size=4)))
            hours = tuple(TimeWindow(a, b) for a, b in zip(ends[::2], ends[1::2], strict=False))
            bays.append(Bay(idx, draw(st.integers(0, 300)), hours))
        kerbs[j] = Kerb(search, tuple(bays))
    return Town(road, kerbs)


@given(towns(), st.data())
def test_times_are_first_in_first_out_and_never_too_early(town: Town, data: st.DataObject) -> None:
    """The told stand is open and reached by then, wherever among used stands the vehicle stood."""
    durations, stands = park(STARTS, town.road_s, COUNT, town.kerbs)
    assert (np.diff(STARTS[:, None, None] + durations, axis=0) >= 0).all()
    i, j = data.draw(st.permutations(range(COUNT)))[:2]
    t = data.draw(st.integers(0, (SLOTS - 1) * SLOT_S - 1))
    said = TravelTimes.slots(STARTS, durations).arrival_s(0, i, j, t)
    used = {AT_DOOR, *np.unique(stands[i].bay).tolist()}
    k = t // SLOT_S
    assert all(town.reach(i, b, j, int(stands[j].bay[k, i]), float(t)) <= said + 1e-6 for b in used)


@given(towns(steady=True))
def test_times_are_exact_where_no_hour_turns(town: Town) -> None:
    """Where neither search nor hours change within a slot of a departure, times are the least over all stands."""
    only_to = {j: kerb if j == 2 else Kerb(ALWAYS) for j, kerb in town.kerbs.items()}
    plain = Town(town.road_s, only_to)
    durations, _ = park(STARTS, town.road_s, COUNT, only_to)
    kerb = town.kerbs[2]
    turns = [since for since, _ in kerb.search] + [at for bay in kerb.bays for w in bay.hours for at in (w.start_s, w.end_s)]
    turns += [since + after - before for since, after in kerb.search[1:] for _, before in kerb.search]
    for i, k in ((i, k) for i in (0, 1) for k in range(SLOTS)):
        reached = [town.road_s[0, i, c] + STARTS[k] for c in range(COUNT + BAYS)]
        if all(abs(at - turn) > SLOT_S for at in reached for turn in turns):
            best = min(plain.reach(i, AT_DOOR, 2, b, STARTS[k]) for b in range(-1, len(kerb.bays)))
            assert STARTS[k] + durations[k, i, 2] == best


def test_constant_searches_are_added() -> None:
    """What does not change is added to the way to a place, not to that from it; no way stays none."""
    road = np.full((SLOTS, 3, 3), 100, np.int32)
    road[:, 0, 2] = NO_WAY_S
    durations, stands = park(STARTS, road, 3, {1: Kerb(((-np.inf, 60),)), 2: Kerb(((-np.inf, 30),))})
    assert (durations == np.array([[0, 160, NO_WAY_S], [100, 0, 130], [100, 160, 0]])).all()
    assert (stands[1].search_s[:, 0] == 60).all()


def test_a_search_that_gets_shorter_is_not_overtaken() -> None:
    """20 min of search until 1800 s, none from then on: who comes before waits for that; slots are never too short."""
    road = np.full((SLOTS, 2, 2), 10, np.int32)
    durations, stands = park(STARTS, road, 2, {1: Kerb(((-np.inf, 1200), (1800.0, 0)))})
    assert durations[:, 0, 1].tolist() == [1210, 1210, 310, 10, 10, 10]
    assert stands[1].search_s[:, 0].tolist() == [1200, 890, 0, 0, 0]


def test_a_walk_longer_than_a_slot_is_refused() -> None:
    """Between slots the way back to the bay could not be kept."""
    with pytest.raises(InvalidProblemError, match="walk_s"):
        park(STARTS, np.zeros((SLOTS, 2, 2), np.int32), 1, {0: Kerb(ALWAYS, (Bay(0, 901),))})


@settings(max_examples=8)
@given(st.integers(0, 2**31))
def test_plans_by_bays_are_the_best_of_all_orders(seed: int) -> None:
    """One bay for each of four doors, better than a search: the plan is the best order, driven from bay to bay."""
    rng = np.random.default_rng(seed)
    doors, size = 5, 9
    road = np.empty((1, size, size), np.int32)
    road[0] = rng.integers(300, 900, (size, size))
    walks = rng.integers(10, 60, doors - 1).tolist()
    road[0, 1:doors] = np.minimum(road[0, 1:doors], road[0, doors:])  # the way on is never longer from the door
    kerbs = {d: Kerb(((-np.inf, 4000),), (Bay(d - 1, walks[d - 1]),)) for d in range(1, doors)}
    durations, stands = park(np.zeros(1), road, doors, kerbs)
    off_diagonal = [stands[d].bay[0, i] for d in kerbs for i in range(doors) if i != d]
    assert set(off_diagonal) == {0}
    always = TimeWindow(0, 90_000)
    shipments = tuple(Shipment(str(d), (), None, Visit(d, 60)) for d in kerbs)
    problem = Problem(doors, (Depot("d", 0, always),), (Vehicle("v", 0, 0, (), always),), shipments)
    plan = solve(problem, TravelTimes.slots([0.0], durations), iterations=100)

    def lasts(order: tuple[int, ...]) -> int:
        at, total = 0, 0
        for d in order:
            total += int(road[0, at, doors + d - 1]) + walks[d - 1] + 60 + walks[d - 1]
            at = doors + d - 1
        return total + int(road[0, at, 0])

    assert plan.rounds[0].duration_s == min(lasts(order) for order in permutations(kerbs))
    assert all(a.departure_s <= b.arrival_s for a, b in pairwise(plan.rounds[0].stops))
