"""Two plans side by side: what changed for whom, what was gained and lost. Pure; plans are those of the contract."""

from collections.abc import Iterable, Iterator, Sequence

from traboule.rounds.v1 import explain_pb2 as pb
from traboule.rounds.v1 import plan_pb2

MOST_NAMED = 10
"""Orders named in sentences; the others are counted."""
TELL_AFTER_S = 60
"""Shifts of arrivals below this are not told."""
TASKS = (plan_pb2.RoundStop.KIND_PICKUP, plan_pb2.RoundStop.KIND_DELIVERY)


def compare(before: plan_pb2.Plan, after: plan_pb2.Plan) -> pb.PlanComparison:
    """Compare two plans; orders and vehicles are the same where their ids are."""
    rounds = [{one.vehicle_id: one for one in plan.rounds if _tasks(one)} for plan in (before, after)]
    vehicles = [_pair(name, rounds[0].get(name), rounds[1].get(name)) for name in sorted(rounds[0].keys() | rounds[1].keys())]
    total = pb.FiguresPair(before=_of_plan(before), after=_of_plan(after))
    orders = _orders(before, after)
    return pb.PlanComparison(vehicles=vehicles, total=total, orders=orders, words=[*_in_words(vehicles, total, orders)])


def changed_vehicle(order: pb.OrderChange) -> bool:
    """Whether an order is served by another vehicle, or by one in one plan only."""
    return order.vehicle_before != order.vehicle_after


def shift_s(order: pb.OrderChange) -> int:
    """By how much an order that both plans serve is reached later."""
    both = order.arrival_before_unix_s and order.arrival_after_unix_s
    return order.arrival_after_unix_s - order.arrival_before_unix_s if both else 0


def _tasks(row: plan_pb2.DeliveryRound) -> list[plan_pb2.RoundStop]:
    return [stop for stop in row.stops if stop.kind in TASKS]


def _pair(name: str, before: plan_pb2.DeliveryRound | None, after: plan_pb2.DeliveryRound | None) -> pb.FiguresPair:
    figures = [None if row is None else _of_round(row) for row in (before, after)]
    return pb.FiguresPair(vehicle_id=name, before=figures[0], after=figures[1])


def _of_round(row: plan_pb2.DeliveryRound) -> pb.PlanFigures:
    tasks = _tasks(row)
    figures = pb.PlanFigures(
        cost=row.cost, duration_s=row.duration_s, drive_s=row.drive_s, wait_s=row.wait_s, distance_m=row.distance_m,
        co2_g=row.co2_g, late_cost=sum(stop.late_cost for stop in tasks),
        served_count=len({stop.shipment_id for stop in tasks}),
        used_vehicles=1,
    )  # fmt: skip
    known = [stop.window_probability for stop in tasks if stop.HasField("window_probability")]
    if known:
        figures.least_probability = min(known)
    return figures


def _of_plan(plan: plan_pb2.Plan) -> pb.PlanFigures:
    parts = [_of_round(row) for row in plan.rounds if _tasks(row)]
    names = ("cost", "duration_s", "drive_s", "wait_s", "distance_m", "co2_g", "late_cost", "served_count", "used_vehicles")
    figures = pb.PlanFigures(**{name: sum(getattr(part, name) for part in parts) for name in names})
    known = [part.least_probability for part in parts if part.HasField("least_probability")]
    if known:
        figures.least_probability = min(known)
    return figures


def _orders(before: plan_pb2.Plan, after: plan_pb2.Plan) -> list[pb.OrderChange]:
    found: dict[str, pb.OrderChange] = {}
    for plan, when in ((before, "before"), (after, "after")):
        for row in plan.rounds:
            for stop in _tasks(row):
                order = found.setdefault(stop.shipment_id, pb.OrderChange(shipment_id=stop.shipment_id))
                setattr(order, f"vehicle_{when}", row.vehicle_id)
                setattr(order, f"arrival_{when}_unix_s", stop.arrival_unix_s)
        for left in plan.unserved:
            found.setdefault(left.shipment_id, pb.OrderChange(shipment_id=left.shipment_id))
    return [found[name] for name in sorted(found)]


def _in_words(vehicles: list[pb.FiguresPair], total: pb.FiguresPair, orders: list[pb.OrderChange]) -> Iterator[str]:
    """Sentences: orders served no more and newly, vehicles, the sums, orders that moved, arrivals."""
    lost = [one.shipment_id for one in orders if one.vehicle_before and not one.vehicle_after]
    won = [one.shipment_id for one in orders if one.vehicle_after and not one.vehicle_before]
    if lost:
        yield f"no longer served: {_named(lost)}"
    if won:
        yield f"newly served: {_named(won)}"
    home = [one.vehicle_id for one in vehicles if not one.HasField("after")]
    out = [one.vehicle_id for one in vehicles if not one.HasField("before")]
    if home:
        yield f"no longer driving: {_named(home)}"
    if out:
        yield f"newly driving: {_named(out)}"
    yield from _sums(total)
    moved = [one for one in orders if changed_vehicle(one) and one.vehicle_before and one.vehicle_after]
    if moved:
        words = [f"{one.shipment_id} ({one.vehicle_before} → {one.vehicle_after})" for one in moved]
        yield f"{len(moved)} orders changed vehicles: {_named(words)}"
    shifts = [shift_s(one) for one in orders if abs(shift_s(one)) >= TELL_AFTER_S]
    for sign, word in ((1, "later"), (-1, "earlier")):
        some = [abs(shift) for shift in shifts if sign * shift > 0]
        if some:
            yield f"{len(some)} orders are reached {word}, by up to {max(some) / 60:.0f} min"
    if not (lost or won or moved or shifts or home or out):
        yield "the same orders with the same vehicles at the same times"


def _sums(total: pb.FiguresPair) -> Iterator[str]:
    """What the sums gain and lose."""
    old, new = total.before, total.after
    quantities = [
        ("cost", old.cost, new.cost, 1.0, ""),
        ("duration", old.duration_s, new.duration_s, 60.0, " min"),
        ("driving", old.drive_s, new.drive_s, 60.0, " min"),
        ("waiting", old.wait_s, new.wait_s, 60.0, " min"),
        ("distance", old.distance_m, new.distance_m, 1000.0, " km"),
        ("CO2", old.co2_g, new.co2_g, 1000.0, " kg"),
        ("cost of being late", old.late_cost, new.late_cost, 1.0, ""),
    ]
    for sign, word in ((-1, "saved"), (1, "lost")):
        told = []
        for name, was, now, unit, written in quantities:
            by = (now - was) / unit
            if sign * by >= 0.05:
                told.append(f"{name} {abs(by):,.1f}{written}" + (f" ({100 * abs(now - was) / was:.1f} %)" if was > 0 else ""))
        if told:
            yield f"{word}: {', '.join(told)}"
    if old.HasField("least_probability") and new.HasField("least_probability"):
        was, now = old.least_probability, new.least_probability
        if abs(now - was) >= 0.005:
            yield f"the least sure window is kept on {100 * now:.0f} % of days instead of {100 * was:.0f} %"


def _named(names: Sequence[str] | Iterable[str]) -> str:
    listed = list(names)
    more = len(listed) - MOST_NAMED
    return ", ".join(listed[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
