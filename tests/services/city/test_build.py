"""City builds: the same bytes twice, skipped when nothing changed, harmless when interrupted, clear about bad files."""

import filecmp
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from services.city.build import build_city, build_snapshot
from services.city.config import read_city
from services.city.errors import (
    CityBuildBusyError,
    CityConfigError,
    CityInputError,
    CityNotFoundError,
    SnapshotCorruptError,
    SnapshotMissingError,
)
from services.city.layout import CityHome
from services.city.snapshot import current_epoch, list_snapshots, open_snapshot
from services.city.steps import STEPS, Building, Say, Step
from tests.builders.cities import CITY_TOML, GTFS, draw_city, write_gtfs
from tests.builders.waiting import until_blocking


def build(folder: Path, home: Path) -> Path:
    """Build without compiling kernels."""
    return build_snapshot(read_city(folder), home, warm=False).folder


def stored(folder: Path) -> list[str]:
    """Files that must be the same for the same inputs."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and p.name != "timings.json")


def test_same_inputs_give_the_same_bytes(tmp_path: Path) -> None:
    """Two builds in two homes are the same snapshot, file by file."""
    city = draw_city(tmp_path / "drawn")
    a, b = build(city, tmp_path / "home1"), build(city, tmp_path / "home2")
    assert a.name == b.name
    assert stored(a) == stored(b)
    assert len(stored(a)) > 100
    assert all(filecmp.cmp(a / name, b / name, shallow=False) for name in stored(a))


def test_sections_hold_what_was_drawn(tmp_path: Path) -> None:
    """Streets, timetable, car parks, signals, places and the declaration are all there."""
    build(draw_city(tmp_path / "drawn"), tmp_path / "home")
    snapshot = open_snapshot(tmp_path / "home", "drawn")
    assert (snapshot.name, snapshot.timezone, snapshot.epoch) == ("drawn", "Europe/Lisbon", 1)
    assert snapshot.street.node_count == 5
    assert list(snapshot.timetable.stop_ids) == ["bus:W1", "bus:W2", "bus:E"]
    assert list(snapshot.signal_sites.names) == ["Rua de Santa Catarina × Rua Formosa"]
    assert len(snapshot.car_parks) == 2
    assert "Vilar" in list(snapshot.places.names)
    assert snapshot.bbox.contains(41.15, -8.618)
    snapshot.check()


def test_nothing_to_do_keeps_the_snapshot_and_a_change_swaps_it(tmp_path: Path) -> None:
    """The second build finds the first; a changed timetable makes another epoch, and what is held open stays readable."""
    city, home = draw_city(tmp_path / "drawn"), tmp_path / "home"
    assert current_epoch(home, "drawn") == 0
    first = build_snapshot(read_city(city), home, warm=False)
    again = build_snapshot(read_city(city), home, warm=False)
    assert (first.is_new, again.is_new, again.folder, again.epoch) == (True, False, first.folder, 1)
    old = open_snapshot(home, "drawn").timetable
    write_gtfs(city / "bus.zip", GTFS | {"trips.txt": "route_id,service_id,trip_id\n1,D,t1\n"})
    assert build_snapshot(read_city(city), home, warm=False).epoch == 2
    new = open_snapshot(home, "drawn")
    assert (old.trip_count, new.timetable.trip_count, new.epoch) == (2, 1, 2)
    assert [(item.is_current, item.city) for item in list_snapshots(home)] == [(True, "drawn"), (False, "drawn")]


def _stop_here(building: Building, say: Say) -> None:
    del building, say
    raise KeyboardInterrupt


def test_interrupted_build_leaves_the_old_snapshot(tmp_path: Path) -> None:
    """Ctrl-C after the streets: the old snapshot stays current, nothing half-made is left."""
    city, home = draw_city(tmp_path / "drawn"), tmp_path / "home"
    old = build(city, home)
    (city / "city.toml").write_text(CITY_TOML.replace("Drawn", "Drawn again"))
    with pytest.raises(KeyboardInterrupt):
        build_snapshot(read_city(city), home, steps=(STEPS[0], Step("stop", "stop", _stop_here)), warm=False)
    assert open_snapshot(home, "drawn").folder == old
    assert [path.name for path in CityHome.of(home, "drawn").snapshots.iterdir()] == [old.name]


def _hang(building: Building, say: Say) -> None:
    del say
    (building.folder / "half").write_text("made")
    time.sleep(3600)


def _build_and_hang(city: Path, home: Path) -> None:
    build_snapshot(read_city(city), home, steps=(Step("hang", "hang", _hang),), warm=False)


def test_killed_build_is_cleaned_up_by_the_next(tmp_path: Path) -> None:
    """While one process builds others are told to wait; after ``kill -9`` the lock is free and the rubbish is removed."""
    city, home = draw_city(tmp_path / "drawn"), tmp_path / "home"
    child = multiprocessing.get_context("spawn").Process(target=_build_and_hang, args=(city, home))
    child.start()
    places = CityHome.of(home, "drawn")
    until_blocking(lambda: list(places.snapshots.glob(".building-*/half")), "the first step")
    with pytest.raises(CityBuildBusyError, match="wait until it has finished"):
        build(city, home)
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    done = build(city, home)
    assert [path.name for path in places.snapshots.iterdir()] == [done.name]


@pytest.mark.parametrize(("file", "error"), [("drawn.osm", "drawn.osm"), ("bus.zip", "bus.zip")])
def test_truncated_inputs_are_named(tmp_path: Path, file: str, error: str) -> None:
    """Half a file is refused with its name, and the old snapshot stays."""
    city, home = draw_city(tmp_path / "drawn"), tmp_path / "home"
    old = build(city, home)
    whole = (city / file).read_bytes()
    (city / file).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CityInputError, match=error):
        build(city, home)
    assert open_snapshot(home, "drawn").folder == old


def test_missing_file_says_where_it_was_looked_for(tmp_path: Path) -> None:
    """A file that is nowhere: the message lists the folders and what to do."""
    city = draw_city(tmp_path / "drawn")
    (city / "bus.zip").unlink()
    with pytest.raises(CityInputError, match=r"bus\.zip was not found in .*drawn.*traboule city update drawn"):
        build_city(city, tmp_path / "home")


def test_wrong_sha256_is_refused(tmp_path: Path) -> None:
    """A file that is not the declared one is refused, with its real digest."""
    city = draw_city(tmp_path / "drawn", CITY_TOML.replace('file = "drawn.osm"', f'file = "drawn.osm"\nsha256 = "{"0" * 64}"'))
    with pytest.raises(CityConfigError, match=r"osm\.sha256"):
        build(city, tmp_path / "home")


def test_damaged_snapshots_are_recognised(tmp_path: Path) -> None:
    """Never built, pointer damaged, a file altered or missing: each is said with what to do."""
    city, home = draw_city(tmp_path / "drawn"), tmp_path / "home"
    with pytest.raises(CityNotFoundError, match="traboule city build"):
        open_snapshot(home, "drawn")
    folder = build(city, home)
    name = folder / "street" / "arc_head.npy"
    content = bytearray(name.read_bytes())
    content[-1] ^= 1
    name.write_bytes(bytes(content))
    with pytest.raises(SnapshotCorruptError, match=r"arc_head\.npy was altered"):
        open_snapshot(home, "drawn").check()
    name.unlink()
    with pytest.raises(SnapshotMissingError, match=r"arc_head\.npy"):
        _ = open_snapshot(home, "drawn").street
    (home / "cities" / "drawn" / "current").write_text("{}")
    with pytest.raises(SnapshotCorruptError, match="build the city again"):
        open_snapshot(home, "drawn")


def test_city_without_public_transport(tmp_path: Path) -> None:
    """A city without GTFS is built, warns, and says so when asked for a timetable."""
    build(draw_city(tmp_path / "drawn", CITY_TOML.split("[[gtfs]]", maxsplit=1)[0]), tmp_path / "home")
    snapshot = open_snapshot(tmp_path / "home", "drawn")
    assert not snapshot.has_timetable
    assert any("no public transport" in warning for warning in snapshot.manifest.warnings)
    with pytest.raises(SnapshotMissingError, match=r"add \[\[gtfs\]\]"):
        _ = snapshot.timetable


def test_reference_date_without_service_is_a_warning(tmp_path: Path) -> None:
    """A reference date outside the calendar is found while building."""
    build(draw_city(tmp_path / "drawn", CITY_TOML.replace("2026-07-28", "2027-07-27")), tmp_path / "home")
    warnings = open_snapshot(tmp_path / "home", "drawn").manifest.warnings
    assert any("no service on the reference date 2027-07-27" in warning for warning in warnings)
