"""Which of many itineraries are worth showing.

Pareto dominance over (departure, arrival, transfers, walking) per kind, then against simpler kinds, then an order by
generalised time. Generalised time weighs walking 1.5 and a transfer 180 s, usual values in mode choice studies
(Wardman, 2004, Transport Policy 11).
"""

from collections.abc import Iterable
from typing import Protocol, TypeVar

from routing.multimodal.model import JourneyMode

TRANSFER_PENALTY_S = 180
WALK_WEIGHT = 1.5
SLACK_WALK_S = 120
MIN_PARK_AND_RIDE_GAIN_S = 300
"""Taking the car out has to save this much over public transport from the door."""


class Comparable(Protocol):
    """What itineraries, and candidates not yet built, are compared by; see `routing.multimodal.model.Itinerary`."""

    @property
    def kind(self) -> JourneyMode:
        """Kind of journey."""

    @property
    def departure_s(self) -> int:
        """Unix seconds of leaving."""

    @property
    def arrival_s(self) -> int:
        """Unix seconds of arriving."""

    @property
    def duration_s(self) -> int:
        """Door to door."""

    @property
    def transfers(self) -> int:
        """Changes of vehicle."""

    @property
    def walk_s(self) -> int:
        """Seconds on foot."""


C = TypeVar("C", bound=Comparable)


def generalised_time_s(itinerary: Comparable) -> float:
    """Seconds as felt: in all, plus half of the walking again, plus transfers."""
    extra_walk = (WALK_WEIGHT - 1) * itinerary.walk_s if itinerary.kind is not JourneyMode.WALK else 0.0
    return itinerary.duration_s + extra_walk + TRANSFER_PENALTY_S * itinerary.transfers


def dominates(a: Comparable, b: Comparable) -> bool:
    """Whether `a` leaves no earlier, arrives no later, changes and walks no more than `b`, and is better in one."""
    mine = (-a.departure_s, a.arrival_s, a.transfers, a.walk_s)
    other = (-b.departure_s, b.arrival_s, b.transfers, b.walk_s)
    return all(x <= y for x, y in zip(mine, other, strict=True)) and mine != other


def pareto(itineraries: Iterable[C]) -> list[C]:
    """The itineraries no other of their kind dominates; of equals the first."""
    kept: list[C] = []
    for candidate in itineraries:
        if any(k.kind is candidate.kind and (dominates(k, candidate) or _same(k, candidate)) for k in kept):
            continue
        kept = [k for k in kept if not (k.kind is candidate.kind and dominates(candidate, k))]
        kept.append(candidate)
    return kept


def choose(itineraries: Iterable[C], *, limit: int, arrive_by: bool, keep_kinds: bool = True) -> list[C]:
    """Best `limit` itineraries in the order a traveller reads them.

    Transit that loses to plain walking and park-and-ride that hardly beats transit are dropped; the best of every kind stays
    (`keep_kinds`) as long as there is room; the rest fills up by generalised time plus lateness.
    """
    alive = pareto(itineraries)
    walks = [i for i in alive if i.kind is JourneyMode.WALK]
    alive = [i for i in alive if i.kind is JourneyMode.WALK or not any(_pointless(i, walk) for walk in walks)]
    rides = [generalised_time_s(i) for i in alive if i.kind is JourneyMode.TRANSIT]
    worth_s = min(rides, default=float("inf")) - MIN_PARK_AND_RIDE_GAIN_S
    alive = [i for i in alive if i.kind is not JourneyMode.PARK_AND_RIDE or generalised_time_s(i) <= worth_s]
    if not alive:
        return []
    best = max(i.departure_s for i in alive) if arrive_by else min(i.arrival_s for i in alive)
    ranked = sorted(alive, key=lambda i: (_rank(i, best, arrive_by=arrive_by), i.departure_s))
    chosen: list[C] = []
    if keep_kinds:
        for itinerary in ranked:
            if all(c.kind is not itinerary.kind for c in chosen):
                chosen.append(itinerary)
    chosen = chosen[:limit]
    chosen += [i for i in ranked if i not in chosen][: limit - len(chosen)]
    return sorted(chosen, key=lambda i: (i.arrival_s, -i.departure_s) if not arrive_by else (-i.departure_s, i.arrival_s))


def _rank(itinerary: Comparable, best: int, *, arrive_by: bool) -> float:
    """Time as felt, plus half of what it arrives later (arrive-by: leaves earlier) than the best."""
    loss_s = best - itinerary.departure_s if arrive_by else itinerary.arrival_s - best
    return generalised_time_s(itinerary) + 0.5 * loss_s


def _pointless(itinerary: Comparable, walk: Comparable) -> bool:
    if itinerary.kind not in (JourneyMode.TRANSIT, JourneyMode.PARK_AND_RIDE):
        return False
    return itinerary.walk_s + SLACK_WALK_S >= walk.duration_s or (
        itinerary.duration_s >= walk.duration_s and itinerary.arrival_s >= walk.arrival_s
    )


def _same(a: Comparable, b: Comparable) -> bool:
    return (a.departure_s, a.arrival_s, a.transfers, a.walk_s) == (b.departure_s, b.arrival_s, b.transfers, b.walk_s)
