"""A journey search so plain that it can be believed: every trip of every day is tried in every round.

Shares nothing with the engine but the drawing: no lines, no windows, no mirrored time, no bounds.
"""

from dataclasses import dataclass

from routing.transit.trip_changes import TripChange
from tests.builders.timetables import Drawing, DrawnTrip


@dataclass(slots=True)
class Run:
    """A trip on a day in unix time: calls are (stop, arrival, departure, may get on, may get off)."""

    trip: DrawnTrip
    day: int
    calls: list[tuple[str, int, int, bool, bool]]


@dataclass(slots=True)
class Question:
    """What is asked, in names."""

    access: dict[str, int]
    egress: dict[str, int]
    time_s: int
    window_s: int = 0
    max_transfers: int = 7
    min_change_s: int = 120
    max_duration_s: int = 24 * 3600


def list_runs(drawing: Drawing, changes: list[TripChange]) -> list[Run]:
    """All trips of all days, as real time has them."""
    runs: list[Run] = []
    for trip in drawing.trips:
        for day in range(drawing.days):
            if not trip.runs_on(day):
                continue
            start = drawing.day_start_s(day)
            calls = [(stop, start + a, start + d, on, off) for stop, a, d, on, off in trip.calls]
            mine = [change for change in changes if change.trip_id == trip.id and change.service_date == _date(drawing, day)]
            if mine and mine[-1].relationship == "CANCELED":
                continue
            runs.append(Run(trip, day, _changed(calls, mine[-1]) if mine else calls))
    return runs


def _date(drawing: Drawing, day: int) -> str:
    year, month, first = drawing.first_date.split("-")
    return f"{year}{month}{int(first) + day:02d}"


def _changed(calls: list[tuple[str, int, int, bool, bool]], change: TripChange) -> list[tuple[str, int, int, bool, bool]]:
    """Expected calls; stop changes speak of calls by `stop_sequence` = 10 × position."""
    said = {stop.stop_sequence: stop for stop in change.stops}
    delay = change.delay_s or 0
    before = 0
    expected = []
    for i, (stop, scheduled_arrival, scheduled_departure, on, off) in enumerate(calls):
        update = said.get(10 * i)
        arrival, departure = scheduled_arrival + delay, scheduled_departure + delay
        if update is not None and update.relationship == "NO_DATA":
            delay, arrival, departure = 0, scheduled_arrival, scheduled_departure
        elif update is not None and update.relationship == "SKIPPED":
            on = off = False  # noqa: PLW2901
        elif update is not None:
            arrival_said = update.arrival_time_s
            if arrival_said is None and update.arrival_delay_s is not None:
                arrival_said = scheduled_arrival + update.arrival_delay_s
            departure_said = update.departure_time_s
            if departure_said is None and update.departure_delay_s is not None:
                departure_said = scheduled_departure + update.departure_delay_s
            if arrival_said is not None:
                arrival, departure = arrival_said, scheduled_departure + arrival_said - scheduled_arrival
            if departure_said is not None:
                departure = departure_said
                arrival = arrival if arrival_said is not None else min(arrival, departure)
            if arrival_said is not None or departure_said is not None:
                delay = departure - scheduled_departure
        arrival = max(arrival, before)
        departure = max(departure, arrival)
        before = departure
        expected.append((stop, arrival, departure, on, off))
    return expected


def arrivals(drawing: Drawing, runs: list[Run], question: Question, leave_s: int) -> list[int | None]:
    """Earliest arrival at the destination with at most 1, 2, … trips, leaving at `leave_s`."""
    ready = {stop: leave_s + walk for stop, walk in question.access.items()}
    best: int | None = None
    answer: list[int | None] = []
    reached: dict[str, int] = {}
    for _ in range(question.max_transfers + 1):
        for run in runs:
            aboard = False
            for stop, arrival, departure, on, off in run.calls:
                if aboard and off and arrival < reached.get(stop, 1 << 62):
                    reached[stop] = arrival
                aboard = aboard or (on and ready.get(stop, 1 << 62) <= departure)
        for stop, arrival in reached.items():
            if stop in question.egress:
                total = arrival + question.egress[stop]
                best = total if best is None else min(best, total)
        answer.append(best)
        ready = dict(ready)
        for stop, arrival in reached.items():
            change = int(drawing.stops[stop].get("change", question.min_change_s))
            ready[stop] = min(ready.get(stop, 1 << 62), arrival + change)
            for (origin, other), walk in drawing.walks.items():
                if origin == stop:
                    ready[other] = min(ready.get(other, 1 << 62), arrival + walk)
    return answer


def depart_at(drawing: Drawing, runs: list[Run], question: Question) -> list[tuple[int, int]]:
    """Pareto set of (arrival, transfers)."""
    found: list[tuple[int, int]] = []
    for transfers, arrival in enumerate(arrivals(drawing, runs, question, question.time_s)):
        if arrival is None or arrival > question.time_s + question.max_duration_s:
            continue
        if not found or arrival < found[-1][0]:
            found.append((arrival, transfers))
    return sorted(found)


def _moments(runs: list[Run], question: Question) -> set[int]:
    """Times at which it makes sense to leave: just in time for some departure."""
    calls = [call for run in runs for call in run.calls if call[0] in question.access and call[3]]
    return {departure - question.access[stop] for stop, _, departure, _, _ in calls}


def depart_between(drawing: Drawing, runs: list[Run], question: Question) -> list[tuple[int, int, int]]:
    """Pareto set of (departure, arrival, transfers) with departures in the window.

    Those that a departure at or after the end of the window makes pointless are left out.
    """
    end = question.time_s + question.window_s
    limit = end + question.max_duration_s
    every: set[tuple[int, int, int]] = set()
    for leave in {moment for moment in _moments(runs, question) if question.time_s <= moment < end} | {end}:
        for transfers, arrival in enumerate(arrivals(drawing, runs, question, leave)):
            if arrival is not None and arrival <= limit:
                every.add((leave, arrival, transfers))
    return sorted(journey for journey in pareto(every) if journey[0] < end)


def arrive_by(drawing: Drawing, runs: list[Run], question: Question) -> list[tuple[int, int]]:
    """Pareto set of (departure, transfers) arriving at `time_s` or before."""
    every: set[tuple[int, int, int]] = set()
    for leave in _moments(runs, question):
        if leave < question.time_s - question.max_duration_s:
            continue
        for transfers, arrival in enumerate(arrivals(drawing, runs, question, leave)):
            if arrival is not None and arrival <= question.time_s:
                every.add((leave, 0, transfers))
    return sorted((leave, transfers) for leave, _, transfers in pareto(every))


def pareto(journeys: set[tuple[int, int, int]]) -> set[tuple[int, int, int]]:
    """Members that no other leaves later, arrives earlier and changes less than."""
    return {a for a in journeys if not any(b != a and b[0] >= a[0] and b[1] <= a[1] and b[2] <= a[2] for b in journeys)}
