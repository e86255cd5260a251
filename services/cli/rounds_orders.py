"""A CSV file of orders as a rounds problem: columns found by their names, places by coordinates or by address."""

import csv
import datetime as dt
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import click
from traboule.common.v1 import geo_pb2, time_pb2
from traboule.rounds.v1 import problem_pb2 as pb

from services.cli.output import parse_when

COLUMNS = {
    "id": ("id", "order", "order_id", "shipment", "shipment_id", "number", "name"),
    "address": ("address", "place", "delivery_address", "street", "where", "destination"),
    "lat": ("lat", "latitude", "lat_deg", "delivery_lat"),
    "lon": ("lon", "lng", "long", "longitude", "lon_deg", "delivery_lon"),
    "pickup_address": ("pickup_address", "pickup", "origin"),
    "pickup_lat": ("pickup_lat", "pickup_latitude"),
    "pickup_lon": ("pickup_lon", "pickup_lng", "pickup_longitude"),
    "load": ("load", "demand", "quantity", "amount", "parcels", "weight", "kg"),
    "service_s": ("service_s", "service_seconds", "duration_s"),
    "service_min": ("service_min", "service", "service_minutes", "minutes"),
    "opens": ("opens", "earliest", "window_start", "tw_start", "from", "after"),
    "closes": ("closes", "latest", "window_end", "tw_end", "until", "before"),
    "skills": ("skills", "skill"),
    "priority": ("priority",),
    "prize": ("prize",),
    "vehicle": ("vehicle", "vehicle_id", "locked_vehicle_id"),
}
"""Column → names it may have; case, blanks and dashes do not matter. ``service`` without a unit is in minutes."""

MOST_TOLD = 20
"""Wrong lines told at once."""
MEANING = {name: column for column, names in COLUMNS.items() for name in names}
Resolve = Callable[[str], geo_pb2.Location]
"""An address → where it is; raises ClickException for what is not found."""


@dataclass(frozen=True, slots=True)
class FleetOptions:
    """The fleet of a file that has orders only."""

    depot: str | None
    vehicles: int
    capacity: int | None
    shift: str


def looks_like_orders(text: str) -> bool:
    """Whether the first line names columns of orders, places among them or not."""
    names = [MEANING.get(_plain(name)) for name in _head(text)[1]]
    return _has_places(names) or (len(names) > 1 and any(names))


def _has_places(columns: Sequence[str | None]) -> bool:
    return "address" in columns or {"lat", "lon"} <= set(columns)


def read_orders(
    text: str, file: str, fleet: FleetOptions, day: dt.date, timezone: ZoneInfo, resolve: Resolve
) -> tuple[pb.Problem, tuple[str, ...]]:
    """Problem of a CSV file on a day, and notes on what was not read.

    Raises
    ------
    click.ClickException
        Naming file, line and column of the first thing that is wrong in each line.
    """
    if fleet.depot is None:
        raise click.ClickException(f"{file} gives orders only: say where the vehicles start with --depot PLACE")
    noon_s = int(dt.datetime.combine(day, dt.time(12), timezone).timestamp())
    delimiter, head = _head(text)
    columns = [MEANING.get(_plain(name)) for name in head]
    twice = sorted({column for column in columns if column and columns.count(column) > 1})
    if twice:
        raise click.ClickException(f"{file}, line 1: two columns mean {twice[0]!r}; leave one out")
    if not _has_places(columns):
        known = " or ".join(", ".join(COLUMNS[name][:3]) for name in ("address", "lat"))
        given = f"expected {known} with lon; there are {', '.join(head)}"
        raise click.ClickException(f"{file}, line 1: no column says where orders go; {given}")
    rows = _rows(text, file, delimiter, columns)
    shipments, wrong = list[pb.Shipment](), list[str]()
    for line, row in rows:
        try:
            shipments.append(_shipment(_Row(file, line, row, timezone, noon_s), resolve))
        except click.ClickException as error:
            wrong.append(error.message)
    if wrong:
        more = [f"and {len(wrong) - MOST_TOLD} more lines"] if len(wrong) > MOST_TOLD else []
        raise click.ClickException("\n".join([*wrong[:MOST_TOLD], *more]))
    if not shipments:
        raise click.ClickException(f"{file} has no orders; write a line for each below the head line")
    seen: dict[str, int] = {}
    for (line, _), shipment in zip(rows, shipments, strict=True):
        shipment.shipment_id = shipment.shipment_id or f"line {line}"
        first = seen.setdefault(shipment.shipment_id, line)
        if first != line:
            raise click.ClickException(f"{file}, line {line}: the id {shipment.shipment_id!r} is already in line {first}")
    unread = [name for name, column in zip(head, columns, strict=True) if column is None and name.strip()]
    notes = (f"columns that are not read: {', '.join(unread)}",) if unread else ()
    return pb.Problem(vehicles=_fleet(fleet, resolve(fleet.depot), timezone, noon_s), shipments=shipments), notes


def _rows(text: str, file: str, delimiter: str, columns: list[str | None]) -> list[tuple[int, dict[str, str]]]:
    """Line number and cells by column of every row that is not blank."""
    table = csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True, strict=True)
    rows: list[tuple[int, dict[str, str]]] = []
    try:
        next(table)
        for cells in table:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(columns):
                raise click.ClickException(
                    f"{file}, line {table.line_num}: {len(cells)} cells, the head line has {len(columns)}"
                )
            named = {column: cell.strip() for column, cell in zip(columns, cells, strict=True) if column}
            rows.append((table.line_num, named))
    except csv.Error as error:
        raise click.ClickException(f"{file}, line {table.line_num}: {error}") from None
    return rows


@dataclass(frozen=True, slots=True)
class _Row:
    """One order: its cells, and whose words are used when one is wrong."""

    file: str
    line: int
    cells: dict[str, str]
    timezone: ZoneInfo
    noon_s: int

    def wrong(self, column: str, message: str) -> click.ClickException:
        return click.ClickException(f"{self.file}, line {self.line}: {column} {message}")

    def number(self, column: str, most: float, low: float = 0.0) -> float | None:
        text = self.cells.get(column, "").replace(",", ".")
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= most:
            raise self.wrong(column, f"is {text!r}; expected a number from {low:g} to {most:g}")
        return value

    def whole(self, column: str, most: float) -> int:
        value = self.number(column, most) or 0.0
        if value != int(value):
            raise self.wrong(column, f"is {value:g}; expected a whole number (take a smaller unit)")
        return int(value)

    def place(self, prefix: str, resolve: Resolve) -> geo_pb2.Location | None:
        lat, lon = self.number(f"{prefix}lat", 90, -90), self.number(f"{prefix}lon", 180, -180)
        if (lat is None) != (lon is None):
            raise self.wrong(f"{prefix}lat", f"and {prefix}lon belong together; one is empty")
        if lat is not None and lon is not None:
            return geo_pb2.Location(point=geo_pb2.LatLng(lat_deg=lat, lon_deg=lon))
        address = self.cells.get(f"{prefix}address", "")
        if not address:
            return None
        try:
            return resolve(address)
        except click.ClickException as error:
            raise self.wrong(f"{prefix}address:", error.message) from None

    def window(self) -> Iterator[time_pb2.TimeRange]:
        ends: list[int] = []
        for column in ("opens", "closes"):
            try:
                ends.append(parse_when(self.cells.get(column) or None, self.timezone, self.noon_s))
            except click.BadParameter as error:
                raise self.wrong(column, f"is no time: {error.message}") from None
        if ends[1] and ends[1] <= ends[0]:
            raise self.wrong("closes", "is not after opens")
        if any(ends):
            yield time_pb2.TimeRange(start_unix_s=ends[0], end_unix_s=ends[1])


def _shipment(row: _Row, resolve: Resolve) -> pb.Shipment:
    place = row.place("", resolve)
    if place is None:
        raise row.wrong("address", "is empty, and so are lat and lon; an order needs a place")
    service_s = row.number("service_s", 86_400) or 60 * (row.number("service_min", 1440) or 0.0)
    order = pb.Shipment(
        shipment_id=row.cells.get("id", ""),
        delivery=pb.Task(location=place, windows=list(row.window()), service_s=round(service_s)),
        loads=[row.whole("load", 1e12)] if "load" in row.cells else [],
        skills=sorted({skill for skill in re.split(r"[;|/\s]+", row.cells.get("skills", "")) if skill}),
        priority=row.whole("priority", 100),
        locked_vehicle_id=row.cells.get("vehicle", ""),
    )
    pickup, prize = row.place("pickup_", resolve), row.number("prize", 1e12)
    if pickup is not None:
        order.pickup.CopyFrom(pb.Task(location=pickup))
    if prize is not None:
        order.prize = prize
    return order


def _fleet(options: FleetOptions, start: geo_pb2.Location, timezone: ZoneInfo, noon_s: int) -> list[pb.Vehicle]:
    begin, _, end = options.shift.partition("-")
    hours = [parse_when(part.strip() or None, timezone, noon_s) for part in (begin, end)]
    if not all(hours) or hours[1] <= hours[0]:
        raise click.ClickException(f"--shift {options.shift}: expected two times of day, as 08:00-18:00")
    shift = time_pb2.TimeRange(start_unix_s=hours[0], end_unix_s=hours[1])
    capacities = [] if options.capacity is None else [options.capacity]
    return [
        pb.Vehicle(vehicle_id=f"vehicle-{k}", kind=pb.VEHICLE_KIND_VAN, start=start, shift=shift, capacities=capacities)
        for k in range(1, options.vehicles + 1)
    ]


def _head(text: str) -> tuple[str, list[str]]:
    """Delimiter and cells of the first line."""
    line = next(iter(text.splitlines()), "")
    delimiter = max(",;\t", key=line.count)
    try:
        return delimiter, next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:
        return delimiter, []


def _plain(name: str) -> str:
    return re.sub(r"[\s-]+", "_", name.strip().lower())
