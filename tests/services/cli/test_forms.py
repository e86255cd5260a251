"""What people type, and what they read: times, points, durations, distances."""

import datetime as dt
from zoneinfo import ZoneInfo

import click
import pytest

from services.cli.context import CommandContext, parse_point
from services.cli.output import clock, console, distance, duration, parse_when, print_table
from services.common.config import load_config

PORTO = ZoneInfo("Europe/Lisbon")
NOW = int(dt.datetime(2026, 7, 28, 8, 30, tzinfo=PORTO).timestamp())


def local(text: str) -> int:
    """Unix seconds of a local time."""
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=PORTO).timestamp())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("09:15", local("2026-07-28 09:15")), ("07:00", local("2026-07-28 07:00")),
        ("2026-07-29 06:05", local("2026-07-29 06:05")), ("2026-07-29T06:05:30", local("2026-07-29 06:05:30")),
        ("+20min", NOW + 1200), ("+5", NOW + 300), ("+90 min", NOW + 5400), ("", 0), (None, 0),
        ("2026-12-24 18:00", local("2026-12-24 18:00")),
    ],
)  # fmt: skip
def test_times_are_the_citys_local_times(text: str | None, expected: int) -> None:
    """Summer and winter time included; a bare time is of the city's present day."""
    assert parse_when(text, PORTO, NOW) == expected


@pytest.mark.parametrize("text", ["25:00", "half past", "+x", "2026-13-01 08:00", "8h30", "+"])
def test_what_is_no_time_shows_the_forms(text: str) -> None:
    """Never a guess."""
    with pytest.raises(click.BadParameter, match="write 08:30"):
        parse_when(text, PORTO, NOW)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("41.15,-8.61", (41.15, -8.61)), ("41.15, -8.61", (41.15, -8.61)), ("41.15;-8.61", (41.15, -8.61)), ("0,0", (0, 0))],
)
def test_points_are_two_numbers(text: str, expected: tuple[float, float]) -> None:
    """Latitude first, comma or semicolon between."""
    point = parse_point(text)
    assert point is not None
    assert (point.lat_deg, point.lon_deg) == expected


@pytest.mark.parametrize("text", ["Trindade", "Rua de Cedofeita, 100", "1,2,3", "", "nan,nan", "inf,1"])
def test_names_are_no_points(text: str) -> None:
    """An address with a comma is a name."""
    assert parse_point(text) is None


def test_ids_need_no_search() -> None:
    """Place ids of the index and feed-scoped stop ids are taken as they are; points, too."""
    context = CommandContext(load_config({}))
    assert context.resolve("osm:way/123")[0].place_id == "osm:way/123"
    assert context.resolve("stop:metro:5726")[0].place_id == "stop:metro:5726"
    assert context.resolve("metro:5726")[0].stop_id == "metro:5726"
    assert context.resolve("41.15,-8.61")[0].point.lat_deg == 41.15


def test_figures_read_as_people_say_them() -> None:
    """Seconds, minutes, hours; metres, kilometres; local clocks."""
    assert [duration(s) for s in (0, 42, 59.6, 90, 3599, 3900, 7200)] == [
        "0 s", "42 s", "1 min", "2 min", "1 h 00", "1 h 05", "2 h 00",
    ]  # fmt: skip
    assert [distance(m) for m in (4, 344, 999, 1000, 12_345)] == ["0 m", "340 m", "1.0 km", "1.0 km", "12.3 km"]
    assert clock(NOW, PORTO) == "08:30"
    assert clock(NOW + 5, PORTO, seconds=True) == "08:30:05"


def test_ids_in_tables_are_never_broken() -> None:
    """However narrow the terminal: what is to be copied stays in one piece."""
    long_name = "Avenida da República × Rua Pinto Mourão × Rua das Camélias"
    with console.capture() as captured:
        print_table(("junction", "name", "state"), [("osm-1143318229", long_name, long_name)] * 2, whole=(0,))
    assert captured.get().count("osm-1143318229") == 2


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_place_is_refused_before_it_is_searched(text: str) -> None:
    """No field of a contract is named to somebody who typed nothing."""
    with pytest.raises(click.ClickException, match="a place is empty"):
        CommandContext(load_config()).resolve(text)
