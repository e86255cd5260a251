"""Trip updates of GTFS Realtime, checked against the timetable they speak of."""

import itertools
from collections.abc import Iterator
from typing import Any, cast, get_args, get_type_hints

from google.transit import gtfs_realtime_pb2 as pb

from services.common.records import StopTimeUpdate, TripUpdate
from services.ingest.sources.base import POSIX_MAX, POSIX_MIN, Findings, SourceContext, StaticIndex, TripInfo, entity_fresh
from services.ingest.sources.times import is_date, service_date

ADAPTER = "gtfs-rt"
TRIP_STALE_S = 3600
VALID_TRIP_S = 600
CONFLICT_S = 60
MAX_DELAY_S = 24 * 3600
DAY_S = 86_400
MAX_START_S = 4 * DAY_S

_RELATIONSHIPS = frozenset(get_args(get_type_hints(TripUpdate)["relationship"]))
_NEEDS_SCHEDULE = frozenset({"SCHEDULED", "CANCELED", "DELETED", "REPLACEMENT"})


def decode_trip_update(
    update: Any, context: SourceContext, findings: Findings, published: int, where: str
) -> Iterator[TripUpdate]:
    """Make the record of one trip update; nothing (and a finding) where it cannot be used."""
    relationship = _relationship(update.trip, findings, where)
    trip_id = update.trip.trip_id
    if relationship == "UNSCHEDULED":
        findings.add("NOT_IMPLEMENTED_UNSCHEDULED", f"trip {trip_id!r} is UNSCHEDULED: not laid over", where)
        return
    if not trip_id or (relationship == "DUPLICATED" and not update.trip_properties.trip_id):
        findings.add("NO_TRIP_ID", "no trip id" if not trip_id else "DUPLICATED without trip_properties.trip_id", where)
        return
    observed = int(update.timestamp) or published
    if not entity_fresh(observed, context, findings, where, TRIP_STALE_S):
        return
    scheduled = context.static.find_trip(trip_id) if context.static else None
    if scheduled is None and context.static is not None and relationship in _NEEDS_SCHEDULE | {"DUPLICATED"}:
        findings.add("TRIP_NOT_FOUND", f"timetable has no trip {trip_id!r}", where)
        return
    start_date = update.trip.start_date
    if start_date and not is_date(start_date):
        findings.add("invalid_date", f"start_date {start_date[:20]!r} is no date: the nearest run is meant", where)
        start_date = ""
    if not start_date:
        start_date = _running_day(scheduled, context) if scheduled else service_date(context.now, context.timezone)
    elif scheduled and context.static and relationship in _NEEDS_SCHEDULE and not context.static.runs_on(scheduled, start_date):
        findings.add("NO_SERVICE_ON_DATE", f"trip {trip_id!r} does not run on {start_date}", where)
        return
    stop_times = tuple(_stop_times(update, scheduled, context, findings, start_date, where))
    instance, start_time_s = trip_id, _clock_s(update.trip.start_time)
    if relationship == "DUPLICATED":  # the record keeps naming the trip that is copied
        instance, start_time_s = update.trip_properties.trip_id, _clock_s(update.trip_properties.start_time)
        copied = update.trip_properties.start_date
        start_date = copied if is_date(copied) else start_date
    yield TripUpdate(
        feed=context.feed, entity=f"{instance}|{start_date}", observed_at=observed, received_at=context.now,
        valid_until=max(observed, published) + VALID_TRIP_S, provenance=context.provenance(ADAPTER),
        static_feed=context.static_feed, trip_id=trip_id,
        route_id=update.trip.route_id or (scheduled.route_id if scheduled else ""),
        direction_id=update.trip.direction_id if update.trip.HasField("direction_id") else None,
        start_date=start_date, start_time_s=start_time_s,
        relationship=cast(Any, relationship), delay_s=_delay(update, findings, where), stop_times=stop_times,
    )  # fmt: skip


def _relationship(trip: Any, findings: Findings, where: str) -> str:
    try:
        name = str(pb.TripDescriptor.ScheduleRelationship.Name(trip.schedule_relationship))
    except ValueError:
        name = ""
    if name not in _RELATIONSHIPS:
        findings.add("unexpected_enum_value", f"schedule_relationship {trip.schedule_relationship}: read as SCHEDULED", where)
        return "SCHEDULED"
    return name


def _clock_s(text: str) -> int | None:
    parts = text.split(":")
    if len(text) > 16 or len(parts) != 3 or not all(part.strip().isascii() and part.strip().isdigit() for part in parts):
        return None
    hours, minutes, seconds = (int(part) for part in parts)
    start_s = hours * 3600 + minutes * 60 + seconds
    return start_s if start_s <= MAX_START_S else None


def _running_day(trip: TripInfo, context: SourceContext) -> str:
    """Service day on which `trip` runs nearest to now: today, or yesterday for trips after midnight (or tomorrow's first)."""
    static = cast(StaticIndex, context.static)
    today = service_date(context.now, context.timezone)
    best, best_gap = today, None
    for day in (
        today,
        service_date(context.now - DAY_S, context.timezone),
        service_date(context.now + DAY_S, context.timezone),
    ):
        if not static.runs_on(trip, day):
            continue
        base = static.service_day_start(day)
        begin, end = base + trip.departure_s[0], base + trip.arrival_s[-1]
        gap = max(begin - context.now, context.now - end, 0)
        if best_gap is None or gap < best_gap:
            best, best_gap = day, gap
    return best


def _stop_times(
    update: Any, scheduled: TripInfo | None, context: SourceContext, findings: Findings, start_date: str, where: str
) -> Iterator[StopTimeUpdate]:
    base = context.static.service_day_start(start_date) if context.static and scheduled else None
    rows: list[StopTimeUpdate] = []
    for stop in update.stop_time_update:
        position = _position(stop, scheduled, len(rows)) if scheduled else None
        if scheduled and position is None:
            findings.add("INVALID_STOP_REFERENCE", f"trip does not call at {_stop_name(stop)}", where)
            continue
        row = _stop_time(stop, scheduled, position, base, findings, where)
        if row is not None:
            rows.append(row)
    sequences = [row.stop_sequence for row in rows if row.stop_sequence is not None]
    if len(sequences) == len(rows) and sequences != sorted(sequences):
        findings.add("unsorted_stop_sequence", "stop updates are not in order of the trip: sorted", where)
        rows.sort(key=lambda row: row.stop_sequence or 0)
    times = [t for row in rows for t in (row.arrival_time, row.departure_time) if t is not None]
    if any(later < earlier for earlier, later in itertools.pairwise(times)):
        findings.add("decreasing_times", "predicted times go back along the trip", where)
    yield from rows


def _delay(update: Any, findings: Findings, where: str) -> int | None:
    """Delay of the whole trip; None where it is not said or impossible."""
    if not update.HasField("delay"):
        return None
    delay = int(update.delay)
    if abs(delay) > MAX_DELAY_S:
        findings.add("value_out_of_range", f"a delay of {delay} s: not used", where)
        return None
    return delay


def _stop_name(stop: Any) -> str:
    return f"stop {stop.stop_id!r}" if stop.stop_id else f"stop_sequence {stop.stop_sequence}"


def _position(stop: Any, trip: TripInfo, after: int) -> int | None:
    """Index of the call meant: by sequence where given (and consistent with the stop id), else the next call at the stop."""
    if stop.HasField("stop_sequence"):
        try:
            position = trip.stop_sequences.index(stop.stop_sequence)
        except ValueError:
            position = -1
        if position >= 0 and (not stop.stop_id or stop.stop_id == trip.stop_ids[position]):
            return position
        if not stop.stop_id:
            return None
    for start in (min(after, len(trip.stop_ids)), 0):
        for position in range(start, len(trip.stop_ids)):
            if trip.stop_ids[position] == stop.stop_id:
                return position
    return None


def _stop_time(
    stop: Any, scheduled: TripInfo | None, position: int | None, base: int | None, findings: Findings, where: str
) -> StopTimeUpdate | None:
    arrival_delay, arrival_time = _event(stop, "arrival")
    departure_delay, departure_time = _event(stop, "departure")
    if scheduled and position is not None and base is not None:
        arrival_delay = _settle(arrival_time, arrival_delay, base + scheduled.arrival_s[position], findings, where)
        departure_delay = _settle(departure_time, departure_delay, base + scheduled.departure_s[position], findings, where)
    if any(t is not None and not POSIX_MIN <= t <= POSIX_MAX for t in (arrival_time, departure_time)):
        findings.add("value_out_of_range", "a predicted time that is not in unix seconds: stop update dropped", where)
        return None
    if any(d is not None and abs(d) > MAX_DELAY_S for d in (arrival_delay, departure_delay)):
        findings.add("value_out_of_range", "a delay of more than a day: stop update dropped", where)
        return None
    return StopTimeUpdate(
        stop_sequence=scheduled.stop_sequences[position] if scheduled and position is not None
        else (stop.stop_sequence if stop.HasField("stop_sequence") else None),
        stop_id=scheduled.stop_ids[position] if scheduled and position is not None else stop.stop_id,
        arrival_delay_s=arrival_delay, departure_delay_s=departure_delay,
        arrival_time=arrival_time, departure_time=departure_time,
        relationship=cast(Any, pb.TripUpdate.StopTimeUpdate.ScheduleRelationship.Name(stop.schedule_relationship)),
    )  # fmt: skip


def _event(stop: Any, name: str) -> tuple[int | None, int | None]:
    if not stop.HasField(name):
        return None, None
    event = getattr(stop, name)
    return (event.delay if event.HasField("delay") else None), (int(event.time) if event.HasField("time") else None)


def _settle(time: int | None, delay: int | None, scheduled_at: int, findings: Findings, where: str) -> int | None:
    """Delay that fits the given absolute time; the time wins where both are given and disagree."""
    if time is None:
        return delay
    if delay is not None and abs(time - scheduled_at - delay) > CONFLICT_S:
        findings.add("time_delay_conflict", f"time says {time - scheduled_at} s, delay says {delay} s: time wins", where)
    return time - scheduled_at
