"""Moments of the engine as times of day in the city."""

import datetime as dt
from zoneinfo import ZoneInfo

from routing.rounds.checks import TimeWindow
from routing.rounds.remedy_words import Clock
from routing.rounds.shipment import Shipment
from services.rounds.city import RoundsCity
from services.rounds.mapping import LONGEST_SPAN_S, MappedProblem


def city_clock(city: RoundsCity, mapped: MappedProblem) -> Clock:
    """Moments of the engine as times of day in the city; with the day where it is not that of the engine's zero."""
    zone = ZoneInfo(city.snapshot.timezone)
    today = dt.datetime.fromtimestamp(mapped.zero_s, zone).date()

    def clock(time_s: float) -> str:
        at = dt.datetime.fromtimestamp(mapped.zero_s + time_s, zone)
        return f"{at:%H:%M}" if at.date() == today else f"{at:%Y-%m-%d %H:%M}"

    return clock


def windows_in_words(shipment: Shipment, clock: Clock) -> str:
    """When its visits may begin, ends excluded as in the contract; empty where they may at any time."""
    words = []
    for name, visit in (("pickup", shipment.pickup), ("delivery", shipment.delivery)):
        spans = [_span(one, clock) for one in (visit.windows if visit is not None else ())]
        if spans:
            both = shipment.pickup is not None and shipment.delivery is not None
            words.append((f"{name} " if both else "") + " or ".join(spans))
    return ", ".join(words)


def _span(window: TimeWindow, clock: Clock) -> str:
    if window.start_s <= -LONGEST_SPAN_S:
        return f"until {clock(window.end_s + 1)}"
    opens = clock(window.start_s)
    return f"from {opens}" if window.end_s >= LONGEST_SPAN_S else f"{opens}–{clock(window.end_s + 1)}"
