"""Which of many itineraries are worth showing.

Pareto dominance over (departure, arrival, transfers, walking) per kind, then against simpler kinds, then an order by
generalised time. Generalised time weighs walking 1.5 and a transfer 180 s, usual values in mode choice studies
(Wardman, 2004, Transport Policy 11).
"""

from collections.abc import Iterable

from routing.multimodal.model import Itinerary, JourneyMode

TRANSFER_PENALTY_S = 180
WALK_WEIGHT = 1.5
SLACK_WALK_S = 120


def generalised_time_s(itinerary: Itinerary) -> float:
    """Seconds as felt: in all, plus half of the walking again, plus transfers."""
    extra_walk = (WALK_WEIGHT - 1) * itinerary.walk_s if itinerary.kind is not JourneyMode.WALK else 0.0
    return itinerary.duration_s + extra_walk + TRANSFER_PENALTY_S * itinerary.transfers


def dominates(a: Itinerary, b: Itinerary) -> bool:
    """Whether `a` leaves no earlier, arrives no later, changes and walks no more than `b`, and is better in one."""
    mine = (-a.departure_s, a.arrival_s, a.transfers, a.walk_s)
    other = (-b.departure_s, b.arrival_s, b.transfers, b.walk_s)
    return all(x <= y for x, y in zip(mine, other, strict=True)) and mine != other


def pareto(itineraries: Iterable[Itinerary]) -> list[Itinerary]:
    """The itineraries no other of their kind dominates; of equals the first."""
    kept: list[Itinerary] = []
    for candidate in itineraries:
        if any(k.kind is candidate.kind and (dominates(k, candidate) or _same(k, candidate)) for k in kept):
            continue
        kept = [k for k in kept if not (k.kind is candidate.kind and dominates(candidate, k))]
        kept.append(candidate)
    return kept


def choose(itineraries: Iterable[Itinerary], *, limit: int, arrive_by: bool, keep_kinds: bool = True) -> list[Itinerary]:
    """Best `limit` itineraries in the order a traveller reads them.

    Transit that loses to plain walking in both arrival and departure is dropped; the best of every kind stays
    (`keep_kinds`) as long as there is room; the rest fills up by generalised time plus lateness.
    """
    alive = pareto(itineraries)
    walks = [i for i in alive if i.kind is JourneyMode.WALK]
    alive = [i for i in alive if i.kind is JourneyMode.WALK or not any(_pointless(i, walk) for walk in walks)]
    if not alive:
        return []
    first = min(i.departure_s for i in alive) if arrive_by else min(i.arrival_s for i in alive)
    ranked = sorted(alive, key=lambda i: (_rank(i, first, arrive_by=arrive_by), i.departure_s))
    chosen: list[Itinerary] = []
    if keep_kinds:
        for itinerary in ranked:
            if all(c.kind is not itinerary.kind for c in chosen):
                chosen.append(itinerary)
    chosen = chosen[:limit]
    chosen += [i for i in ranked if i not in chosen][: limit - len(chosen)]
    return sorted(chosen, key=lambda i: (i.arrival_s, -i.departure_s) if not arrive_by else (-i.departure_s, i.arrival_s))


def _rank(itinerary: Itinerary, first: int, *, arrive_by: bool) -> float:
    lateness = itinerary.arrival_s - first if not arrive_by else 0
    return generalised_time_s(itinerary) + 0.5 * lateness


def _pointless(itinerary: Itinerary, walk: Itinerary) -> bool:
    if itinerary.kind not in (JourneyMode.TRANSIT, JourneyMode.PARK_AND_RIDE):
        return False
    return itinerary.walk_s + SLACK_WALK_S >= walk.duration_s or (
        itinerary.duration_s >= walk.duration_s and itinerary.arrival_s >= walk.arrival_s
    )


def _same(a: Itinerary, b: Itinerary) -> bool:
    return (a.departure_s, a.arrival_s, a.transfers, a.walk_s) == (b.departure_s, b.arrival_s, b.transfers, b.walk_s)
