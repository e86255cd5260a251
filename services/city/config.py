"""`city.toml`: everything that is declared about a city.

A city is a folder with a ``city.toml``. Files named in it are looked for in that folder, then in the folders of
``TRABOULE_DATA`` (separated like ``PATH``; each with and without the city's name), then in its own `data_folders`.
Keys are strict: an unknown one is an error that names the nearest valid key.
"""

import datetime
import os
import re
import tomllib
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeVar

from services.city.config_checks import check_file, check_id, check_position, check_sha256, check_unique, check_url
from services.city.config_zones import HolidaysInput, ZoneInput
from services.city.elevation_input import ElevationInput
from services.city.errors import CityConfigError, CityInputError
from services.city.table_reader import FieldProblemError, read_table

T = TypeVar("T")

CITY_FILE = "city.toml"

FeedKind = Literal[
    "gtfs-rt", "gtfs-rt-trip-updates", "gtfs-rt-vehicle-positions", "gtfs-rt-alerts", "ngsi-vehicles", "ngsi-parking",
    "parkapi", "datex2-measured", "datex2-situations", "datex2-parking", "gbfs", "siri-et", "siri-vm", "siri-sx", "waze",
    "detectors",
]  # fmt: skip
"""Formats of real-time feeds; each is read by one adapter of the ingest service."""


@dataclass(frozen=True, slots=True)
class BoundingBox:
    """South, west, north and east limits, degrees."""

    south: float
    west: float
    north: float
    east: float

    def __post_init__(self) -> None:
        if not -90 <= self.south < self.north <= 90:
            raise FieldProblemError("south", f"{self.south} … north {self.north}: need -90 ≤ south < north ≤ 90")
        if not -180 <= self.west < self.east <= 180:
            raise FieldProblemError("west", f"{self.west} … east {self.east}: need -180 ≤ west < east ≤ 180")

    def contains(self, lat_deg: float, lon_deg: float) -> bool:
        """Tell whether a position lies inside."""
        return self.south <= lat_deg <= self.north and self.west <= lon_deg <= self.east


@dataclass(frozen=True, slots=True)
class OsmInput:
    """The OpenStreetMap extract. `query` is the place name it was downloaded for (``traboule city add``)."""

    file: str
    url: str = ""
    sha256: str = ""
    licence: str = "ODbL-1.0"
    query: str = ""

    def __post_init__(self) -> None:
        check_file(self.file)
        check_url("url", self.url)
        check_sha256(self.sha256)


@dataclass(frozen=True, slots=True)
class GtfsInput:
    """A GTFS Schedule feed. `shift_days` moves its whole calendar, by whole weeks so that weekdays stay what they are."""

    id: str
    file: str
    url: str = ""
    sha256: str = ""
    licence: str = ""
    shift_days: int = 0
    shift_reason: str = ""

    def __post_init__(self) -> None:
        check_id("id", self.id)
        check_file(self.file)
        check_url("url", self.url)
        check_sha256(self.sha256)
        if self.shift_days % 7:
            near = round(self.shift_days / 7) * 7
            raise FieldProblemError(
                "shift_days", f"{self.shift_days} is not a whole number of weeks: use {near}, or Mondays become other days"
            )
        if self.shift_days and not self.shift_reason:
            raise FieldProblemError("shift_reason", "is missing: say why the calendar is shifted; travellers will be told")


@dataclass(frozen=True, slots=True)
class FeedInput:
    """A real-time feed: from `url` when live, from the file `recorded` of the recorded day otherwise."""

    id: str
    kind: FeedKind
    url: str = ""
    recorded: str = ""
    poll_s: int = 30
    stale_after_s: int = 300
    static_feed: str = ""
    licence: str = ""
    options: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_id("id", self.id)
        check_url("url", self.url)
        if not self.url and not self.recorded:
            raise FieldProblemError("url", "is missing: give the `url` of the live source, the `recorded` file, or both")
        if not 1 <= self.poll_s <= 86_400:
            raise FieldProblemError("poll_s", f"{self.poll_s} is not between 1 and 86400 seconds")
        if self.stale_after_s < self.poll_s:
            raise FieldProblemError(
                "stale_after_s", f"{self.stale_after_s} is shorter than poll_s = {self.poll_s}: data would always be stale"
            )


@dataclass(frozen=True, slots=True)
class CarParkInput:
    """A declared car park, or what is known better about one of OSM (`osm`) or of a car park file (same `id`).

    A declared capacity counts as assumed unless `capacity_assumed` is set to false.
    """

    id: str
    name: str = ""
    lat: float | None = None
    lon: float | None = None
    osm: str = ""
    capacity: int = 0
    capacity_assumed: bool = True
    park_and_ride: bool | None = None
    kind: Literal["surface", "underground", "multi-storey", "street_side", "unknown"] | None = None
    fee: bool | None = None
    feed: str = ""
    feed_entity: str = ""

    def __post_init__(self) -> None:
        check_id("id", self.id)
        if (self.lat is None) != (self.lon is None):
            raise FieldProblemError("lat" if self.lat is None else "lon", "is missing: a position needs both lat and lon")
        check_position(self.lat, self.lon)
        if self.osm and not re.fullmatch(r"(node|way|relation)/\d+", self.osm):
            raise FieldProblemError("osm", f"{self.osm!r} must look like way/75701087")
        if self.capacity < 0:
            raise FieldProblemError("capacity", f"{self.capacity} is negative")
        if bool(self.feed) != bool(self.feed_entity):
            raise FieldProblemError(
                "feed_entity" if self.feed else "feed", "is missing: a live car park needs both feed and feed_entity"
            )


@dataclass(frozen=True, slots=True)
class CarParkFile:
    """A file of the operator with car parks and capacities; `feed` is the real-time feed that speaks of the same ids."""

    file: str
    format: Literal["ngsi-off-street-parking", "parkapi-v1"]
    feed: str = ""
    licence: str = ""

    def __post_init__(self) -> None:
        check_file(self.file)


@dataclass(frozen=True, slots=True)
class LocalityInput:
    """A town or quarter that the OSM extract does not name; streets nearer than `radius_m` belong to the nearest one."""

    name: str
    lat: float
    lon: float
    radius_m: float = 5_000.0
    importance: int = 150

    def __post_init__(self) -> None:
        check_position(self.lat, self.lon)
        if not 0 <= self.importance <= 255:
            raise FieldProblemError("importance", f"{self.importance} is not between 0 and 255")


@dataclass(frozen=True, slots=True)
class CityConfig:
    """A whole `city.toml`.

    The tables of `EXTRA_TABLES` belong to other parts of the program; read them with `table`.

    Attributes
    ----------
    folder : Path
        The city's folder; not a key of the file.
    reference_date : date
        The day that is replayed and that examples use; every timetable should have service on it.
    """

    name: str
    title: str
    country: str
    timezone: str
    languages: tuple[str, ...]
    reference_date: datetime.date
    osm: OsmInput
    gtfs: tuple[GtfsInput, ...] = ()
    feeds: tuple[FeedInput, ...] = ()
    car_parks: tuple[CarParkInput, ...] = ()
    car_park_files: tuple[CarParkFile, ...] = ()
    localities: tuple[LocalityInput, ...] = ()
    zones: tuple[ZoneInput, ...] = ()
    holidays: HolidaysInput = field(default_factory=HolidaysInput)
    elevation: tuple[ElevationInput, ...] = ()
    bbox: BoundingBox | None = None
    data_folders: tuple[str, ...] = ()
    demand: Mapping[str, object] = field(default_factory=dict)
    recorded_day: Mapping[str, object] = field(default_factory=dict)
    signals: Mapping[str, object] = field(default_factory=dict)
    rounds: Mapping[str, object] = field(default_factory=dict)
    folder: Path = field(default=Path(), init=False, compare=False)

    def __post_init__(self) -> None:
        check_id("name", self.name)
        if not re.fullmatch(r"[A-Z]{2}", self.country):
            raise FieldProblemError("country", f"{self.country!r} must be a two-letter country code, such as PT")
        try:
            zoneinfo.ZoneInfo(self.timezone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            raise FieldProblemError(
                "timezone", f"{self.timezone!r} is not a time zone: use a name such as Europe/Lisbon"
            ) from None
        for i, language in enumerate(self.languages):
            if not re.fullmatch(r"[a-z]{2}", language):
                raise FieldProblemError(f"languages[{i}]", f"{language!r} must be a two-letter language code, such as pt")
        check_unique("gtfs", [item.id for item in self.gtfs])
        check_unique("feeds", [item.id for item in self.feeds])
        check_unique("car_parks", [item.id for item in self.car_parks])
        check_unique("zones", [item.id for item in self.zones])
        self._check_references()

    def _check_references(self) -> None:
        feeds, static = {item.id for item in self.feeds}, {item.id for item in self.gtfs}
        for i, feed in enumerate(self.feeds):
            if feed.static_feed and feed.static_feed not in static:
                raise FieldProblemError(f"feeds[{i}].static_feed", _no_such(feed.static_feed, "[[gtfs]]", static))
        for i, park in enumerate(self.car_parks):
            if park.feed and park.feed not in feeds:
                raise FieldProblemError(f"car_parks[{i}].feed", _no_such(park.feed, "[[feeds]]", feeds))
        for i, file in enumerate(self.car_park_files):
            if file.feed and file.feed not in feeds:
                raise FieldProblemError(f"car_park_files[{i}].feed", _no_such(file.feed, "[[feeds]]", feeds))

    def table(self, name: str, cls: type[T]) -> T:
        """Read one of the `EXTRA_TABLES` into the dataclass `cls`, as strictly as the rest of the file.

        Raises
        ------
        CityConfigError
            If a key is unknown, missing or wrong.
        """
        if name not in EXTRA_TABLES:
            raise CityConfigError(
                str(self.folder / CITY_FILE), name, f"is no table for other parts ({', '.join(EXTRA_TABLES)})"
            )
        return read_table(cls, getattr(self, name), str(self.folder / CITY_FILE), name)

    def find_feed(self, feed_id: str) -> FeedInput | None:
        """Find a real-time feed by its id."""
        return next((feed for feed in self.feeds if feed.id == feed_id), None)

    def list_folders(self, data_path: str | None = None) -> list[Path]:
        """List the folders input files are searched in, in order (see `get_path`)."""
        searched = os.environ.get("TRABOULE_DATA", "") if data_path is None else data_path
        folders = [self.folder]
        for part in searched.split(os.pathsep) if searched else []:
            folders += [Path(part) / self.name, Path(part)]
        return folders + [self.folder / part for part in self.data_folders]

    def get_path(self, file: str, data_path: str | None = None) -> Path:
        """Path of an input file.

        Parameters
        ----------
        file : str
            As written in `city.toml`.
        data_path : str, optional
            Folders to search after the city's own; the environment's ``TRABOULE_DATA`` if not given.

        Raises
        ------
        CityInputError
            If it is nowhere; the message lists where it was looked for.
        """
        folders = self.list_folders(data_path)
        for folder in folders:
            if (folder / file).is_file():
                return Path(os.path.normpath(folder / file))
        looked = ", ".join(str(Path(os.path.normpath(folder))) for folder in folders)
        raise CityInputError(
            f"{self.folder / CITY_FILE}: the file {file} was not found in {looked}: "
            f"put it there, name its folder in TRABOULE_DATA, or run `traboule city update {self.name}` where there is internet"
        )


EXTRA_TABLES = ("demand", "recorded_day", "signals", "rounds")
"""Tables of `city.toml` that other parts of the program define: `CityConfig.table`."""


def read_city(folder: Path) -> CityConfig:
    """Read ``city.toml`` of a city's folder (or the path of the file itself).

    Raises
    ------
    CityConfigError
        Naming the file, the key and what to do.
    """
    path = folder if folder.suffix == ".toml" else folder / CITY_FILE
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise CityConfigError(str(path), "", "there is no such file: give the folder of a city, such as cities/porto") from None
    except (UnicodeDecodeError, OSError) as error:
        raise CityConfigError(str(path), "", f"cannot be read ({error})") from error
    return parse_city(text, path)


def parse_city(text: str, path: Path) -> CityConfig:
    """Parse the text of a ``city.toml`` that stands (or stood) at `path`."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CityConfigError(str(path), "", f"is not valid TOML ({error})") from None
    city = read_table(CityConfig, table, str(path))
    return with_folder(city, path.parent)


def with_folder(city: CityConfig, folder: Path) -> CityConfig:
    """Return the same city standing in another folder."""
    copy = replace(city)
    object.__setattr__(copy, "folder", folder)
    return copy


def list_cities(root: Path) -> list[Path]:
    """List the folders below `root` that hold a ``city.toml``, by name."""
    return sorted(path.parent for path in root.glob(f"*/{CITY_FILE}"))


def _no_such(value: str, table: str, known: set[str]) -> str:
    return f"{value!r} is not the id of any {table} ({', '.join(sorted(known)) or 'there is none'})"
