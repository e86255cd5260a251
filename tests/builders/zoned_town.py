"""A small town with a zone across its main street, built as a real snapshot.

::

        E───F          the long way round
        │   │
    A───B▒▒▒C───D      the zone lies on the street between B and C; between G and H there is a park
    │           │
    G═══════════H
"""

from pathlib import Path

from services.city.build import build_snapshot
from services.city.config import read_city
from services.city.snapshot import CitySnapshot, open_snapshot
from tests.builders.cities import CITY_TOML, write_gtfs
from tests.builders.osm_files import write_osm

PLACES = {
    "A": (41.1500, -8.6240), "B": (41.1500, -8.6200), "C": (41.1500, -8.6160), "D": (41.1500, -8.6120),
    "E": (41.1530, -8.6200), "F": (41.1530, -8.6160), "G": (41.1480, -8.6240), "H": (41.1480, -8.6120),
}  # fmt: skip
STREETS = ("AB", "BC", "CD", "BE", "EF", "FC", "AG", "DH")
ZONES = """
[holidays]
public = ["06-10"]

[[zones]]
id = "centre"
name = "Centre"
polygon = [[41.1499, -8.6190], [41.1499, -8.6170], [41.1501, -8.6170], [41.1501, -8.6190]]
closed_from = "class-4"
vehicles = ["car", "van"]
hours = "Mo-Fr 08:00-20:00; PH off"

[[zones]]
id = "night"
name = "Night"
polygon = [[41.1499, -8.6190], [41.1499, -8.6170], [41.1501, -8.6170], [41.1501, -8.6190]]
closed_from = "electric"
vehicles = ["truck"]
hours = "Su 01:00-02:00"
"""


def middle(street: str) -> tuple[float, float]:
    """Middle of a street, (lat, lon)."""
    (lat, lon), (other_lat, other_lon) = (PLACES[letter] for letter in street)
    return (lat + other_lat) / 2, (lon + other_lon) / 2


def build_zoned_town(folder: Path) -> CitySnapshot:
    """Build its snapshot below a folder; kernels are not compiled."""
    town = folder / "town"
    town.mkdir(parents=True)
    ids = {letter: k for k, letter in enumerate(PLACES, 1)}
    ways: dict[int, tuple[list[int], dict[str, str]]] = {
        100 + k: ([ids[a], ids[b]], {"highway": "residential", "name": f"Rua {a}{b}"}) for k, (a, b) in enumerate(STREETS)
    }
    ways[200] = ([ids["G"], ids["H"]], {"highway": "footway", "access:conditional": "no @ (21:00-07:00)"})
    write_osm(town / "drawn.osm", {k: (*PLACES[letter], {}) for letter, k in ids.items()}, ways)
    write_gtfs(town / "bus.zip")
    (town / "city.toml").write_text(CITY_TOML + ZONES, encoding="utf-8")
    build_snapshot(read_city(town), folder / "home", warm=False)
    return open_snapshot(folder / "home", "drawn")
