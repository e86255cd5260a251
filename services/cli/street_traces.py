"""Traces of vehicles in files: GPX, or CSV with a head line."""

import csv
import datetime as dt
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from zoneinfo import ZoneInfo

import click
from lxml import etree

MOST_BYTES = 1 << 30
MOST_POSITIONS = 5_000_000

_POSITIONS, _TRACES = ("trkpt", "rtept"), ("trkseg", "rte")
"""Tags of positions in a GPX file, and of the traces they make."""


@dataclass(slots=True)
class Trace:
    """Positions in the order of the file; `time_s` (unix seconds) has as many, or none where the file says no times."""

    name: str
    lat_deg: list[float] = field(default_factory=list)
    lon_deg: list[float] = field(default_factory=list)
    time_s: list[float] = field(default_factory=list)

    def add(self, lat_deg: float, lon_deg: float, time_s: float | None) -> None:
        """Add a position."""
        self.lat_deg.append(lat_deg)
        self.lon_deg.append(lon_deg)
        if time_s is not None:
            self.time_s.append(time_s)


def read_traces(path: Path, timezone: ZoneInfo, progress: Callable[[float], None] = lambda _share: None) -> list[Trace]:
    """Read the traces of a file: GPX if its name ends so, else CSV.

    CSV has the columns lat, lon and perhaps time (unix seconds, or ISO 8601: of the city's zone unless it says another) and
    trace (rows with the same text are one trace). In GPX every segment of a track, and every route, is a trace.

    Parameters
    ----------
    path : Path
    timezone : ZoneInfo
        Of times that name none.
    progress : callable, optional
        Called with the share read.

    Raises
    ------
    click.ClickException
        With file and line, if it is no such file, a value is none, times are missing in places, or nothing is in it.
    """
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise click.ClickException(f"{path} has {size / 1e6:.0f} MB, more than {MOST_BYTES / 1e6:.0f} MB: split it")
    read = _read_gpx if path.suffix.lower() == ".gpx" else _read_csv
    traces: dict[str, Trace] = {}
    for count, (name, lat, lon, time_s) in enumerate(read(path, timezone), 1):
        if count > MOST_POSITIONS:
            raise click.ClickException(f"{path} has more than {MOST_POSITIONS} positions: split it")
        traces.setdefault(name, Trace(name)).add(lat, lon, time_s)
        if count % 10_000 == 0:
            progress(min(1.0, count * 40 / max(size, 1)))
    if not traces:
        raise click.ClickException(f"{path} has no positions; write trace,time,lat,lon and a line for each, or give a GPX file")
    for trace in traces.values():
        if trace.time_s and len(trace.time_s) < len(trace.lat_deg):
            missing = len(trace.lat_deg) - len(trace.time_s)
            raise click.ClickException(
                f"{path}, trace {trace.name!r}: {missing} positions have no time; give all a time or none"
            )
    return list(traces.values())


Row = tuple[str, float, float, float | None]


def _read_csv(path: Path, timezone: ZoneInfo) -> Iterator[Row]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file, skipinitialspace=True)
            missing = {"lat", "lon"} - set(table.fieldnames or ())
            if missing:
                raise click.ClickException(
                    f"{path}: the head line lacks {' and '.join(sorted(missing))}; write trace,time,lat,lon"
                )
            for row in table:
                where = f"{path}, line {table.line_num}"
                lat, lon = (_degrees(where, name, row[name], most) for name, most in (("lat", 90), ("lon", 180)))
                yield (row.get("trace") or "").strip() or "1", lat, lon, _time(where, row.get("time"), timezone)
    except (UnicodeDecodeError, csv.Error) as error:
        raise click.ClickException(f"{path} is no CSV file in UTF-8: {error}") from None


def _read_gpx(path: Path, timezone: ZoneInfo) -> Iterator[Row]:
    try:
        with path.open("rb") as file:
            yield from _gpx_rows(path, file, timezone)
    except etree.XMLSyntaxError as error:
        raise click.ClickException(f"{path} is no GPX file: {error.msg}") from None


def _gpx_rows(path: Path, file: BinaryIO, timezone: ZoneInfo) -> Iterator[Row]:
    """Positions one by one; what has been read is let go."""
    number, track = 0, ""
    options = {"resolve_entities": False, "no_network": True, "load_dtd": False, "huge_tree": False}
    for event, element in etree.iterparse(file, events=("start", "end"), **options):
        tag = etree.QName(element).localname if isinstance(element.tag, str) else ""
        if event == "start":
            if element.getparent() is None and tag != "gpx":
                raise click.ClickException(f"{path} is no GPX file: it begins with <{tag}>")
            number += tag in _TRACES
        elif tag == "name" and etree.QName(element.getparent()).localname in ("trk", "rte"):
            track = (element.text or "").strip()
        elif tag in _POSITIONS:
            where = f"{path}, line {element.sourceline}"
            lat, lon = (_degrees(where, name, element.get(name), most) for name, most in (("lat", 90), ("lon", 180)))
            stated = next((child.text for child in element.iterchildren("{*}time")), None)
            yield f"{track} {number}".strip(), lat, lon, _time(where, stated, timezone)
            element.clear()
        elif tag in ("trk", "rte"):
            track = ""


def _degrees(where: str, name: str, text: str | None, most: float) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not abs(value) <= most:
        raise click.ClickException(f"{where}: {name} is {text!r}; expected degrees from -{most:g} to {most:g}")
    return value


def _time(where: str, text: str | None, timezone: ZoneInfo) -> float | None:
    plain = (text or "").strip()
    if not plain:
        return None
    try:
        seconds = float(plain)
    except ValueError:
        try:
            moment = dt.datetime.fromisoformat(plain)
            seconds = (moment if moment.tzinfo else moment.replace(tzinfo=timezone)).timestamp()
        except (ValueError, OverflowError):
            seconds = math.nan
    if not 0.0 <= seconds < 1e11:
        raise click.ClickException(f"{where}: time is {text!r}; expected unix seconds or a time such as 2026-07-28T08:30:00Z")
    return seconds
