"""The city's clock and service days.

All business time comes from `CityClock`: the real time, or a recorded day replayed at some rate. Every process of one
city shares it through the setting ``TRABOULE_CLOCK="<city_epoch_s>@<wall_epoch_s>x<rate>"``: at wall time
``wall_epoch_s`` it was ``city_epoch_s`` in the city, and since then ``rate`` city seconds pass each second.
"""

import asyncio
import datetime as dt
import math
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from services.common.errors import ConfigError

VARIABLE = "TRABOULE_CLOCK"
_NUMBER = r"\d+(?:\.\d+)?"
_FORMAT = re.compile(rf"(?P<city>{_NUMBER})@(?P<wall>{_NUMBER})x(?P<rate>{_NUMBER})")
_HALF_DAY_S = 12 * 3600


@dataclass(frozen=True, slots=True)
class CityClock:
    """Time in the city, as unix seconds.

    Parameters
    ----------
    city_epoch_s, wall_epoch_s
        City time at one moment of wall time, unix seconds.
    rate
        City seconds per wall second; 0 stands still.
    """

    city_epoch_s: float = 0.0
    wall_epoch_s: float = 0.0
    rate: float = 1.0

    def __post_init__(self) -> None:
        values = (self.city_epoch_s, self.wall_epoch_s, self.rate)
        if not all(math.isfinite(value) for value in values) or self.rate < 0:
            raise ConfigError(f"clock: {values} is not a clock: three finite numbers, rate >= 0 are expected")

    @property
    def is_real(self) -> bool:
        """Whether city time is wall time."""
        return self.rate == 1.0 and self.city_epoch_s == self.wall_epoch_s

    def now(self) -> float:
        """City time, unix seconds."""
        wall_s = time.time()
        return wall_s if self.is_real else self.city_epoch_s + (wall_s - self.wall_epoch_s) * self.rate

    def wall_time(self, city_s: float) -> float:
        """Wall time, unix seconds, at which it is `city_s` in the city; infinite when the clock never gets there."""
        if self.is_real:
            return city_s
        if self.rate == 0:
            return math.inf if city_s > self.city_epoch_s else self.wall_epoch_s
        return self.wall_epoch_s + (city_s - self.city_epoch_s) / self.rate

    async def sleep_until(self, city_s: float) -> None:
        """Wait until it is `city_s` in the city; returns at once when that is past."""
        delay_s = self.wall_time(city_s) - time.time()
        if math.isinf(delay_s):
            raise ConfigError("clock: the city clock stands still (rate 0), so waiting for a later time would never end")
        await asyncio.sleep(max(0.0, delay_s))

    async def sleep(self, duration_s: float) -> None:
        """Wait `duration_s` city seconds."""
        await self.sleep_until(self.now() + duration_s)

    def setting(self) -> str:
        """The clock as a ``TRABOULE_CLOCK`` value; empty for the real clock."""
        return "" if self.is_real else f"{self.city_epoch_s!r}@{self.wall_epoch_s!r}x{self.rate!r}"

    @classmethod
    def parse(cls, text: str) -> "CityClock":
        """Clock from a ``TRABOULE_CLOCK`` value; empty means the real clock.

        Raises
        ------
        ConfigError
            If the text is not ``<city_epoch_s>@<wall_epoch_s>x<rate>``.
        """
        if not text.strip():
            return cls()
        match = _FORMAT.fullmatch(text.strip())
        if match is None:
            raise ConfigError(
                f"clock ({VARIABLE}): {text!r} is not a clock; expected <city_epoch_s>@<wall_epoch_s>x<rate>, "
                "for example 1785196800@1700000000x10"
            )
        return cls(float(match["city"]), float(match["wall"]), float(match["rate"]))

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> "CityClock":
        """Clock that ``TRABOULE_CLOCK`` asks for; the real clock when unset."""
        return cls.parse((os.environ if environ is None else environ).get(VARIABLE, ""))

    @classmethod
    def starting_at(cls, city_epoch_s: float, rate: float = 1.0) -> "CityClock":
        """Clock that shows `city_epoch_s` now and runs at `rate`."""
        return cls(float(city_epoch_s), time.time(), float(rate))


def service_day_start(date: dt.date, timezone: ZoneInfo) -> int:
    """Unix seconds of the zero of a service day: local noon minus 12 h (GTFS), right on days when clocks change."""
    noon = dt.datetime.combine(date, dt.time(12), tzinfo=timezone)
    return int(noon.timestamp()) - _HALF_DAY_S


def to_service_time(unix_s: int, date: dt.date, timezone: ZoneInfo) -> int:
    """Seconds since the zero of the service day `date`; above 86 400 after the following midnight, negative before it."""
    return unix_s - service_day_start(date, timezone)


def from_service_time(time_s: int, date: dt.date, timezone: ZoneInfo) -> int:
    """Unix seconds of `time_s` of the service day `date`."""
    return service_day_start(date, timezone) + time_s


def local_date(unix_s: float, timezone: ZoneInfo) -> dt.date:
    """Calendar date on the city's wall clocks."""
    return dt.datetime.fromtimestamp(unix_s, tz=timezone).date()
