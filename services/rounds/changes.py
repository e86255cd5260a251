"""What changed in a plan, in words: which orders moved, who is late, what it costs."""

from routing.rounds.api import Problem
from routing.rounds.live import Change

TELL_AFTER_S = 60.0
"""Shifts of arrivals below this are not told."""


def in_words(problem: Problem, change: Change, cause: str) -> list[str]:
    """Sentences: one for every order that moved or is lost, one for every round whose arrivals shift by a minute and more."""
    was = {problem.visits[stop.visit_idx][0]: r for r, one in change.before.items() for stop in one.stops}
    now = {problem.visits[stop.visit_idx][0]: r for r, one in change.after.items() for stop in one.stops}
    gone = {one.shipment_idx: one.message for one in change.lost}
    told = []
    for s in change.moved:
        name, old, new = problem.shipments[s].id, was.get(s), now.get(s)
        if s in gone:
            told.append(f"order {name} can no longer be served: {cause}; {gone[s]}")
        elif new is not None and new != old:
            source = "nobody" if old is None else problem.vehicles[old].id
            told.append(f"order {name} moved from {source} to {problem.vehicles[new].id}: {cause}")
        elif new is not None:
            told.append(f"order {name} is served at another place in the round of {problem.vehicles[new].id}: {cause}")
    for r, one in change.after.items():
        before = {stop.visit_idx: stop.arrival_s for stop in change.before[r].stops} if r in change.before else {}
        shifts = [stop.arrival_s - before[stop.visit_idx] for stop in one.stops if stop.visit_idx in before]
        late, early = max(shifts, default=0.0), min(shifts, default=0.0)
        if late >= TELL_AFTER_S and late >= -early:
            told.append(f"{problem.vehicles[r].id} arrives up to {late / 60:.0f} min later: {cause}")
        elif early <= -TELL_AFTER_S:
            told.append(f"{problem.vehicles[r].id} arrives up to {-early / 60:.0f} min earlier: {cause}")
    return told
