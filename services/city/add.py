"""Adding a city by name, and fetching its files anew from their sources."""

import datetime
import re
import shutil
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from routing.model.timetable import Timetable
from services.city.config import CITY_FILE, BoundingBox, CityConfig, read_city
from services.city.download import Progress, fetch, fetch_json
from services.city.elevation_files import fetch_tile, list_downloads
from services.city.errors import CityDownloadError, CityError, CityInputError
from services.city.gtfs_reader import GtfsSource, read_timetable
from services.city.low_emission_zones import read_zones
from services.city.overpass import FoundArea, Sources, fetch_osm, find_area

MAX_ZONE_BYTES = 64 * 1024 * 1024

_LANGUAGES = {
    "PT": "pt",
    "BR": "pt",
    "FR": "fr",
    "BE": "fr",
    "LU": "fr",
    "DE": "de",
    "AT": "de",
    "CH": "de",
    "IT": "it",
    "ES": "es",
}


@dataclass(frozen=True, slots=True)
class UpdatedFile:
    """What became of one file: ``updated``, ``unchanged`` or the error; an error leaves the old file."""

    file: str
    outcome: str


def add_city(
    query: str,
    cities: Path,
    gtfs_urls: Sequence[str] = (),
    name: str = "",
    timezone: str = "",
    sources: Sources | None = None,
    progress: Progress | None = None,
    today: datetime.date | None = None,
) -> Path:
    """Fetch a city by its name and write its `city.toml`; then it can be built.

    Parameters
    ----------
    query : str
        ``Lyon, France``
    cities : Path
        Folder of cities; a new folder is made in it.
    gtfs_urls : sequence of str
        Timetables.
    name : str
        Of the folder; from the place if not given.
    timezone : str
        Needed only where no timetable says it.
    sources : Sources, optional
        Nominatim and Overpass servers.
    progress : callable, optional
    today : date, optional
        For the choice of the reference date.

    Returns
    -------
    Path
        The new folder.

    Raises
    ------
    CityError
        If the city exists, or a source fails; nothing is left behind then.
    """
    servers, say = sources or Sources(), progress or (lambda _what, _share: None)
    say(f"looking for {query}", 0.0)
    area = find_area(query, servers)
    city = name or _slug(area.title)
    folder, draft = cities / city, cities / f".{city}.adding"
    if folder.exists():
        raise CityError(f"{folder} exists already: remove it, choose another name, or run `traboule city update {city}`")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        draft.mkdir(parents=True)
        fetch_osm(area.box, draft / f"{city}.osm.pbf", servers, say)
        feeds = [_fetch_gtfs(url, draft, f"gtfs{i + 1}", say) for i, url in enumerate(gtfs_urls)]
        timetable = read_timetable(feeds) if feeds else None
        text = _write_toml(city, query, area, gtfs_urls, feeds, timetable, timezone, today or datetime.date.today())
        (draft / CITY_FILE).write_text(text, encoding="utf-8")
        read_city(draft)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def update_city(
    folder: Path,
    osm: bool = False,
    sources: Sources | None = None,
    progress: Progress | None = None,
    elevation: bool = False,
) -> list[UpdatedFile]:
    """Fetch timetables and zones of a city anew, with `osm` its streets, with `elevation` its elevation model.

    A file is replaced only by one that can be read.

    Every source is tried, whatever becomes of the others.

    Raises
    ------
    CityConfigError
        If `city.toml` is wrong.
    """
    city = read_city(folder)
    done = []
    for feed in city.gtfs:
        if not feed.url:
            done.append(UpdatedFile(feed.file, "has no url in city.toml"))
            continue
        outcome = _outcome(partial(fetch_timetable, feed.url, folder / feed.file, feed.id, progress))
        if outcome == "updated" and feed.shift_days:
            outcome += (
                f"; its calendar is still moved by shift_days = {feed.shift_days}: remove that if it overlaps the others now"
            )
        done.append(UpdatedFile(feed.file, outcome))
    for zone in city.zones:
        if zone.file and not zone.url:
            done.append(UpdatedFile(zone.file, "has no url in city.toml"))
        elif zone.file:
            work = partial(fetch, zone.url, folder / zone.file, progress, max_bytes=MAX_ZONE_BYTES, check=_check_zones)
            done.append(UpdatedFile(zone.file, _outcome(work)))
    for entry in city.elevation if elevation else ():
        if not entry.url:
            done.append(UpdatedFile(entry.file or entry.folder, "has no url in city.toml"))
            continue
        for file, url in list_downloads(city, entry):
            done.append(UpdatedFile(file, _outcome(partial(fetch_tile, url, folder / file, progress))))
    if osm:
        done.append(UpdatedFile(city.osm.file, _outcome(partial(_update_osm, city, folder, sources or Sources(), progress))))
    return done


def fetch_timetable(url: str, target: Path, feed_id: str, progress: Progress | None = None) -> bool:
    """Download a GTFS feed; `url` may be the page of a dataset in a CKAN portal. False if nothing changed.

    Raises
    ------
    CityDownloadError, CityInputError
        If it cannot be had, or is no usable timetable.
    """
    return fetch(_ckan_file(url), target, progress, check=lambda path: _check_gtfs(path, feed_id))


def _check_zones(path: Path) -> None:
    try:
        zones, _ = read_zones(path.read_bytes())
    except CityError as error:
        raise CityInputError(str(error)) from error
    if not zones:
        raise CityInputError("low-emission zones: there is none for cars, vans or trucks")


def _check_gtfs(path: Path, feed_id: str) -> None:
    read_timetable([GtfsSource(feed_id, path)])


def _outcome(work: Callable[[], bool]) -> str:
    try:
        changed = work()
    except (CityDownloadError, CityInputError) as error:
        return str(error)
    return "updated" if changed else "unchanged"


def _update_osm(city: CityConfig, folder: Path, sources: Sources, progress: Progress | None) -> bool:
    box = city.bbox if city.bbox is not None else find_area(city.osm.query or city.title, sources).box
    fetch_osm(box, folder / city.osm.file, sources, progress)
    return True


def _fetch_gtfs(url: str, folder: Path, feed_id: str, progress: Progress) -> GtfsSource:
    path = folder / f"{feed_id}.zip"
    fetch_timetable(url, path, feed_id, progress)
    return GtfsSource(feed_id, path)


def _ckan_file(url: str) -> str:
    """Newest zip of a dataset, if `url` is the page of a dataset in a CKAN portal (``…/dataset/<id>``); else `url` itself."""
    parts = urlsplit(url)
    match = re.fullmatch(r"(.*)/dataset/([^/]+)/?", parts.path)
    if not match:
        return url
    api = urlunsplit((parts.scheme, parts.netloc, f"{match[1]}/api/3/action/package_show", "", ""))
    document = fetch_json(api, {"id": match[2]})
    result = document.get("result") if isinstance(document, dict) else None
    resources = [item for item in (result or {}).get("resources", []) if isinstance(item, dict) and item.get("url")]
    zips = [
        item for item in resources if "zip" in str(item.get("format", "")).lower() or str(item["url"]).lower().endswith(".zip")
    ]
    if not zips:
        raise CityDownloadError(f"{url}: the dataset holds no zip file: write the URL of the file itself into city.toml")
    newest = max(zips, key=lambda item: (str(item.get("last_modified") or item.get("created") or ""), str(item["url"])))
    return str(newest["url"])


def _slug(title: str) -> str:
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60] or "city"


def _write_toml(
    city: str, query: str, area: FoundArea, urls: Sequence[str], feeds: Sequence[GtfsSource], timetable: Timetable | None,
    timezone: str, today: datetime.date,
) -> str:  # fmt: skip
    zone = timezone or (timetable.feed_timezones[0] if timetable is not None else "")
    if not zone:
        raise CityError(f"the time zone of {area.title} is not known without a timetable: give it, such as Europe/Paris")
    language = _LANGUAGES.get(area.country, "en")
    languages = [language] if language == "en" else [language, "en"]
    lines = [
        f"# {area.title}, fetched on {today}. What the keys mean: services/city/config.py.",
        f"name = {_quoted(city)}",
        f"title = {_quoted(area.title)}",
        f"country = {_quoted(area.country or 'ZZ')}",
        f"timezone = {_quoted(zone)}",
        f"languages = [{', '.join(map(_quoted, languages))}]",
        f"reference_date = {_reference_date(timetable, today)}",
        *_box(area.box),
        "",
        "[osm]",
        f'file = "{city}.osm.pbf"',
        f"query = {_quoted(query)}",
        'licence = "ODbL-1.0, © OpenStreetMap contributors"',
    ]
    for feed, url in zip(feeds, urls, strict=True):
        lines += ["", "[[gtfs]]", f"id = {_quoted(feed.id)}", f"file = {_quoted(feed.path.name)}", f"url = {_quoted(url)}"]
        lines.append('licence = "to be confirmed with the publisher"')
    return "\n".join(lines) + "\n"


def _box(box: BoundingBox) -> list[str]:
    return ["", "[bbox]", f"south = {box.south}", f"west = {box.west}", f"north = {box.north}", f"east = {box.east}"]


def _quoted(text: str) -> str:
    escaped = "".join(f"\\u{ord(c):04x}" if ord(c) < 32 else c for c in text.replace("\\", "\\\\").replace('"', '\\"'))
    return f'"{escaped}"'


def _reference_date(timetable: Timetable | None, today: datetime.date) -> datetime.date:
    """The next Tuesday, moved into the calendar of the timetable if that has ended or not begun."""
    tuesday = today + datetime.timedelta(days=(1 - today.weekday()) % 7)
    if timetable is None or 0 <= timetable.day_of_date(tuesday) < timetable.day_count:
        return tuesday
    middle = timetable.date_of_day(timetable.day_count // 2)
    return middle + datetime.timedelta(days=(1 - middle.weekday()) % 7)
