"""Stop times and frequencies of a GTFS feed: each trip is judged on its own and quarantined when it cannot be used."""

import itertools
from collections.abc import Mapping
from functools import lru_cache

from services.ingest.sources.base import Findings, TripInfo
from services.ingest.sources.gtfs_archive import Archive

Call = tuple[int, str, int, int, int]
"""(stop_sequence, stop_id or flex place, arrival_s, departure_s, line); -1 = no time given, -2 = not a time."""

MAX_TIME_S = 7 * 86_400


@lru_cache(maxsize=200_000)
def clock_s(text: str) -> int:
    """Seconds of H:MM:SS, -1 for the empty text, -2 for what is no time."""
    if not text:
        return -1
    parts = text.split(":")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):
        return -2
    hours, minutes, seconds = (int(part) for part in parts)
    total = hours * 3600 + minutes * 60 + seconds
    return total if minutes < 60 and seconds < 60 and total <= MAX_TIME_S else -2


def read_calls(
    archive: Archive,
    findings: Findings,
    trip_route: Mapping[str, tuple[str, str]],
    stops: Mapping[str, tuple[float, float] | None],
    frequency_trips: set[str],
) -> dict[str, TripInfo]:
    """Usable trips of stop_times.txt by id; GTFS-Flex trips run within windows, have no times to check, and are left out."""
    calls: dict[str, list[Call]] = {}
    quarantined: set[str] = set()
    flexible: set[str] = set()
    for line, row in archive.rows("stop_times.txt"):
        where = f"stop_times.txt:{line}"
        trip_id = row["trip_id"]
        if trip_id not in trip_route:
            findings.add("foreign_key_violation", f"trip {trip_id!r} is unknown or dropped", where)
            continue
        sequence = row["stop_sequence"]
        if not (sequence.isascii() and sequence.isdigit()):
            findings.add("invalid_integer", f"stop_sequence {sequence[:20]!r}: trip {trip_id!r} quarantined", where)
            quarantined.add(trip_id)
            continue
        stop_id = row.get("stop_id") or row.get("location_group_id") or row.get("location_id") or ""
        if not stop_id or (row.get("stop_id") and stop_id not in stops):
            code = "foreign_key_violation" if stop_id else "missing_required_field"
            findings.add(code, f"stop {stop_id!r} is unknown: call dropped", where)
            continue
        arrival, departure = clock_s(row.get("arrival_time", "")), clock_s(row.get("departure_time", ""))
        if arrival == -2 or departure == -2:
            findings.add("invalid_time", f"a time of trip {trip_id!r} is not H:MM:SS: trip quarantined", where)
            quarantined.add(trip_id)
            continue
        if row.get("start_pickup_drop_off_window") or row.get("end_pickup_drop_off_window"):
            flexible.add(trip_id)
        calls.setdefault(trip_id, []).append((int(sequence), stop_id, arrival, departure, line))
    trips: dict[str, TripInfo] = {}
    for trip_id, (route_id, service_id) in trip_route.items():
        if trip_id in quarantined or trip_id in flexible:
            continue
        found = _usable(trip_id, calls.get(trip_id, []), findings)
        if found is not None:
            trips[trip_id] = TripInfo(
                route_id, tuple(c[1] for c in found), tuple(c[0] for c in found), tuple(c[2] for c in found),
                tuple(c[3] for c in found), service_id, trip_id in frequency_trips,
            )  # fmt: skip
    return trips


def _usable(trip_id: str, calls: list[Call], findings: Findings) -> list[Call] | None:
    """Calls in order with all times filled in, or None (and a finding) for a trip that is quarantined."""
    if len(calls) < 2:
        findings.add("unusable_trip", f"trip {trip_id!r} has {len(calls)} stops", "trips.txt")
        return None
    calls.sort(key=lambda call: call[0])
    for before, after in itertools.pairwise(calls):
        if before[0] == after[0]:
            findings.add("duplicate_key", f"trip {trip_id!r} has stop_sequence {after[0]} twice", f"stop_times.txt:{after[4]}")
            return None
    filled = [(q, s, a if a >= 0 else d, d if d >= 0 else a, n) for q, s, a, d, n in calls]
    where = f"stop_times.txt:{calls[0][4]}"
    if filled[0][2] < 0 or filled[-1][2] < 0:
        findings.add("missing_trip_edge", f"trip {trip_id!r} has no time at its first or last stop", where)
        return None
    last = -1
    for _, _, arrival, departure, line in filled:
        if arrival < 0:
            continue
        where = f"stop_times.txt:{line}"
        if arrival < last:
            code = "stop_time_with_arrival_before_previous_departure_time"
            findings.add(code, f"time goes back in trip {trip_id!r}", where)
            return None
        if departure < arrival:
            code = "stop_time_with_departure_before_arrival_time"
            findings.add(code, f"departure before arrival in trip {trip_id!r}", where)
            return None
        last = departure
    return _interpolate(filled)


def _interpolate(calls: list[Call]) -> list[Call]:
    """Fill calls without times evenly between their neighbours (GTFS leaves the way open)."""
    answer = list(calls)
    index = 0
    while index < len(answer):
        if answer[index][2] >= 0:
            index += 1
            continue
        end = next(i for i in range(index, len(answer)) if answer[i][2] >= 0)
        begin_s, end_s = answer[index - 1][3], answer[end][2]
        for i in range(index, end):
            at = begin_s + (end_s - begin_s) * (i - index + 1) // (end - index + 1)
            answer[i] = (answer[i][0], answer[i][1], at, at, answer[i][4])
        index = end
    return answer


def check_frequencies(
    archive: Archive, findings: Findings, trip_route: Mapping[str, tuple[str, str]], frequency_trips: set[str]
) -> None:
    """Check frequencies.txt; trips that run by frequency are added to `frequency_trips`."""
    spans: dict[str, list[tuple[int, int, str]]] = {}
    for line, row in archive.rows("frequencies.txt"):
        where = f"frequencies.txt:{line}"
        trip_id = row.get("trip_id", "")
        if trip_id not in trip_route:
            findings.add("foreign_key_violation", f"trip {trip_id!r} is unknown", where)
            continue
        begin, end = clock_s(row.get("start_time", "")), clock_s(row.get("end_time", ""))
        headway = row.get("headway_secs", "")
        if begin < 0 or end < 0:
            findings.add("invalid_time", "start or end is no time", where)
        elif not headway.isdecimal() or int(headway) <= 0:
            findings.add("number_out_of_range", f"headway_secs {headway!r}", where)
        else:
            spans.setdefault(trip_id, []).append((begin, end, where))
            frequency_trips.add(trip_id)
    for trip_id, rows in spans.items():
        rows.sort()
        for before, after in itertools.pairwise(rows):
            if after[0] < before[1]:
                findings.add("overlapping_frequency", f"frequencies of trip {trip_id!r} overlap", after[2])
