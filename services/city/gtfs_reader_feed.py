"""One GTFS feed → columns with feed-scoped ids and feed-local numbers, ready to be joined with other feeds."""

from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import polars as pl

from routing.model.timetable import Int32, Int64, UInt8
from services.city.gtfs_reader_calendar import read_service_dates, read_timezone
from services.city.gtfs_reader_calls import Calls, read_calls, select_trips
from services.city.gtfs_reader_tables import GtfsTables, read_tables

NONE = -1


@dataclass(frozen=True, slots=True)
class GtfsSource:
    """A GTFS feed to read.

    Attributes
    ----------
    id : str
        Scope of its ids (``stcp`` makes ``stcp:…``); no colon.
    path : Path
        Zip archive or unpacked folder.
    shift_days : int
        Days added to all its dates, so that feeds of different years can be served together; multiples of 7 keep weekdays.
    """

    id: str
    path: Path
    shift_days: int = 0

    def __post_init__(self) -> None:
        if not self.id or ":" in self.id:
            raise ValueError(f"feed id {self.id!r}: give a short name without a colon")


@dataclass(frozen=True, slots=True)
class FeedColumns:
    """Columns of one feed; indices count from 0 within the feed, names as in `TimetableParts`."""

    source: GtfsSource
    timezone: ZoneInfo
    tables: GtfsTables
    services: list[set[int]]
    agency_ids: list[str]
    agency_names: list[str]
    agency_urls: list[str]
    stop_ids: list[str]
    stop_names: list[str]
    stop_codes: list[str]
    stop_zones: list[str]
    stop_platforms: list[str]
    stop_lat_deg: npt.NDArray[np.float64]
    stop_lon_deg: npt.NDArray[np.float64]
    stop_parent: Int32
    stop_location_type: UInt8
    stop_wheelchair: UInt8
    route_ids: list[str]
    route_short_names: list[str]
    route_long_names: list[str]
    route_agency: Int32
    route_type: Int32
    route_color: Int32
    route_text_color: Int32
    trip_ids: list[str]
    trip_route: Int32
    trip_service: Int32
    trip_headsign: list[str]
    trip_short_name: list[str]
    trip_direction: npt.NDArray[np.int8]
    trip_block: Int32
    trip_wheelchair: UInt8
    trip_bikes: UInt8
    trip_shape: Int32
    calls: Calls
    first_shape_point: Int64
    shape_lat_e7: Int32
    shape_lon_e7: Int32


def read_feed(source: GtfsSource) -> FeedColumns:
    """Read one feed.

    Raises
    ------
    GtfsError
        If it cannot be used at all (see `GtfsTables`); whatever else is wrong is in ``tables.findings``.
    """
    feed = read_tables(source.path, source.id)
    for table, key in (("stops", "stop_id"), ("routes", "route_id"), ("trips", "trip_id")):
        _drop_duplicates(feed, table, key)
    timezone = read_timezone(feed)
    dates = read_service_dates(feed, source.shift_days)
    prefix = source.id + ":"
    lat, lon, parent = _stop_positions(feed)
    calls = _running(feed, read_calls(feed, lat, lon), dates)
    agency_ids, route_agency = _agencies(feed)
    service_numbers = {service: i for i, service in enumerate(dates)}
    shape_numbers, first_shape_point, shape_lat, shape_lon = _shapes(feed)
    rows = calls.trip

    def of_trips(name: str) -> list[str]:
        column = feed.column("trips", name)
        return [column[row] for row in rows]

    return FeedColumns(
        source=source,
        timezone=timezone,
        tables=feed,
        services=list(dates.values()),
        agency_ids=[prefix + name for name in agency_ids],
        agency_names=feed.column("agency", "agency_name"),
        agency_urls=feed.column("agency", "agency_url"),
        stop_ids=[prefix + name for name in feed.column("stops", "stop_id")],
        stop_names=feed.column("stops", "stop_name"),
        stop_codes=feed.column("stops", "stop_code"),
        stop_zones=feed.column("stops", "zone_id"),
        stop_platforms=feed.column("stops", "platform_code"),
        stop_lat_deg=lat,
        stop_lon_deg=lon,
        stop_parent=parent,
        stop_location_type=_numbers(feed.column("stops", "location_type"), 0, 4).astype(np.uint8),
        stop_wheelchair=_inherited(_numbers(feed.column("stops", "wheelchair_boarding"), 0, 2).astype(np.uint8), parent),
        route_ids=[prefix + name for name in feed.column("routes", "route_id")],
        route_short_names=feed.column("routes", "route_short_name"),
        route_long_names=feed.column("routes", "route_long_name"),
        route_agency=route_agency,
        route_type=_numbers(feed.column("routes", "route_type"), 3, 1799),
        route_color=_colors(feed.column("routes", "route_color")),
        route_text_color=_colors(feed.column("routes", "route_text_color")),
        trip_ids=[prefix + name for name in of_trips("trip_id")],
        trip_route=_lookup(of_trips("route_id"), {name: i for i, name in enumerate(feed.column("routes", "route_id"))}),
        trip_service=_lookup(of_trips("service_id"), service_numbers),
        trip_headsign=of_trips("trip_headsign"),
        trip_short_name=of_trips("trip_short_name"),
        trip_direction=_numbers(of_trips("direction_id"), NONE, 1).astype(np.int8),
        trip_block=_blocks(of_trips("block_id")),
        trip_wheelchair=_numbers(of_trips("wheelchair_accessible"), 0, 2).astype(np.uint8),
        trip_bikes=_numbers(of_trips("bikes_allowed"), 0, 2).astype(np.uint8),
        trip_shape=_lookup(of_trips("shape_id"), shape_numbers),
        calls=calls,
        first_shape_point=first_shape_point,
        shape_lat_e7=shape_lat,
        shape_lon_e7=shape_lon,
    )


def _drop_duplicates(feed: GtfsTables, table: str, key: str) -> None:
    frame = feed.tables[table]
    unique = frame.unique(key, keep="first", maintain_order=True)
    if unique.height < frame.height:
        feed.report(
            "duplicate_key", "warning", f"{table}.txt", f"{frame.height - unique.height} repeated {key}; the first counts"
        )
        feed.tables[table] = unique


def _running(feed: GtfsTables, calls: Calls, dates: dict[str, set[int]]) -> Calls:
    """Leave out trips of unknown routes, and of services that never run."""
    routes = set(feed.column("routes", "route_id"))
    route, service = feed.column("trips", "route_id"), feed.column("trips", "service_id")
    known = np.array([route[row] in routes for row in calls.trip], bool)
    runs = np.array([bool(dates.get(service[row])) for row in calls.trip], bool)
    if not known.all():
        feed.report("foreign_key_violation", "warning", "trips.txt", f"{(~known).sum()} trips of unknown routes; left out")
    if not (runs | ~known).all():
        count = int((known & ~runs).sum())
        feed.report("unusable_service", "info", "trips.txt", f"{count} trips whose service runs on no day; left out")
    return select_trips(calls, np.flatnonzero(known & runs))


def _stop_positions(feed: GtfsTables) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], Int32]:
    """Latitude, longitude and parent of each stop; a stop without position takes its station's."""
    lat, lon = (_degrees(feed.column("stops", name), limit) for name, limit in (("stop_lat", 90.0), ("stop_lon", 180.0)))
    numbers = {name: i for i, name in enumerate(feed.column("stops", "stop_id"))}
    parent = _lookup(feed.column("stops", "parent_station"), numbers)
    lost = np.isnan(lat) | np.isnan(lon)
    lat, lon = (np.where(lost & (parent >= 0), axis[parent], axis) for axis in (lat, lon))
    near_origin = np.flatnonzero((np.abs(lat) < 1) & (np.abs(lon) < 1))
    ids = feed.column("stops", "stop_id")
    for stop in near_origin:
        feed.report(
            "point_near_origin", "warning", "stops.txt", f"stop {ids[stop]} lies at {lat[stop]}, {lon[stop]}; not walked to"
        )
        lat[stop] = lon[stop] = np.nan
    nowhere = int(np.isnan(lat).sum()) - len(near_origin)
    if nowhere:
        feed.report("stop_without_location", "warning", "stops.txt", f"{nowhere} stops have no position; not walked to")
    return lat, lon, parent


def _inherited(values: UInt8, parent: Int32) -> UInt8:
    return np.where((values == 0) & (parent >= 0), values[parent], values).astype(np.uint8)


def _agencies(feed: GtfsTables) -> tuple[list[str], Int32]:
    """Agency ids, and the agency of each route; a feed with one agency need not name it."""
    ids = feed.column("agency", "agency_id")
    numbers = {name: i for i, name in enumerate(ids)}
    only = 0 if len(ids) == 1 else NONE
    named = feed.column("routes", "agency_id")
    agency = np.array([numbers.get(name, NONE) if name else numbers.get("", only) for name in named], np.int32)
    unknown = sum(1 for name in named if name and name not in numbers)
    if unknown:
        feed.report("foreign_key_violation", "warning", "routes.txt", f"{unknown} routes name an agency not in agency.txt")
    return ids, agency


def _shapes(feed: GtfsTables) -> tuple[dict[str, int], Int64, Int32, Int32]:
    empty = np.zeros(0, np.int32)
    if "shapes" not in feed.tables:
        return {}, np.zeros(1, np.int64), empty, empty
    points = (
        feed.tables["shapes"]
        .select(
            "shape_id",
            (pl.col("shape_pt_lat").cast(pl.Float64, strict=False) * 1e7).round().alias("lat"),
            (pl.col("shape_pt_lon").cast(pl.Float64, strict=False) * 1e7).round().alias("lon"),
            pl.col("shape_pt_sequence").cast(pl.Int32, strict=False).alias("sequence"),
        )
        .filter((pl.col("lat").abs() <= 9e8) & (pl.col("lon").abs() <= 18e8) & pl.col("sequence").is_not_null())
        .sort("shape_id", "sequence", maintain_order=True)
    )
    sizes = points.group_by("shape_id", maintain_order=True).len()
    first = np.concatenate(([0], np.cumsum(sizes["len"].to_numpy()))).astype(np.int64)
    numbers = {name: i for i, name in enumerate(sizes["shape_id"].to_list())}
    return numbers, first, points["lat"].to_numpy().astype(np.int32), points["lon"].to_numpy().astype(np.int32)


def _numbers(texts: list[str], default: int, highest: int) -> Int32:
    """Whole numbers of a column; `default` where empty, not a number, or out of range."""
    values = (int(text) if text.isascii() and text.isdigit() else default for text in texts)
    return np.array([value if value <= highest else default for value in values], np.int32)


def _degrees(texts: list[str], limit: float) -> npt.NDArray[np.float64]:
    values = pl.Series("degrees", texts, dtype=pl.String).cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy().copy()
    values[~(np.abs(values) <= limit)] = np.nan
    return values


def _colors(texts: list[str]) -> Int32:
    def color(text: str) -> int:
        try:
            return int(text.lstrip("#"), 16) if len(text.lstrip("#")) == 6 else NONE
        except ValueError:
            return NONE

    return np.array([color(text) for text in texts], np.int32)


def _lookup(texts: list[str], numbers: dict[str, int]) -> Int32:
    return np.array([numbers.get(text, NONE) for text in texts], np.int32)


def _blocks(texts: list[str]) -> Int32:
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(text, len(numbers)) if text else NONE for text in texts], np.int32)
