"""stop_times.txt and frequencies.txt → the calls of every trip as arrays, bad trips set aside."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import polars as pl

from routing.model.timetable import Int32, Int64, UInt8
from routing.transit.footpaths import beeline_m
from services.city.gtfs_reader_tables import GtfsTables

UNKNOWN = -1
MAX_SHOWN = 5
"""Trips named in one finding; the others are counted."""


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls of the usable trips, one trip after the other.

    Attributes
    ----------
    trip : int64[n]
        Row of trips.txt of each trip kept (several times if it was made from frequencies.txt).
    first_call : int64[n + 1]
    stop, arrival_s, departure_s, sequence : int32[x]
        `stop` is a row of stops.txt.
    pickup, drop_off : uint8[x]
    """

    trip: Int64
    first_call: Int64
    stop: Int32
    arrival_s: Int32
    departure_s: Int32
    sequence: Int32
    pickup: UInt8
    drop_off: UInt8


def read_calls(feed: GtfsTables, lat_deg: npt.NDArray[np.float64], lon_deg: npt.NDArray[np.float64]) -> Calls:
    """Read stop_times.txt, fill in missing times, set unusable trips aside, and expand frequencies.txt."""
    frame = _resolve(feed)
    trip = frame["trip"].to_numpy().astype(np.int64)
    calls = Calls(
        *_runs(trip),
        frame["stop"].to_numpy().astype(np.int32),
        frame["arrival"].to_numpy().astype(np.int32),
        frame["departure"].to_numpy().astype(np.int32),
        frame["sequence"].to_numpy().astype(np.int32),
        frame["pickup"].to_numpy().astype(np.uint8),
        frame["drop_off"].to_numpy().astype(np.uint8),
    )
    calls = _interpolated(calls, lat_deg, lon_deg)
    return _with_frequencies(feed, _usable(feed, calls))


def parse_times(column: str) -> pl.Expr:
    """Seconds of a GTFS time column (H:MM:SS, hours may pass 24), -1 where empty or not a time."""
    parts = pl.col(column).str.splitn(":", 3)
    fields = [parts.struct.field(f"field_{i}").cast(pl.Int32, strict=False) for i in range(3)]
    seconds = fields[0] * 3600 + fields[1] * 60 + fields[2]
    bad = (fields[1] >= 60) | (fields[2] >= 60) | (fields[0] < 0) | (fields[0] > 240)
    return pl.when(bad.fill_null(True)).then(UNKNOWN).otherwise(seconds).fill_null(UNKNOWN).cast(pl.Int32)


def _resolve(feed: GtfsTables) -> pl.DataFrame:
    """Rows of stop_times.txt with numbers for ids, sorted by trip and sequence."""
    raw = feed.tables["stop_times"]
    for optional in ("pickup_type", "drop_off_type"):
        if optional not in raw.columns:
            raw = raw.with_columns(pl.lit("0").alias(optional))
    trips = feed.tables["trips"].select("trip_id").with_row_index("trip").unique("trip_id", keep="first", maintain_order=True)
    stops = feed.tables["stops"].select("stop_id").with_row_index("stop").unique("stop_id", keep="first", maintain_order=True)
    frame = raw.join(trips, on="trip_id", how="left").join(stops, on="stop_id", how="left")
    orphans = frame["trip"].null_count()
    if orphans:
        feed.report("foreign_key_violation", "warning", "stop_times.txt", f"{orphans} rows of trips not in trips.txt; left out")
        frame = frame.filter(pl.col("trip").is_not_null())
    return frame.select(
        pl.col("trip").cast(pl.Int64),
        pl.col("stop").cast(pl.Int32).fill_null(UNKNOWN),
        parse_times("arrival_time").alias("arrival"),
        parse_times("departure_time").alias("departure"),
        pl.col("stop_sequence").cast(pl.Int32, strict=False).fill_null(UNKNOWN).alias("sequence"),
        _kind("pickup_type").alias("pickup"),
        _kind("drop_off_type").alias("drop_off"),
    ).sort("trip", "sequence", maintain_order=True)


def _kind(column: str) -> pl.Expr:
    number = pl.col(column).cast(pl.UInt8, strict=False).fill_null(0)
    return pl.when(number > 3).then(0).otherwise(number).cast(pl.UInt8)


def _runs(trip: Int64) -> tuple[Int64, Int64]:
    """Different values of a sorted array, and where each begins (with the end)."""
    if not len(trip):
        return trip, np.zeros(1, np.int64)
    starts = np.flatnonzero(np.concatenate(([True], trip[1:] != trip[:-1])))
    return trip[starts], np.concatenate((starts, [len(trip)])).astype(np.int64)


def _interpolated(calls: Calls, lat_deg: npt.NDArray[np.float64], lon_deg: npt.NDArray[np.float64]) -> Calls:
    """Fill in times between timed stops in proportion to the straight-line distance, as GTFS allows feeds to leave out."""
    arrival = np.where(calls.arrival_s < 0, calls.departure_s, calls.arrival_s)
    departure = np.where(calls.departure_s < 0, calls.arrival_s, calls.departure_s)
    missing = np.flatnonzero(arrival < 0)
    for trip in np.unique(np.searchsorted(calls.first_call, missing, side="right") - 1):
        a, b = calls.first_call[trip], calls.first_call[trip + 1]
        timed = np.flatnonzero(arrival[a:b] >= 0)
        if len(timed) < 2 or timed[0] != 0 or timed[-1] != b - a - 1 or calls.stop[a:b].min() < 0:
            continue
        lat, lon = lat_deg[calls.stop[a:b]], lon_deg[calls.stop[a:b]]
        # One metre a stop keeps stops at the same place (or without one) in order.
        along = np.concatenate(([0.0], np.cumsum(np.nan_to_num(beeline_m(lat[:-1], lon[:-1], lat[1:], lon[1:])) + 1.0)))
        for left, right in pairwise(timed):
            share = (along[left + 1 : right] - along[left]) / (along[right] - along[left])
            begin, end = int(departure[a + left]), int(arrival[a + right])
            times = np.round(begin + share * (end - begin)).astype(np.int32)
            arrival[a + left + 1 : a + right] = times
            departure[a + left + 1 : a + right] = times
    return Calls(calls.trip, calls.first_call, calls.stop, arrival, departure, calls.sequence, calls.pickup, calls.drop_off)


def _usable(feed: GtfsTables, calls: Calls) -> Calls:
    """Set aside the trips that cannot be ridden, each kind with a finding."""
    inner = np.ones(len(calls.stop), bool)
    inner[calls.first_call[:-1]] = False
    before = np.maximum(np.arange(len(calls.stop)) - 1, 0)
    wrong = {
        "unusable_trip": ("has fewer than two stops", np.diff(calls.first_call) < 2),
        "foreign_key_violation": ("calls at a stop that is not in stops.txt", _any(calls, calls.stop < 0)),
        "invalid_stop_sequence": ("has a stop_sequence that is not a number", _any(calls, calls.sequence < 0)),
        "duplicate_key": ("has a stop_sequence twice", _any(calls, inner & (calls.sequence == calls.sequence[before]))),
        "missing_trip_edge": ("lacks times", _any(calls, calls.arrival_s < 0)),
        "stop_time_with_arrival_before_previous_departure_time": (
            "goes back in time",
            _any(calls, (inner & (calls.arrival_s < calls.departure_s[before])) | (calls.departure_s < calls.arrival_s)),
        ),
    }
    keep = np.ones(len(calls.trip), bool)
    names = feed.tables["trips"]["trip_id"]
    uncalled = len(names) - len(calls.trip)
    if uncalled:
        feed.report("unusable_trip", "warning", "trips.txt", f"{uncalled} trips have no row in stop_times.txt; left out")
    for code, (what, bad) in wrong.items():
        rows = calls.trip[bad & keep]
        keep &= ~bad
        if len(rows):
            shown = ", ".join(names[int(row)] for row in rows[:MAX_SHOWN]) + (" …" if len(rows) > MAX_SHOWN else "")
            feed.report(code, "warning", "stop_times.txt", f"{len(rows)} trips set aside, each {what}: {shown}")
    return select_trips(calls, np.flatnonzero(keep))


def _any(calls: Calls, flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Whether any call of each trip is flagged."""
    if not len(flags):
        return np.zeros(len(calls.trip), bool)
    return np.logical_or.reduceat(flags, calls.first_call[:-1])


def select_trips(calls: Calls, trips: Int64, shift_s: Int64 | None = None) -> Calls:
    """The given trips in the given order (repeats allowed), each shifted in time."""
    lengths = np.diff(calls.first_call)[trips]
    first = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
    rows = np.repeat(calls.first_call[:-1][trips] - first[:-1], lengths) + np.arange(first[-1])
    later = np.repeat(np.zeros(len(trips), np.int64) if shift_s is None else shift_s, lengths)
    return Calls(
        calls.trip[trips],
        first,
        calls.stop[rows],
        (calls.arrival_s[rows] + later).astype(np.int32),
        (calls.departure_s[rows] + later).astype(np.int32),
        calls.sequence[rows],
        calls.pickup[rows],
        calls.drop_off[rows],
    )


def _with_frequencies(feed: GtfsTables, calls: Calls) -> Calls:
    """Replace each trip of frequencies.txt by one trip a departure (headway trips are treated as if they kept to it)."""
    if "frequencies" not in feed.tables:
        return calls
    starts = _frequency_starts(feed)
    if not starts:
        return calls
    names = feed.tables["trips"]["trip_id"]
    chosen: list[int] = []
    shift: list[int] = []
    for i, row in enumerate(calls.trip.tolist()):
        first = int(calls.departure_s[calls.first_call[i]])
        wanted = starts.get(names[row])
        chosen += [i] * (1 if wanted is None else len(wanted))
        shift += [0] if wanted is None else [start - first for start in wanted]
    return select_trips(calls, np.array(chosen, np.int64), np.array(shift, np.int64))


def _frequency_starts(feed: GtfsTables) -> dict[str, list[int]]:
    """Departures of each trip named in frequencies.txt."""
    frame = feed.tables["frequencies"].select(
        "trip_id",
        parse_times("start_time").alias("start"),
        parse_times("end_time").alias("end"),
        pl.col("headway_secs").cast(pl.Int32, strict=False).fill_null(0).alias("headway"),
    )
    starts: dict[str, list[int]] = {}
    until: dict[str, int] = {}
    for trip, start, end, headway in frame.sort("trip_id", "start", maintain_order=True).iter_rows():
        if headway <= 0 or start < 0 or end <= start:
            feed.report("number_out_of_range", "warning", "frequencies.txt", f"trip {trip}: headway {headway} s; row left out")
            continue
        begin = start
        if start < until.get(trip, 0):
            feed.report(
                "overlapping_frequency", "warning", "frequencies.txt", f"trip {trip}: rows overlap; the later begins later"
            )
            begin += -(-(until[trip] - start) // headway) * headway
        until[trip] = max(until.get(trip, 0), end)
        starts.setdefault(trip, []).extend(range(begin, end, headway))
    return starts
