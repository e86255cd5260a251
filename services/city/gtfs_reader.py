"""GTFS feeds → one `Timetable`.

Several feeds are joined, each with its own time zone, its own calendar shift and its own scope of ids. A feed is refused
(`GtfsError`) only when it cannot be used at all; a bad optional file, row or trip is left out and reported as a finding.

Not read: pathways, fares, flexible services, translations, transfers between single trips or routes.

References
----------
GTFS Schedule reference, https://gtfs.org/documentation/schedule/reference/
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt

from routing.model.timetable import Int32, Int64, Timetable
from routing.transit.timetable_build import TimetableParts, build_timetable
from services.city.gtfs_reader_calendar import day_starts_s, pack_services
from services.city.gtfs_reader_feed import FeedColumns, GtfsSource, read_feed
from services.city.gtfs_reader_tables import GtfsError
from services.city.gtfs_reader_transfers import WalkOptions, make_transfers
from services.common.records import Finding

__all__ = ["GtfsError", "GtfsSource", "WalkOptions", "read_timetable"]

Progress = Callable[[str], None]


def read_timetable(
    sources: Sequence[GtfsSource],
    progress: Progress | None = None,
    findings: list[Finding] | None = None,
    walk: WalkOptions | None = None,
) -> Timetable:
    """Read and join GTFS feeds; the same files always give the same timetable.

    Parameters
    ----------
    sources : sequence of GtfsSource
        At least one, with different ids.
    progress : callable, optional
        Called with one line of text before each step.
    findings : list of Finding, optional
        Everything wrong that did not stop the reading is appended.
    walk : WalkOptions, optional
        Straight-line footpaths between stops, to be replaced with street walks (`routing.transit.footpaths.with_footpaths`).

    Raises
    ------
    GtfsError
        If a feed cannot be used at all; the message names file, defect and remedy.
    ValueError
        If there is no source, or two share an id.
    """
    if not sources or len({source.id for source in sources}) < len(sources):
        raise ValueError("read_timetable: give at least one feed, each with its own id")
    say = progress or (lambda _: None)
    feeds: list[FeedColumns] = []
    for source in sources:
        say(f"reading the timetable {source.id} ({source.path.name})")
        feeds.append(read_feed(source))
    say("joining stops, trips and footpaths")
    timetable = build_timetable(_join(feeds, walk or WalkOptions()))
    if findings is not None:
        for feed in feeds:
            findings.extend(feed.tables.findings)
    return timetable


def _join(feeds: list[FeedColumns], walk: WalkOptions) -> TimetableParts:
    first_date = min(min(days) for feed in feeds for days in feed.services if days)
    day_count = max(max(days) for feed in feeds for days in feed.services if days) - first_date + 1
    first_stop = _starts(len(feed.stop_ids) for feed in feeds)
    lat = np.concatenate([feed.stop_lat_deg for feed in feeds])
    lon = np.concatenate([feed.stop_lon_deg for feed in feeds])
    call_stop = _shifted(feeds, first_stop, lambda feed: feed.calls.stop)
    served = np.zeros(len(lat), bool)
    served[call_stop] = True
    transfers = make_transfers(feeds, first_stop, served, lat, lon, walk)
    return TimetableParts(
        feed_ids=[feed.source.id for feed in feeds],
        feed_timezones=[feed.timezone.key for feed in feeds],
        feed_shift_days=np.array([feed.source.shift_days for feed in feeds], np.int32),
        first_date=first_date,
        day_start_s=np.stack([day_starts_s(feed.timezone, first_date, day_count) for feed in feeds]),
        service_days=pack_services((days for feed in feeds for days in feed.services), first_date, day_count),
        agency_ids=_texts(feeds, lambda feed: feed.agency_ids),
        agency_names=_texts(feeds, lambda feed: feed.agency_names),
        agency_urls=_texts(feeds, lambda feed: feed.agency_urls),
        stop_ids=_texts(feeds, lambda feed: feed.stop_ids),
        stop_names=_texts(feeds, lambda feed: feed.stop_names),
        stop_codes=_texts(feeds, lambda feed: feed.stop_codes),
        stop_zones=_texts(feeds, lambda feed: feed.stop_zones),
        stop_platforms=_texts(feeds, lambda feed: feed.stop_platforms),
        stop_feed=_feed_numbers(feeds, lambda feed: len(feed.stop_ids)),
        stop_lat_deg=lat,
        stop_lon_deg=lon,
        stop_parent=_shifted(feeds, first_stop, lambda feed: feed.stop_parent),
        stop_location_type=np.concatenate([feed.stop_location_type for feed in feeds]),
        stop_wheelchair=np.concatenate([feed.stop_wheelchair for feed in feeds]),
        stop_min_change_s=transfers.min_change_s,
        route_ids=_texts(feeds, lambda feed: feed.route_ids),
        route_short_names=_texts(feeds, lambda feed: feed.route_short_names),
        route_long_names=_texts(feeds, lambda feed: feed.route_long_names),
        route_feed=_feed_numbers(feeds, lambda feed: len(feed.route_ids)),
        route_agency=_shifted(feeds, _starts(len(feed.agency_ids) for feed in feeds), lambda feed: feed.route_agency),
        route_type=np.concatenate([feed.route_type for feed in feeds]),
        route_color=np.concatenate([feed.route_color for feed in feeds]),
        route_text_color=np.concatenate([feed.route_text_color for feed in feeds]),
        trip_ids=_texts(feeds, lambda feed: feed.trip_ids),
        trip_route=_shifted(feeds, _starts(len(feed.route_ids) for feed in feeds), lambda feed: feed.trip_route),
        trip_service=_shifted(feeds, _starts(len(feed.services) for feed in feeds), lambda feed: feed.trip_service),
        trip_headsign=_texts(feeds, lambda feed: feed.trip_headsign),
        trip_short_name=_texts(feeds, lambda feed: feed.trip_short_name),
        trip_direction=np.concatenate([feed.trip_direction for feed in feeds]),
        trip_block=_shifted(feeds, _starts(_highest(feed.trip_block) + 1 for feed in feeds), lambda feed: feed.trip_block),
        trip_wheelchair=np.concatenate([feed.trip_wheelchair for feed in feeds]),
        trip_bikes=np.concatenate([feed.trip_bikes for feed in feeds]),
        trip_shape=_shifted(feeds, _starts(len(feed.first_shape_point) - 1 for feed in feeds), lambda feed: feed.trip_shape),
        first_call=_offsets(feeds, lambda feed: feed.calls.first_call),
        call_stop=call_stop,
        call_arrival_s=np.concatenate([feed.calls.arrival_s for feed in feeds]),
        call_departure_s=np.concatenate([feed.calls.departure_s for feed in feeds]),
        call_sequence=np.concatenate([feed.calls.sequence for feed in feeds]),
        call_pickup=np.concatenate([feed.calls.pickup for feed in feeds]),
        call_drop_off=np.concatenate([feed.calls.drop_off for feed in feeds]),
        footpath_from=transfers.source,
        footpath_to=transfers.target,
        footpath_s=transfers.seconds,
        first_shape_point=_offsets(feeds, lambda feed: feed.first_shape_point),
        shape_lat_e7=np.concatenate([feed.shape_lat_e7 for feed in feeds]),
        shape_lon_e7=np.concatenate([feed.shape_lon_e7 for feed in feeds]),
    )


def _starts(counts: Iterable[int]) -> list[int]:
    """Where each feed's numbers begin in the joined columns."""
    starts = [0]
    for count in counts:
        starts.append(starts[-1] + count)
    return starts[:-1]


def _shifted(feeds: list[FeedColumns], starts: list[int], column: Callable[[FeedColumns], Int32]) -> Int32:
    """Join a column of feed-local numbers; -1 stays -1."""
    parts = zip(starts, map(column, feeds), strict=True)
    return np.concatenate([np.where(values >= 0, values + start, values) for start, values in parts]).astype(np.int32)


def _offsets(feeds: list[FeedColumns], column: Callable[[FeedColumns], Int64]) -> Int64:
    sizes = [np.diff(column(feed)) for feed in feeds]
    return np.concatenate(([0], np.cumsum(np.concatenate(sizes)))).astype(np.int64)


def _texts(feeds: list[FeedColumns], column: Callable[[FeedColumns], list[str]]) -> list[str]:
    return [text for feed in feeds for text in column(feed)]


def _feed_numbers(feeds: list[FeedColumns], count: Callable[[FeedColumns], int]) -> Int32:
    return np.repeat(np.arange(len(feeds), dtype=np.int32), [count(feed) for feed in feeds])


def _highest(values: npt.NDArray[np.int32]) -> int:
    return int(values.max(initial=-1))
