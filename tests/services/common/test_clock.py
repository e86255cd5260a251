"""The city's clock, and service days on days when clocks change."""

import datetime as dt
import time
from zoneinfo import ZoneInfo

import pytest

from services.common.clock import CityClock, from_service_time, local_date, service_day_start, to_service_time
from services.common.errors import ConfigError
from tests.builders.waiting import soon

LISBON = ZoneInfo("Europe/Lisbon")


def test_a_replayed_day_runs_at_its_rate() -> None:
    """City time follows wall time at the rate, from the moment set."""
    began = time.time() - 10
    clock = CityClock.parse(f"1785196800@{began!r}x60")
    earliest, now, latest = time.time(), clock.now(), time.time()
    assert 60 * (earliest - began) - 0.01 <= now - 1785196800 <= 60 * (latest - began) + 0.01
    assert clock.wall_time(1785196860) - clock.wall_epoch_s == pytest.approx(1.0)
    assert CityClock.parse(clock.setting()) == clock


def test_without_a_setting_the_clock_is_the_real_one() -> None:
    """An unset variable means real time."""
    clock = CityClock.from_environment({})
    assert clock.is_real
    earliest, now, latest = time.time(), clock.now(), time.time()
    assert earliest <= now <= latest
    assert clock.setting() == ""


@pytest.mark.parametrize("text", ["now", "1@2", "1@2x", "-1@2x3", "1@2xinf"])
def test_what_is_no_clock_is_refused(text: str) -> None:
    """The message shows the form."""
    with pytest.raises(ConfigError, match="<city_epoch_s>@<wall_epoch_s>x<rate>"):
        CityClock.parse(text)


async def test_waiting_takes_city_time() -> None:
    """Ten city hours pass in the twinkling of an eye at a high rate, and never when the clock stands still."""
    clock = CityClock.starting_at(1_000_000, rate=1_000_000)
    started = time.monotonic()
    await soon(clock.sleep(36_000))
    assert time.monotonic() - started > 0.03
    with pytest.raises(ConfigError, match="stands still"):
        await CityClock.starting_at(0, rate=0).sleep(1)


@pytest.mark.parametrize(
    ("date", "first_s"),
    [(dt.date(2026, 7, 28), "00:00"), (dt.date(2026, 3, 29), "23:00"), (dt.date(2026, 10, 25), "01:00")],
)
def test_service_days_start_twelve_hours_before_noon(date: dt.date, first_s: str) -> None:
    """On the days when clocks change that is not midnight (GTFS)."""
    start = service_day_start(date, LISBON)
    assert dt.datetime.fromtimestamp(start, LISBON).strftime("%H:%M") == first_s
    noon = dt.datetime.combine(date, dt.time(12), LISBON)
    assert to_service_time(int(noon.timestamp()), date, LISBON) == 12 * 3600
    assert from_service_time(25 * 3600, date, LISBON) == start + 25 * 3600


def test_the_local_date_is_the_city_s() -> None:
    """Half past midnight in summer is still the day before in UTC."""
    moment = dt.datetime(2026, 7, 28, 0, 30, tzinfo=LISBON).timestamp()
    assert local_date(moment, LISBON) == dt.date(2026, 7, 28)
