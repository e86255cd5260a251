"""Zones of `city.toml` reach the snapshot, `city show`, `city check` and the map; wrong ones are named, the city stays."""

import json
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from services.city.build import build_snapshot
from services.city.calendar import build_calendar
from services.city.config import parse_city, read_city
from services.city.config_zones import easter_sunday
from services.city.errors import CityConfigError, CityInputError
from services.city.show import describe, write_page
from services.city.snapshot import CitySnapshot, current_epoch, open_snapshot
from services.cli.root import root
from tests.builders.cities import CITY_TOML, draw_city

DRAWN = """
[[zones]]
id = "baixa"
name = "Baixa"
polygon = [[41.1499, -8.6170], [41.1499, -8.6159], [41.1501, -8.6159], [41.1501, -8.6170]]
closed_from = "class-4"
vehicles = ["car", "van"]
hours = "Mo-Fr 08:00-20:00; PH off"
starts = 2026-01-01
"""
FROM_FILE = """
[[zones]]
id = "zfe"
name = "ZFE"
file = "zfe.geojson"
url = "https://example.org/zfe"
licence = "etalab-2.0"
"""


def geojson(sticker: str = "V3") -> str:
    """The same square as a file."""
    ring = [[-8.6170, 41.1499], [-8.6159, 41.1499], [-8.6159, 41.1501], [-8.6170, 41.1501], [-8.6170, 41.1499]]
    properties = {"id": "z-001", "date_debut": "2026-01-01", "date_fin": None, "pl_critair": sticker, "pl_horaires": "24/7"}
    area = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}, "properties": properties}
    road = {"type": "Feature", "geometry": {"type": "LineString", "coordinates": ring}, "properties": properties}
    return json.dumps({"type": "FeatureCollection", "features": [area, road]})


def city_with(tmp_path: Path, toml: str, body: str | None = None) -> Path:
    """Folder of a drawn city with zones."""
    folder = draw_city(tmp_path / "drawn", CITY_TOML + toml)
    if body is not None:
        (folder / "zfe.geojson").write_text(body, encoding="utf-8")
    return folder


def build(folder: Path, home: Path) -> CitySnapshot:
    """Build without compiling kernels."""
    build_snapshot(read_city(folder), home, warm=False)
    return open_snapshot(home, "drawn")


def test_zones_reach_the_snapshot(tmp_path: Path) -> None:
    """A drawn one and one of a file, on the one street that lies inside; what a file holds besides is said."""
    snapshot = build(city_with(tmp_path, DRAWN + FROM_FILE, geojson()), tmp_path / "home")
    zones, graph = snapshot.zones, snapshot.street
    assert list(zones.ids) == ["baixa", "z-001"]
    assert list(zones.names) == ["Baixa", "ZFE"]
    assert zones.modes.tolist() == [0b011, 0b100]
    assert zones.from_class.tolist() == [4, 3]
    inside = [k for k in range(graph.arc_count) if {int(graph.arc_tail[k]), int(graph.arc_head[k])} == ends_of(graph)]
    assert [zones.arcs_of(k).tolist() for k in range(2)] == [inside, inside]
    assert zones.ends(0) is None
    assert snapshot.manifest.counts["zones"] == 2
    assert any("zones zfe: 1 features" in warning for warning in snapshot.manifest.warnings)
    assert {item.role for item in snapshot.manifest.inputs} >= {"zone:zfe"}
    words = dict(describe(snapshot)[::-1])["zone"]
    assert (
        words == "Baixa (baixa): closed to cars, vans of class-4 and dirtier, Mo-Fr 08:00-20:00; PH off from 2026-01-01; 2 arcs"
    )
    write_page(snapshot, tmp_path / "map.html")
    page = (tmp_path / "map.html").read_text(encoding="utf-8")
    assert page.count("closed to") >= 4
    assert "zones closed to some vehicles" in page


def ends_of(graph):  # type: ignore[no-untyped-def]
    """Nodes of the street in the square."""
    return set(np.flatnonzero(np.isin(graph.node_osm_id, (2, 3))).tolist())


def test_a_city_without_zones_has_none(tmp_path: Path) -> None:
    """And its page says nothing of them."""
    snapshot = build(city_with(tmp_path, ""), tmp_path / "home")
    assert len(snapshot.zones) == 0
    write_page(snapshot, tmp_path / "map.html")
    assert "zones closed" not in (tmp_path / "map.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("{", "zfe.geojson: low-emission zones: no GeoJSON"),
        (geojson("V9"), r"features\[0\] cannot be read: pl_critair = 'V9' is none of"),
        ('{"features": []}', "holds no zone for cars, vans or trucks"),
        (None, "zfe.geojson was not found"),
    ],
)
def test_a_bad_file_is_named_and_the_city_stays(tmp_path: Path, body: str | None, message: str) -> None:
    """What is wrong, in which entry and file, what to do; the snapshot of before goes on."""
    home, folder = tmp_path / "home", city_with(tmp_path, DRAWN)
    before = build(folder, home)
    city_with(tmp_path, DRAWN + FROM_FILE, body)
    with pytest.raises(CityInputError, match=message) as caught:
        build(folder, home)
    assert "zfe" in str(caught.value)
    assert current_epoch(home, "drawn") == 1
    assert open_snapshot(home, "drawn").id == before.id
    assert list(open_snapshot(home, "drawn").zones.ids) == ["baixa"]


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('id = "baixa"', 'id = "Baixa!"', r"zones\[0\].id"),
        ('closed_from = "class-4"', "", r"zones\[0\].closed_from"),
        ('closed_from = "class-4"', 'closed_from = "class-7"', r"zones\[0\].closed_from"),
        ('hours = "Mo-Fr 08:00-20:00; PH off"', 'hours = "sometimes"', r"zones\[0\].hours"),
        ("starts = 2026-01-01", "starts = 2026-01-02\nends = 2026-01-01", r"zones\[0\].ends"),
        ('vehicles = ["car", "van"]', "vehicles = []", r"zones\[0\].vehicles"),
        ("[41.1499, -8.6170]", "[141.1499, -8.6170]", r"zones\[0\].polygon\[0\]"),
        ('closed_from = "class-4"', 'file = "a.geojson"', r"zones\[0\].file"),
        ("[[zones]]", DRAWN + "[[zones]]", r"zones\[1\].id"),
    ],
)
def test_wrong_entries_are_named(old: str, new: str, key: str) -> None:
    """Which key of which entry."""
    with pytest.raises(CityConfigError, match=key):
        parse_city(CITY_TOML + DRAWN.replace(old, new, 1), Path("cities/drawn/city.toml"))


def test_a_zone_outside_the_city_is_said(tmp_path: Path) -> None:
    """It is kept, and closes nothing."""
    snapshot = build(city_with(tmp_path, DRAWN.replace("-8.61", "-8.51")), tmp_path / "home")
    assert any("no street of the city lies inside" in warning for warning in snapshot.manifest.warnings)


def test_check_lists_zones_without_building(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And says what is wrong by its exit status."""
    monkeypatch.setenv("TRABOULE_HOME", str(tmp_path / "home"))
    folder = city_with(tmp_path, DRAWN + FROM_FILE, geojson())
    answer = CliRunner().invoke(root, ["city", "check", str(folder), "--json"])
    assert answer.exit_code == 0, answer.output
    assert [zone["id"] for zone in json.loads(answer.output)["zones"]] == ["baixa", "z-001"]
    assert not (tmp_path / "home" / "cities").exists()
    (folder / "zfe.geojson").write_text("{", encoding="utf-8")
    assert CliRunner().invoke(root, ["city", "check", str(folder)]).exit_code != 0


def test_holidays_of_every_year() -> None:
    """By date, by Easter, one day of one year, and spans without school."""
    holidays = """
[holidays]
public = ["12-25", "easter-2", "easter+60", "2026-05-04", "02-29"]
school = [{first = 2026-12-22, last = 2027-01-02}]
"""
    calendar = build_calendar(parse_city(CITY_TOML + holidays, Path("city.toml")))
    for day in ((2026, 12, 25), (2031, 12, 25), (2026, 4, 3), (2026, 6, 4), (2026, 5, 4), (2028, 2, 29)):
        assert date(*day) in calendar.public_holidays
    assert date(2027, 5, 4) not in calendar.public_holidays
    assert {date(2026, 12, 22), date(2027, 1, 2)} <= calendar.school_holidays
    assert date(2027, 1, 3) not in calendar.school_holidays
    with pytest.raises(CityConfigError, match=r"holidays.public\[0\]"):
        parse_city(CITY_TOML + '[holidays]\npublic = ["13-40"]\n', Path("city.toml"))
    with pytest.raises(CityConfigError, match=r"holidays.school\[0\].last"):
        parse_city(CITY_TOML + "[holidays]\nschool = [{first = 2026-12-22, last = 2026-12-21}]\n", Path("city.toml"))


def test_easter() -> None:
    """Early, late and usual ones."""
    known = {1818: (3, 22), 1943: (4, 25), 2000: (4, 23), 2008: (3, 23), 2026: (4, 5), 2038: (4, 25)}
    assert {year: (day.month, day.day) for year in known for day in [easter_sunday(year)]} == known
