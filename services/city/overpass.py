"""Finding a place and fetching its streets *with relations*: the boundary with osmnx, the raw OSM data from the Overpass API.

osmnx builds graphs without turn restrictions, so only its settings and its geocoder are used; what is saved is the raw data.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import osmium

from services.city.config import BoundingBox
from services.city.download import Progress, fetch
from services.city.errors import CityDownloadError

MAX_AREA_KM2 = 15_000.0

_QUERY = """[out:xml][timeout:900][maxsize:2000000000][bbox:{south},{west},{north},{east}];
(
  way[highway]; way[route=ferry];
  nwr[amenity]; nwr[shop]; nwr[tourism]; nwr[leisure][name]; nwr[historic][name]; nwr[railway][name]; nwr[aeroway][name];
  nwr[office][name]; node[place][name]; nwr["addr:housenumber"];
  relation[type=restriction];
)->.found;
(.found; .found >;);
out body;
"""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where places and streets are asked for."""

    nominatim_url: str = "https://nominatim.openstreetmap.org/"
    overpass_url: str = "https://overpass-api.de/api"


@dataclass(frozen=True, slots=True)
class FoundArea:
    """A place that was found by name."""

    title: str
    country: str
    box: BoundingBox


def find_area(query: str, sources: Sources) -> FoundArea:
    """Find a town by name, such as ``Lyon, France``.

    Raises
    ------
    CityDownloadError
        If nothing of that name has an area, it is too large, or the geocoder does not answer.
    """
    with _osmnx(sources) as osmnx:
        try:
            found = osmnx.geocode_to_gdf(query)
        except (osmnx._errors.InsufficientResponseError, TypeError) as error:
            raise CityDownloadError(f'no place called {query!r} was found ({error}): write it as "Lyon, France"') from error
        except (osmnx._errors.ResponseStatusCodeError, OSError, ValueError) as error:
            raise CityDownloadError(f"{sources.nominatim_url}: does not answer ({error}): is there internet?") from error
    west, south, east, north = (float(value) for value in found.total_bounds)
    name = str(found["display_name"].iloc[0])
    area_km2 = float((north - south) * 111.2 * (east - west) * 111.2 * 0.7)
    if area_km2 > MAX_AREA_KM2:
        raise CityDownloadError(f"{name} covers about {area_km2:,.0f} km²: name a town (at most {MAX_AREA_KM2:,.0f} km²)")
    return FoundArea(name.split(",", maxsplit=1)[0], _country(found), BoundingBox(south, west, north, east))


def fetch_osm(box: BoundingBox, target: Path, sources: Sources, progress: Progress | None = None) -> None:
    """Fetch all that the city build reads, turn restrictions included, as ``.osm.pbf``.

    Raises
    ------
    CityDownloadError
        If the server fails, or what it sent is not OSM data with streets.
    """
    raw = target.with_name(target.name.removesuffix(".pbf") + ".xml")
    query = _QUERY.format(south=box.south, west=box.west, north=box.north, east=box.east)
    try:
        fetch(f"{sources.overpass_url.rstrip('/')}/interpreter", raw, progress, {"data": query}, max_bytes=4 * 1024**3)
        _to_pbf(raw, target)
    finally:
        raw.unlink(missing_ok=True)
        raw.with_name(raw.name + ".etag").unlink(missing_ok=True)


def _to_pbf(raw: Path, target: Path) -> None:
    temporary = target.with_name(f".{target.name}.part.osm.pbf")
    ways = 0
    try:
        with osmium.SimpleWriter(str(temporary), overwrite=True) as writer:
            for entity in osmium.FileProcessor(str(raw)):
                ways += isinstance(entity, osmium.osm.Way)
                writer.add(entity)
        if not ways:
            raise CityDownloadError(f"{target.name}: the Overpass server sent no street at all: try again later")
        temporary.replace(target)
    except RuntimeError as error:
        raise CityDownloadError(f"{target.name}: what the Overpass server sent is no OSM data ({error})") from error
    finally:
        temporary.unlink(missing_ok=True)


def _country(found: Any) -> str:
    """Two-letter country of a geocoded place; asked in words (`display_name`) because Nominatim's answer holds no code."""
    country = str(found["display_name"].iloc[0]).rsplit(",", 1)[-1].strip().casefold()
    return next((code for code, names in _COUNTRIES.items() if country in names), "")


_COUNTRIES = {
    "AT": ("österreich", "austria"), "BE": ("belgië / belgique / belgien", "belgium"),
    "CH": ("schweiz/suisse/svizzera/svizra", "switzerland"),
    "DE": ("deutschland", "germany"), "ES": ("españa", "spain"), "FR": ("france",), "GB": ("united kingdom",),
    "IE": ("éire / ireland", "ireland"), "IT": ("italia", "italy"), "LU": ("lëtzebuerg", "luxembourg"),
    "NL": ("nederland", "netherlands"), "PT": ("portugal",), "US": ("united states",),
}  # fmt: skip


@contextlib.contextmanager
def _osmnx(sources: Sources) -> Iterator[Any]:
    """Osmnx with our settings, which are global to it: set for a moment and put back."""
    import osmnx  # noqa: PLC0415 - heavy, and only needed to add a city

    ours = {
        "nominatim_url": sources.nominatim_url.rstrip("/") + "/",
        "use_cache": False,
        "log_console": False,
        "requests_timeout": 60,
    }
    before = {name: getattr(osmnx.settings, name) for name in ours}
    for name, value in ours.items():
        setattr(osmnx.settings, name, value)
    try:
        yield osmnx
    finally:
        for name, value in before.items():
            setattr(osmnx.settings, name, value)
