"""The files of a city's elevation model: which there are, and fetching them."""

import gzip
import math
import zlib
from pathlib import Path

from services.city.config import CityConfig
from services.city.download import Progress, fetch
from services.city.elevation_input import ElevationInput
from services.city.elevation_tiles import ElevationModel, corner_of, open_tile, tile_name
from services.city.errors import CityDownloadError, CityInputError

_GZIP = b"\x1f\x8b"
_MAX_BYTES = 64 * 1024 * 1024
_SUFFIX = ".hgt"


def open_elevation(city: CityConfig) -> ElevationModel | None:
    """Map the tiles of a city, in the order of `city.toml`; None if it declares none.

    Raises
    ------
    CityInputError
        If a file is missing or no elevation tile.
    """
    files = [file for entry in city.elevation for file in list_tile_files(city, entry)]
    return ElevationModel([open_tile(city.get_path(file)) for file in files]) if files else None


def list_tile_files(city: CityConfig, entry: ElevationInput) -> list[str]:
    """List the tiles of one entry by name, as `city.toml` would name them; of a folder, those that touch the bounding box.

    Raises
    ------
    CityInputError
        If a folder is missing or holds no tile of the city.
    """
    if entry.file:
        return [entry.file]
    wanted = None if city.bbox is None else set(list_tile_names(city))
    folder = next((base / entry.folder for base in city.list_folders() if (base / entry.folder).is_dir()), None)
    found = [] if folder is None else sorted(path for path in folder.iterdir() if path.suffix.lower() == _SUFFIX)
    files = [
        f"{entry.folder}/{path.name}"
        for path in found
        if corner_of(path.stem) is not None and (wanted is None or path.stem.upper() in wanted)
    ]
    if not files:
        where = "was not found" if folder is None else f"({folder}) holds none of the city's tiles"
        names = "" if wanted is None else f": {', '.join(f'{name}{_SUFFIX}' for name in sorted(wanted))}"
        raise CityInputError(
            f"{city.folder / 'city.toml'}: elevation: the folder {entry.folder} {where}{names}; put them there, "
            f"or give their url and run `traboule city update {city.name} --elevation` where there is internet"
        )
    return files


def list_tile_names(city: CityConfig) -> list[str]:
    """List the names of the tiles that cover a city's bounding box.

    Raises
    ------
    CityInputError
        If it has none.
    """
    box = city.bbox
    if box is None:
        raise CityInputError(f"{city.folder / 'city.toml'}: bbox is missing: elevation tiles are chosen by it")
    return [
        tile_name(south, west)
        for south in range(math.floor(box.south), math.ceil(box.north))
        for west in range(math.floor(box.west), math.ceil(box.east))
    ]


def list_downloads(city: CityConfig, entry: ElevationInput) -> list[tuple[str, str]]:
    """List what one entry is fetched from: pairs of file, as `city.toml` would name it, and URL."""
    if entry.file:
        return [(entry.file, entry.url)]
    names = list_tile_names(city)
    return [(f"{entry.folder}/{n}{_SUFFIX}", entry.url.replace("{tile}", n).replace("{row}", n[:3])) for n in names]


def fetch_tile(url: str, target: Path, progress: Progress | None = None) -> bool:
    """Download one tile, packed with gzip or not; the old file is replaced only by a good one. False if nothing changed.

    Raises
    ------
    CityDownloadError, CityInputError
        If it cannot be had, or is no elevation tile.
    """
    return fetch(url, target, progress, max_bytes=_MAX_BYTES, check=lambda path: _unpack_and_check(path, target.name))


def _unpack_and_check(path: Path, name: str) -> None:
    with open(path, "rb") as file:
        packed = file.read(2) == _GZIP
    if packed:
        try:
            with gzip.open(path) as source:
                plain = source.read(_MAX_BYTES + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise CityDownloadError(f"{name}: what was sent cannot be unpacked ({error}): try again later") from error
        path.write_bytes(plain)
    open_tile(path, name)
