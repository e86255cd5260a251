"""What changed in a plan, in words: which orders moved, who is late, what it costs."""

from collections.abc import Mapping

from routing.rounds.api import DeliveryRound, Problem
from routing.rounds.live import Change

ON_BOARD = "on_board"
"""Reason of orders on board of a vehicle that can no longer drive."""
TELL_AFTER_S = 60.0
"""Shifts of arrivals below this are not told."""


def in_words(problem: Problem, change: Change, cause: str) -> list[str]:
    """Sentences: one for every order that moved or is lost, one for every round whose arrivals shift by a minute and more.

    Orders on board of a vehicle that can no longer drive are told together.
    """
    was = {problem.visits[stop.visit_idx][0]: r for r, one in change.before.items() for stop in one.stops}
    now = {problem.visits[stop.visit_idx][0]: r for r, one in change.after.items() for stop in one.stops}
    gone = {one.shipment_idx: one.message for one in change.lost}
    stranded = {one.shipment_idx for one in change.lost if ON_BOARD in one.reasons and one.shipment_idx in was}
    told = []
    for r in sorted({was[s] for s in stranded}):
        names = [problem.shipments[s].id for s in sorted(stranded) if was[s] == r]
        vehicle = problem.vehicles[r].id
        where = "on board" if cause.startswith(f"{vehicle} ") else f"on board of {vehicle}"
        told.append(f"{cause}: {len(names)} order{'s' if len(names) > 1 else ''} {where}, no longer served: {', '.join(names)}")
    for s in change.moved:
        if s in stranded:
            continue
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


def improved_in_words(problem: Problem, change: Change, cause: str) -> list[str]:
    """Sentences about a plan that was improved: one for every order that moved, one for every round driven in another order.

    Rounds that exchange orders belong together: what is said to be saved is the working time of them all.
    """
    was = {problem.visits[stop.visit_idx][0]: r for r, one in change.before.items() for stop in one.stops}
    now = {problem.visits[stop.visit_idx][0]: r for r, one in change.after.items() for stop in one.stops}
    group = {r: r for r in change.before.keys() | change.after.keys()}
    for s in change.moved:
        if s in was and s in now:
            one, other = group[was[s]], group[now[s]]
            group = {r: one if own == other else own for r, own in group.items()}
    told = []
    for lead in sorted(set(group.values())):
        members = [r for r in sorted(group) if group[r] == lead]
        moved = [s for s in change.moved if now.get(s) in members]
        saved = sum(_lasts(change.before, r) - _lasts(change.after, r) for r in members)
        worth = f"saves {saved / 60:.0f} min" if saved >= TELL_AFTER_S / 2 else f"saves {-change.cost_delta:.1f} in cost"
        worth += f" with {len(moved) - 1} other move{'s' if len(moved) > 2 else ''}" if len(moved) > 1 else ""
        for s in moved:
            name, to = problem.shipments[s].id, problem.vehicles[now[s]].id
            source = f"moved from {problem.vehicles[was[s]].id} to {to}" if s in was else f"is now served by {to}"
            told.append(f"order {name} {source}: {cause}, {worth}")
        if not moved:
            told += [f"{problem.vehicles[r].id} drives its stops in another order: {cause}, {worth}" for r in members]
    return told


def _lasts(rounds: Mapping[int, DeliveryRound], r: int) -> float:
    return rounds[r].end_s - rounds[r].departure_s if r in rounds else 0.0
