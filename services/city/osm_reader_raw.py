"""Streets as they stand in an OSM file: the only place that knows pyosmium."""

from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import osmium

from services.city.errors import CityInputError
from services.city.osm_reader_restrictions import RawRestriction, read_restriction
from services.city.osm_reader_tags import WayTraits, node_traits, way_traits

Progress = Callable[[str, float], None]
"""Called with what is being done and the share done so far (0…1)."""


@dataclass(frozen=True, slots=True)
class RawStreets:
    """Ways, their nodes and turn restrictions, not yet a graph; n nodes, w ways.

    Attributes
    ----------
    node_id : int64[n]
        Ascending. Ways may name nodes that are missing here (cut extracts).
    node_lat_e7, node_lon_e7 : int32[n]
    node_flags : uint8[n]
    node_blocked : uint16[n]
    way_id : int64[w]
    first_ref : int64[w + 1]
    refs : int64[…]
        Node ids of way `i` are ``refs[first_ref[i]:first_ref[i + 1]]``.
    traits : list of WayTraits
    restrictions : list of RawRestriction
    skipped : dict
        Why relations were left out, and how often.
    """

    node_id: npt.NDArray[np.int64]
    node_lat_e7: npt.NDArray[np.int32]
    node_lon_e7: npt.NDArray[np.int32]
    node_flags: npt.NDArray[np.uint8]
    node_blocked: npt.NDArray[np.uint16]
    way_id: npt.NDArray[np.int64]
    first_ref: npt.NDArray[np.int64]
    refs: npt.NDArray[np.int64]
    traits: list[WayTraits]
    restrictions: list[RawRestriction]
    skipped: dict[str, int]


def read_raw_streets(pbf: Path, progress: Progress | None = None) -> RawStreets:
    """Read streets in two passes (ways and relations, then the nodes they name).

    Raises
    ------
    CityInputError
        If the file is missing, truncated or not OSM data.
    """
    say = progress or (lambda _text, _share: None)
    wanted = osmium.IdTracker()
    try:
        say("reading streets", 0.0)
        ways = _read_ways(pbf, wanted)
        say("reading street nodes", 0.3)
        nodes = _read_nodes(pbf, wanted)
    except (RuntimeError, OSError) as error:
        raise CityInputError(f"{pbf}: cannot be read as OSM data ({error}); fetch the extract again") from error
    way_id, first_ref, refs = (np.array(column, np.int64) for column in (ways.id, ways.first, ways.refs))
    return RawStreets(
        nodes.id,
        nodes.lat_e7,
        nodes.lon_e7,
        nodes.flags,
        nodes.blocked,
        way_id,
        first_ref,
        refs,
        ways.traits,
        ways.restrictions,
        ways.skipped,
    )


@dataclass
class _Ways:
    """Columns filled while reading ways and relations."""

    id: "array[int]" = field(default_factory=lambda: array("q"))
    first: "array[int]" = field(default_factory=lambda: array("q", [0]))
    refs: "array[int]" = field(default_factory=lambda: array("q"))
    traits: list[WayTraits] = field(default_factory=list)
    restrictions: list[RawRestriction] = field(default_factory=list)
    skipped: dict[str, int] = field(default_factory=dict)

    def add_way(self, way: osmium.osm.Way, wanted: osmium.IdTracker) -> None:
        traits = way_traits({tag.k: tag.v for tag in way.tags})
        if traits is not None:
            self.id.append(way.id)
            self.refs.extend([node.ref for node in way.nodes])
            self.first.append(len(self.refs))
            self.traits.append(traits)
            wanted.add_references(way)

    def add_relation(self, relation: osmium.osm.Relation) -> None:
        tags = {tag.k: tag.v for tag in relation.tags}
        if tags.get("type", "").partition(":")[0] != "restriction":
            return
        members = [(member.type, member.ref, member.role) for member in relation.members]
        restriction = read_restriction(relation.id, tags, members)
        if isinstance(restriction, RawRestriction):
            self.restrictions.append(restriction)
        else:
            self.skipped[restriction] = self.skipped.get(restriction, 0) + 1


def _read_ways(pbf: Path, wanted: osmium.IdTracker) -> _Ways:
    """Read ways and relations; `wanted` learns the nodes of the streets."""
    ways = _Ways()
    keys = osmium.filter.KeyFilter("highway", "route", "type")
    for thing in osmium.FileProcessor(str(pbf), osmium.osm.WAY | osmium.osm.RELATION).with_filter(keys):
        if isinstance(thing, osmium.osm.Way):
            ways.add_way(thing, wanted)
        elif isinstance(thing, osmium.osm.Relation):
            ways.add_relation(thing)
    return ways


class _Nodes(NamedTuple):
    id: npt.NDArray[np.int64]
    lat_e7: npt.NDArray[np.int32]
    lon_e7: npt.NDArray[np.int32]
    flags: npt.NDArray[np.uint8]
    blocked: npt.NDArray[np.uint16]


class _NodeColumns(osmium.SimpleHandler):
    """Fills columns with nodes (a handler: twice as fast as iterating over them)."""

    def __init__(self) -> None:
        super().__init__()
        self.id, self.lat_e7, self.lon_e7 = array("q"), array("i"), array("i")
        self.notes: dict[int, tuple[int, int]] = {}

    def node(self, node: osmium.osm.Node) -> None:
        """Take one node."""
        location, tags = node.location, node.tags
        if not location.valid():
            return
        if len(tags) and ("barrier" in tags or "highway" in tags):
            self.notes[len(self.id)] = node_traits({tag.k: tag.v for tag in tags})
        self.id.append(node.id)
        self.lat_e7.append(location.y)
        self.lon_e7.append(location.x)


def _read_nodes(pbf: Path, wanted: osmium.IdTracker) -> _Nodes:
    """Read the wanted nodes, by ascending id."""
    columns = _NodeColumns()
    osmium.apply(osmium.io.Reader(str(pbf), osmium.osm.NODE), wanted.id_filter(), columns)
    number = np.array(columns.id, np.int64)
    flags, blocked = np.zeros(len(number), np.uint8), np.zeros(len(number), np.uint16)
    for row, (flag, stop) in columns.notes.items():
        flags[row], blocked[row] = flag, stop
    order = np.argsort(number, kind="stable")
    lat, lon = np.array(columns.lat_e7, np.int32), np.array(columns.lon_e7, np.int32)
    return _Nodes(number[order], lat[order], lon[order], flags[order], blocked[order])
