"""Streets as they stand in an OSM file: the only place that knows pyosmium."""

from array import array
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

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
    try:
        say("reading streets", 0.0)
        ids, first, refs, traits, restrictions, skipped = _read_ways(pbf)
        say("reading street nodes", 0.3)
        nodes = _read_nodes(pbf, np.unique(refs))
    except (RuntimeError, OSError) as error:
        raise CityInputError(f"{pbf}: cannot be read as OSM data ({error}); fetch the extract again") from error
    return RawStreets(*nodes, ids, first, refs, traits, restrictions, skipped)


def _read_ways(
    pbf: Path,
) -> tuple[
    npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64], list[WayTraits], list[RawRestriction], dict[str, int]
]:
    ids, first, refs = array("q"), array("q", [0]), array("q")
    traits: list[WayTraits] = []
    restrictions: list[RawRestriction] = []
    skipped: dict[str, int] = {}
    entities = osmium.osm.WAY | osmium.osm.RELATION
    keys = osmium.filter.KeyFilter("highway", "route", "restriction", "type")
    for thing in osmium.FileProcessor(str(pbf), entities).with_filter(keys):
        tags = {tag.k: tag.v for tag in thing.tags}
        if thing.is_way():
            way = way_traits(tags)
            if way is not None:
                ids.append(thing.id)
                refs.extend([node.ref for node in thing.nodes])
                first.append(len(refs))
                traits.append(way)
        elif tags.get("type", "").startswith("restriction"):
            members = [(member.type, member.ref, member.role) for member in thing.members]
            restriction = read_restriction(thing.id, tags, members)
            if isinstance(restriction, RawRestriction):
                restrictions.append(restriction)
            else:
                skipped[restriction] = skipped.get(restriction, 0) + 1
    columns = (np.array(column, np.int64) for column in (ids, first, refs))
    return *columns, traits, restrictions, skipped


def _read_nodes(
    pbf: Path, wanted: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.uint8], npt.NDArray[np.uint16]]:
    tracker = osmium.IdTracker()
    for number in wanted.tolist():
        tracker.add_node(number)
    ids, lat, lon = array("q"), array("q"), array("q")
    notes: dict[int, tuple[int, int]] = {}
    for node in osmium.FileProcessor(str(pbf), osmium.osm.NODE).with_filter(tracker.id_filter()):
        location = node.location
        if not location.valid():
            continue
        ids.append(node.id)
        lat.append(location.y)
        lon.append(location.x)
        if node.tags and ("barrier" in node.tags or "highway" in node.tags):
            notes[len(ids) - 1] = node_traits({tag.k: tag.v for tag in node.tags})
    order = np.argsort(np.array(ids, np.int64), kind="stable")
    flags, blocked = np.zeros(len(ids), np.uint8), np.zeros(len(ids), np.uint16)
    for row, (flag, stop) in notes.items():
        flags[row], blocked[row] = flag, stop
    return (
        np.array(ids, np.int64)[order],
        np.array(lat, np.int32)[order],
        np.array(lon, np.int32)[order],
        flags[order],
        blocked[order],
    )
