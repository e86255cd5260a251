"""Tables of `city.toml` about who may drive when: zones, and the holidays that rules of hours speak of."""

import datetime
import re
from dataclasses import dataclass
from typing import Literal

from services.city.config_checks import check_file, check_id, check_position, check_sha256, check_url
from services.city.osm_reader_times import weekly_hours
from services.city.table_reader import FieldProblemError

EmissionWord = Literal["electric", "class-1", "class-2", "class-3", "class-4", "class-5", "unclassified"]
"""Emission classes, the cleanest first: the stickers of the French Crit'Air, and none."""

VehicleWord = Literal["car", "van", "truck"]
MOST_CORNERS = 10_000

_YEARLY = re.compile(r"(\d\d)-(\d\d)")
_EASTER = re.compile(r"easter(?:([+-])(\d{1,3}))?")


@dataclass(frozen=True, slots=True)
class ZoneInput:
    """A zone that some vehicles may not enter: from a `file` of the French schema for ZFE (GeoJSON), or drawn here.

    A drawn zone has a `polygon` of (lat, lon) corners and `closed_from`, the cleanest class that may not enter; it binds
    `vehicles` (default: all of them) in the `hours` (default: always) from the day `starts` to the day `ends`, both included.
    """

    id: str
    name: str = ""
    file: str = ""
    url: str = ""
    sha256: str = ""
    licence: str = ""
    polygon: tuple[tuple[float, float], ...] = ()
    closed_from: EmissionWord | None = None
    vehicles: tuple[VehicleWord, ...] = ("car", "van", "truck")
    hours: str = "24/7"
    starts: datetime.date | None = None
    ends: datetime.date | None = None

    def __post_init__(self) -> None:
        check_id("id", self.id)
        check_url("url", self.url)
        check_sha256(self.sha256)
        if bool(self.file) == bool(self.polygon):
            raise FieldProblemError("file", "give either the `file` of the zone or its `polygon`, not both or neither")
        if self.file:
            self._check_of_file()
            return
        if len(self.polygon) < 3 or len(self.polygon) > MOST_CORNERS:
            raise FieldProblemError("polygon", f"has {len(self.polygon)} corners: give 3 to {MOST_CORNERS} of [lat, lon]")
        for k, (lat, lon) in enumerate(self.polygon):
            try:
                check_position(lat, lon)
            except FieldProblemError as problem:
                raise FieldProblemError(f"polygon[{k}]", f"{problem.problem} ({problem.field}): give [lat, lon]") from None
        if self.closed_from is None:
            raise FieldProblemError("closed_from", "is missing: name the cleanest class that may not enter, such as class-4")
        if not self.vehicles:
            raise FieldProblemError("vehicles", "is empty: leave it out for all, or name car, van or truck")
        if weekly_hours(self.hours) is None:
            raise FieldProblemError("hours", f"{self.hours!r} is not understood: write such as Mo-Fr 08:00-20:00; PH off")
        if self.starts and self.ends and self.ends < self.starts:
            raise FieldProblemError("ends", f"{self.ends} is before it starts ({self.starts})")

    def _check_of_file(self) -> None:
        check_file(self.file)
        own = {
            "closed_from": self.closed_from is not None, "vehicles": len(self.vehicles) < 3, "hours": self.hours != "24/7",
            "starts": self.starts is not None, "ends": self.ends is not None,
        }  # fmt: skip
        for name, given in own.items():
            if given:
                raise FieldProblemError(name, "stands in the file of the zone: remove it here")


@dataclass(frozen=True, slots=True)
class SchoolHolidays:
    """Days without school, both ends included."""

    first: datetime.date
    last: datetime.date

    def __post_init__(self) -> None:
        if not datetime.timedelta(0) <= self.last - self.first <= datetime.timedelta(days=200):
            raise FieldProblemError("last", f"{self.last} is before {self.first}, or more than 200 days after it")


@dataclass(frozen=True, slots=True)
class HolidaysInput:
    """Holidays of the city.

    `public` days are those of every year (``"12-25"``, ``"easter-2"`` for Good Friday) or single ones (``"2026-05-04"``).
    """

    public: tuple[str, ...] = ()
    school: tuple[SchoolHolidays, ...] = ()

    def __post_init__(self) -> None:
        for k, text in enumerate(self.public):
            if not days_of(text, 2024):  # a leap year: 29 February is a day
                raise FieldProblemError(
                    f"public[{k}]", f"{text!r} is no day: write 12-25, easter, easter-2, easter+39 or 2026-05-04"
                )


def days_of(text: str, year: int) -> tuple[datetime.date, ...]:
    """Day that a text of `HolidaysInput.public` means in a year, or the one day it names; empty if there is none."""
    try:
        if (yearly := _YEARLY.fullmatch(text)) is not None:
            return (datetime.date(year, int(yearly[1]), int(yearly[2])),)
        if (easter := _EASTER.fullmatch(text)) is not None:
            away = int(f"{easter[1]}{easter[2]}") if easter[1] else 0
            return (easter_sunday(year) + datetime.timedelta(days=away),)
        return (datetime.date.fromisoformat(text),) if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else ()
    except ValueError:
        return ()


def easter_sunday(year: int) -> datetime.date:
    """Easter of the Gregorian calendar.

    References
    ----------
    Meeus, J. (1991). Astronomical Algorithms, chapter 8.
    """
    a, b, c = year % 19, year // 100, year % 100
    f = (b + 8) // 25
    h = (19 * a + b - b // 4 - (b - f + 1) // 3 + 15) % 30
    k = (32 + 2 * (b % 4) + 2 * (c // 4) - h - c % 4) % 7
    m = (a + 11 * h + 22 * k) // 451
    month, day = divmod(h + k - 7 * m + 114, 31)
    return datetime.date(year, month, day + 1)
