"""Reading an OSM file in bulk: what comes out is what pyosmium says element by element."""

import numpy as np
import osmium
import pytest

from services.city.errors import CityInputError
from services.city.osm_reader_extract import Extract, read_extract
from services.city.osm_reader_tags import NODE_KEYS
from tests.builders.osm_files import write_osm
from tests.builders.shared_data import porto, shared


def naive(path) -> tuple[dict, dict, dict, dict]:
    """Positions, tags of nodes, ways and restrictions, one Python object at a time."""
    places, notes, ways, relations = {}, {}, {}, {}
    for thing in osmium.FileProcessor(str(path)):
        tags = dict(thing.tags)
        if thing.is_node():
            places[thing.id] = (thing.location.y, thing.location.x)
            if any(key in tags for key in NODE_KEYS):
                notes[thing.id] = tags
        elif thing.is_way() and ("highway" in tags or "route" in tags):
            ways[thing.id] = ([node.ref for node in thing.nodes], tags)
        elif thing.is_relation() and tags.get("type", "").split(":")[0] == "restriction":
            relations[thing.id] = ([(m.type, m.ref, m.role) for m in thing.members], tags)
    return places, notes, ways, relations


def unpacked(extract: Extract) -> tuple[dict, dict, dict, dict]:
    """The same of an extract."""
    places = zip(extract.node_lat_e7.tolist(), extract.node_lon_e7.tolist(), strict=True)
    refs = np.split(extract.refs, extract.first_ref[1:-1])
    ways = {int(way): (refs[i].tolist(), extract.tags[extract.way_tags[i]]) for i, way in enumerate(extract.way_id)}
    relations = {number: (members, tags) for number, tags, members in extract.relations}
    return dict(zip(extract.node_id.tolist(), places, strict=True)), dict(extract.node_tags), ways, relations


@pytest.mark.slow
@pytest.mark.parametrize("file", ["porto", "heidelberg/heidelberg.test.pbf"])
def test_real_extracts(file):
    """Every node, way and restriction of a city, nothing more."""
    path = porto("porto_portugal.osm.pbf") if file == "porto" else shared(file)
    assert unpacked(read_extract(path)) == naive(path)


def test_odd_texts(tmp_path):
    """Blanks, commas, signs, other scripts and characters beyond the first plane come through; so do ways without nodes."""
    tags = {"highway": "residential", "name": "a, b=c %20% @d é 道 🚲\n", "odd=key,": "%"}
    nodes = {
        3: (41.0, -8.0, {}),
        1: (41.1, -8.1, {"highway": "traffic_signals", "note": "x y"}),
        2: (-90.0, 180.0, {"shop": "books"}),
        12_000_000_000: (41.2, -8.2, {}),
    }
    ways = {7: ([3, 1, 12_000_000_000], tags), 8: ([], {"route": "ferry"}), 9: ([3, 1], {"building": "yes"})}
    relations = {
        4: ([("w", 7, "from"), ("n", 3, "via, or so")], {"type": "restriction:hgv", "restriction": "no_u_turn"}),
        5: ([("w", 7, "")], {"type": "route", "subtype": "type=restriction"}),
    }
    path = write_osm(tmp_path / "a.osm", nodes, ways, relations)
    extract = read_extract(path)
    assert unpacked(extract) == naive(path)
    assert extract.node_id.tolist() == [1, 2, 3, 12_000_000_000]
    assert extract.tags[extract.way_tags[0]] == tags


def test_nothing_to_read(tmp_path):
    """A file without nodes, one without ways, and an element that is drawn but not yet uploaded (negative id)."""
    assert unpacked(read_extract(write_osm(tmp_path / "a.osm", {}, {}))) == ({}, {}, {}, {})
    extract = read_extract(
        write_osm(tmp_path / "b.osm", {-1: (41.0, -8.0, {}), 5: (41.0, -8.0, {})}, {-7: ([-1, 5], {"highway": "road"})})
    )
    assert extract.node_id.tolist() == [5]
    assert extract.refs.tolist() == [-1, 5]


def test_positions_off_the_earth(tmp_path):
    """Nodes without a valid position are left out like missing ones."""
    path = tmp_path / "a.osm"
    path.write_text('<osm version="0.6"><node id="1" version="1"/><node id="2" version="1" lat="41" lon="-8"/></osm>')
    assert read_extract(path).node_id.tolist() == [2]
    path.write_text('<osm version="0.6"><node id="1" version="1" lat="95" lon="0"/></osm>')
    assert read_extract(path).node_id.tolist() == []


def test_nonsense(tmp_path):
    """What is no OSM file is refused by its name."""
    (tmp_path / "a.osm.pbf").write_bytes(b"\x00" * 300)
    with pytest.raises(CityInputError, match=r"a\.osm\.pbf.*fetch the extract again"):
        read_extract(tmp_path / "a.osm.pbf")
