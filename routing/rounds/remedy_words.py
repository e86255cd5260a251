"""Remedies and obstacles in words."""

import math
from collections.abc import Callable

from routing.rounds.problem import Problem, Visit
from routing.rounds.relax import Limit, Relaxation, duty_end_s, duty_start_s, relaxed
from routing.rounds.remedies import Remedy

Clock = Callable[[float], str]
"""Moment in engine seconds → how it is written."""
MINUTE_S = 60.0


def minute_clock(zero_s: float = 0.0) -> Clock:
    """Hours and minutes, counted from the midnight before `zero_s` (seconds of the engine's zero)."""

    def clock(time_s: float) -> str:
        minutes = round((zero_s + time_s) // MINUTE_S)
        days, minutes = divmod(minutes, 1440)
        return f"{minutes // 60:02d}:{minutes % 60:02d}" + (f" ({days:+d} d)" if days else "")

    return clock


def remedy_in_words(problem: Problem, remedy: Remedy, clock: Clock, round_to_s: float = MINUTE_S) -> str:
    """What to change and who serves the order then; moments are rounded so that they are enough (0 = not rounded)."""
    words, changed = [], problem
    for change in remedy.changes:
        words.append(change_in_words(changed, change, clock, round_to_s))
        changed = relaxed(changed, [change])
    vehicle, alone = changed.vehicles[remedy.vehicle_idx].id, remedy.changes[0].limit is Limit.VEHICLE
    if not any(change.vehicle_idx >= 0 for change in remedy.changes):
        words.append(f"then {vehicle} serves it at {clock(remedy.start_s)}")
    elif remedy.start_s and not alone:
        words.append(f"then it is served at {clock(remedy.start_s)}")
    return ", ".join(words)


def change_in_words(problem: Problem, change: Relaxation, clock: Clock, round_to_s: float = MINUTE_S) -> str:
    """One change, as an instruction; an end that stands now is told as the second after the last one that is good."""
    vehicle = problem.vehicles[change.vehicle_idx].id if change.vehicle_idx >= 0 else ""
    shipment = problem.shipments[change.shipment_idx] if change.shipment_idx >= 0 else None

    def later(moment_s: float) -> str:
        return clock(_up(moment_s + change.amount, round_to_s))

    def earlier(moment_s: float) -> str:
        return clock(-_up(change.amount - moment_s, round_to_s))

    def closes(last_s: float) -> str:
        return clock(last_s + 1.0)

    by = _span(change.amount)
    match change.limit:
        case Limit.WINDOW_LATER | Limit.WINDOW_EARLIER:
            assert shipment is not None
            visit: Visit | None = shipment.delivery if change.is_delivery else shipment.pickup
            assert visit is not None
            window = visit.windows[change.place]
            both = shipment.pickup is not None and shipment.delivery is not None
            name = "window" + ((" of the delivery" if change.is_delivery else " of the pickup") if both else "")
            if change.limit is Limit.WINDOW_LATER:
                return f"open the {name} until {later(window.end_s)} instead of {closes(window.end_s)}"
            return f"open the {name} from {earlier(window.start_s)} instead of {clock(window.start_s)}"
        case Limit.SHIFT_END:
            end = duty_end_s(problem, change.vehicle_idx)
            return f"{vehicle} on duty until {later(end)} instead of {closes(end)}"
        case Limit.SHIFT_START:
            start = duty_start_s(problem, change.vehicle_idx)
            return f"{vehicle} on duty from {earlier(start)} instead of {clock(start)}"
        case Limit.DURATION:
            return f"a round of {vehicle} may last {by} longer"
        case Limit.LENGTH:
            return f"a round of {vehicle} may be {change.amount / 1000:.1f} km longer"
        case Limit.STOPS:
            return f"{change.amount:.0f} more stops for {vehicle}"
        case Limit.CAPACITY:
            where = f" in load dimension {change.place}" if problem.dimensions > 1 else ""
            return f"{change.amount:.0f} more units of capacity in {vehicle}{where}"
        case Limit.RIDE:
            return f"let it ride {by} longer"
        case Limit.BREAK_LATER:
            return f"the break of {vehicle} up to {by} later"
        case Limit.BREAK_EARLIER:
            return f"the break of {vehicle} up to {by} earlier"
        case Limit.SKILLS:
            assert shipment is not None
            missing = sorted(shipment.skills - problem.vehicles[change.vehicle_idx].skills)
            return f"skill {', '.join(map(repr, missing))} for {vehicle}"
        case Limit.LOCK:
            return f"let {vehicle} serve it too"
        case Limit.APART:
            assert shipment is not None
            return f"let it ride with the others of {shipment.apart!r}"
        case Limit.TOGETHER:
            assert shipment is not None
            return f"let it ride without the others of {shipment.together!r}"
        case Limit.PRIZE:
            assert shipment is not None
            return f"it would be worth it at a prize of {math.ceil((shipment.prize or 0.0) + change.amount):g}"
        case Limit.LEFT_OUT:
            assert shipment is not None
            return f"leave out order {shipment.id!r} (priority {shipment.priority}) of {vehicle}"
    return f"one more vehicle like {vehicle}"


def _up(value: float, step: float) -> float:
    return value if step <= 0 else math.ceil(round(value / step, 9)) * step


def _span(seconds: float) -> str:
    return f"{math.ceil(seconds)} s" if seconds < 2 * MINUTE_S else f"{math.ceil(seconds / MINUTE_S)} min"
