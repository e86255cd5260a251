"""PlanJourneys: which timetables say nothing of the day that was asked for."""

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np

from routing.model.timetable import Timetable
from routing.multimodal.model import JourneyMode, JourneyRequest

RIDES = {JourneyMode.TRANSIT, JourneyMode.PARK_AND_RIDE}


def note_timetables(timetable: Timetable, asked: JourneyRequest) -> list[str]:
    """Say of each feed whose timetable has ended, or not begun, that nothing of it is in the journeys of the day asked for."""
    if not asked.modes & RIDES:
        return []
    notices = []
    for feed, (first, last) in service_span(timetable).items():
        date = dt.datetime.fromtimestamp(asked.time_s, ZoneInfo(timetable.feed_timezones[feed])).date()
        lacking = f"journeys on {date} are without it"
        if date > last:
            notices.append(f"The timetable of {timetable.feed_ids[feed]} ends on {last}: {lacking}.")
        elif date < first:
            notices.append(f"The timetable of {timetable.feed_ids[feed]} begins on {first}: {lacking}.")
    return notices


def service_span(timetable: Timetable) -> dict[int, tuple[dt.date, dt.date]]:
    """First and last day on which a trip of a feed runs, by feed; feeds without any are left out."""
    serves = np.zeros((timetable.feed_count, len(timetable.service_days)), np.bool_)
    serves[timetable.route_feed[timetable.trip_route], timetable.trip_service] = True
    spans = {}
    for feed, services in enumerate(serves):
        bits = np.bitwise_or.reduce(timetable.service_days[services], axis=0)
        days = np.flatnonzero(np.unpackbits(bits, bitorder="little"))
        if len(days):
            spans[feed] = (timetable.date_of_day(int(days[0])), timetable.date_of_day(int(days[-1])))
    return spans
