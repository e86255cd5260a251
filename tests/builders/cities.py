"""Small cities as files: an OSM extract drawn as text, a GTFS zip and a `city.toml`."""

import zipfile
from pathlib import Path
from xml.sax.saxutils import quoteattr

NODES: dict[int, tuple[float, float, dict[str, str]]] = {
    1: (41.1500, -8.6200, {}),
    2: (41.1500, -8.6180, {"highway": "traffic_signals"}),
    3: (41.1500, -8.6160, {}),
    4: (41.1520, -8.6180, {}),
    5: (41.1480, -8.6180, {}),
    6: (41.1505, -8.6185, {"amenity": "parking", "parking": "underground", "name": "Parque do Teste", "capacity": "120"}),
    7: (41.1503, -8.6170, {"amenity": "pharmacy", "name": "Farmácia Sá da Bandeira"}),
    8: (41.1501, -8.6190, {"addr:street": "Rua de Santa Catarina", "addr:housenumber": "10"}),
    9: (41.1506, -8.6195, {"amenity": "parking", "access": "private", "name": "Privado"}),
    10: (41.1510, -8.6200, {"place": "town", "name": "Vilar"}),
    # A surface car park of about 50 m × 50 m.
    11: (41.15300, -8.6200, {}),
    12: (41.15345, -8.6200, {}),
    13: (41.15345, -8.6194, {}),
    14: (41.15300, -8.6194, {}),
}
"""A cross of two streets with a signal in the middle, and things beside it."""

WAYS: dict[int, tuple[list[int], dict[str, str]]] = {
    100: ([1, 2], {"highway": "primary", "name": "Rua de Santa Catarina"}),
    101: ([2, 4], {"highway": "secondary", "name": "Rua Formosa"}),
    102: ([11, 12, 13, 14, 11], {"amenity": "parking", "parking": "surface", "park_ride": "yes"}),
    103: ([2, 3], {"highway": "primary", "name": "Rua de Santa Catarina"}),
    104: ([5, 2], {"highway": "secondary", "name": "Rua Formosa"}),
}

CITY_TOML = """name = "drawn"
title = "Drawn"
country = "PT"
timezone = "Europe/Lisbon"
languages = ["pt"]
reference_date = 2026-07-28

[osm]
file = "drawn.osm"

[[gtfs]]
id = "bus"
file = "bus.zip"
"""

GTFS = {
    "agency.txt": "agency_id,agency_name,agency_url,agency_timezone\nA,Drawn,https://example.org,Europe/Lisbon\n",
    "stops.txt": (
        "stop_id,stop_name,stop_lat,stop_lon,stop_code\nW1,TRINDADE,41.1501,-8.6199,TRD1\nW2,Trindade,41.1502,-8.6198,TRD2\n"
        "E,São Bento,41.1500,-8.6161,SBT\n"
    ),
    "routes.txt": "route_id,agency_id,route_short_name,route_type\n1,A,1,3\n",
    "calendar.txt": (
        "service_id,monday,tuesday,wednesday,thursday,friday,saturday,sunday,start_date,end_date\n"
        "D,1,1,1,1,1,1,1,20260701,20260831\n"
    ),
    "trips.txt": "route_id,service_id,trip_id\n1,D,t1\n1,D,t2\n",
    "stop_times.txt": (
        "trip_id,arrival_time,departure_time,stop_id,stop_sequence\nt1,08:00:00,08:00:00,W1,1\nt1,08:05:00,08:05:00,E,2\n"
        "t2,09:00:00,09:00:00,W2,1\nt2,09:05:00,09:05:00,E,2\n"
    ),
}


def draw_city(folder: Path, toml: str = CITY_TOML) -> Path:
    """Write the files of a drawn city; returns its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "drawn.osm").write_text(osm_xml(), encoding="utf-8")
    write_gtfs(folder / "bus.zip")
    (folder / "city.toml").write_text(toml, encoding="utf-8")
    return folder


def osm_xml() -> str:
    """The drawn extract as OSM XML."""
    lines = ['<osm version="0.6" generator="drawn">']
    for node, (lat, lon, tags) in NODES.items():
        lines.append(f'<node id="{node}" version="1" lat="{lat}" lon="{lon}">{_tags(tags)}</node>')
    for way, (refs, tags) in WAYS.items():
        nodes = "".join(f'<nd ref="{ref}"/>' for ref in refs)
        lines.append(f'<way id="{way}" version="1">{nodes}{_tags(tags)}</way>')
    lines.append(
        '<relation id="200" version="1"><member type="way" ref="100" role="from"/><member type="node" ref="2" role="via"/>'
        '<member type="way" ref="101" role="to"/><tag k="type" v="restriction"/>'
        '<tag k="restriction" v="no_left_turn"/></relation>'
    )
    return "\n".join([*lines, "</osm>"])


def write_gtfs(path: Path, tables: dict[str, str] | None = None) -> None:
    """Write a GTFS zip whose bytes do not depend on the time."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in (tables or GTFS).items():
            archive.writestr(zipfile.ZipInfo(name), text)


def _tags(tags: dict[str, str]) -> str:
    return "".join(f"<tag k={quoteattr(key)} v={quoteattr(value)}/>" for key, value in tags.items())
