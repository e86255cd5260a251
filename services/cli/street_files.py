"""Files of ``traboule street matrix``: places in, travel times out."""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from traboule.common.v1 import geo_pb2


@dataclass(frozen=True, slots=True)
class NamedPlace:
    """A place of a file."""

    name: str
    location: geo_pb2.Location


def read_places(path: Path) -> list[NamedPlace]:
    """Places of a CSV file with the columns lat, lon and perhaps name; rows without a name are numbered from 1.

    Raises
    ------
    click.ClickException
        With file and line, if a column is missing, a number is none, or nothing is in the file.
    """
    places: list[NamedPlace] = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file, skipinitialspace=True)
            missing = {"lat", "lon"} - set(table.fieldnames or ())
            if missing:
                raise click.ClickException(f"{path}: the head line lacks {' and '.join(sorted(missing))}; write name,lat,lon")
            for row in table:
                lat, lon = (_degrees(path, table.line_num, name, row[name], most) for name, most in (("lat", 90), ("lon", 180)))
                point = geo_pb2.LatLng(lat_deg=lat, lon_deg=lon)
                name = (row.get("name") or "").strip() or str(len(places) + 1)
                places.append(NamedPlace(name, geo_pb2.Location(point=point)))
    except (UnicodeDecodeError, csv.Error) as error:
        raise click.ClickException(f"{path} is no CSV file in UTF-8: {error}") from None
    if not places:
        raise click.ClickException(f"{path} has no places; write a line for each under name,lat,lon")
    return places


def _degrees(path: Path, line: int, name: str, text: str | None, most: float) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not abs(value) <= most:
        raise click.ClickException(f"{path}, line {line}: {name} is {text!r}; expected degrees from -{most:g} to {most:g}")
    return value


def write_matrix(path: Path, origins: Sequence[str], destinations: Sequence[str], times_s: list[list[int | None]]) -> None:
    """Write one line per pair: origin, destination, seconds (empty = no way)."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("origin", "destination", "duration_s"))
        for origin, row in zip(origins, times_s, strict=True):
            table.writerows((origin, to, "" if s is None else s) for to, s in zip(destinations, row, strict=True))
