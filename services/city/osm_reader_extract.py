"""Streets as they stand in an OSM file: with `osm_features`, the only places that know pyosmium.

One pass, without a Python object per element: libosmium filters the file, writes the positions of its nodes into a table of
fixed records and what carries street tags as text, one element a line (OPL, https://osmcode.org/opl-file-format/). Both are
then read in bulk. Tags are kept once per distinct text: an extract repeats few combinations over and over.
"""

import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import osmium

from services.city.errors import CityInputError
from services.city.osm_reader_tags import NODE_KEYS

Tags = Mapping[str, str]
Int64 = npt.NDArray[np.int64]
Int32 = npt.NDArray[np.int32]
Member = tuple[str, int, str]
"""(type n, w or r; id; role)."""

_LOCATION = np.dtype([("id", "<u8"), ("lon_e7", "<i4"), ("lat_e7", "<i4")])
"""A record of libosmium's location table; places not used have no valid position."""
_ESCAPED = re.compile("%([0-9a-f]+)%")
_CHUNK = 20_000


@dataclass(frozen=True, slots=True)
class Extract:
    """What an OSM file holds of streets; n nodes, w ways.

    Attributes
    ----------
    node_id : int64[n]
        All nodes of the file that have a position, ascending.
    node_lat_e7, node_lon_e7 : int32[n]
    node_tags : dict
        Tags of the nodes that carry one of `NODE_KEYS`.
    way_id : int64[w]
        Ways with the key ``highway`` or ``route``, in the order of the file.
    first_ref : int64[w + 1]
    refs : int64[…]
        Node ids of way `i` are ``refs[first_ref[i]:first_ref[i + 1]]``.
    way_tags : int32[w]
        Index into `tags`.
    tags : list of dict
        The distinct combinations.
    relations : list of (id, tags, members)
        Relations with the key ``type`` = ``restriction`` or ``restriction:…``.
    """

    node_id: Int64
    node_lat_e7: Int32
    node_lon_e7: Int32
    node_tags: Mapping[int, Tags]
    way_id: Int64
    first_ref: Int64
    refs: Int64
    way_tags: Int32
    tags: list[Tags]
    relations: list[tuple[int, Tags, list[Member]]]


def read_extract(path: Path) -> Extract:
    """Read the streets of any file libosmium reads; O(size of the file), 16 bytes of disk per node while it runs.

    Raises
    ------
    CityInputError
        If the file is missing, truncated or not OSM data.
    """
    with tempfile.TemporaryDirectory(prefix="traboule-osm-") as folder:
        places, text = Path(folder) / "places", Path(folder) / "streets.opl"
        try:
            _filter(path, places, text)
        except (RuntimeError, OSError) as error:
            raise CityInputError(f"{path}: cannot be read as OSM data ({error}); fetch the extract again") from error
        with text.open(encoding="utf-8", newline="\n") as lines:
            return parse_extract(lines, *_locations(places))


def _filter(path: Path, places: Path, text: Path) -> None:
    """Let libosmium write node positions to `places` and tagged elements to `text`."""
    locations = osmium.NodeLocationsForWays(osmium.index.create_map(f"sparse_file_array,{places}"))
    locations.apply_nodes_to_ways = False
    keys = []
    for entity, names in (
        (osmium.osm.NODE, NODE_KEYS),
        (osmium.osm.WAY, ("highway", "route")),
        (osmium.osm.RELATION, ("type",)),
    ):
        keys.append(osmium.filter.KeyFilter(*names))
        keys[-1].enable_for(entity)
    with osmium.SimpleWriter(osmium.io.File(str(text), "opl,add_metadata=false")) as writer:
        osmium.apply(osmium.io.Reader(str(path)), locations, *keys, writer)


def _locations(places: Path) -> tuple[Int64, Int32, Int32]:
    """Ids (ascending), latitudes and longitudes out of libosmium's table."""
    table = np.memmap(places, _LOCATION, "r") if places.exists() and places.stat().st_size else np.zeros(0, _LOCATION)
    valid = (np.abs(table["lon_e7"].astype(np.int64)) <= 1_800_000_000) & (table["lat_e7"] <= 900_000_000)
    valid &= table["lat_e7"] >= -900_000_000
    number, lat, lon = (table[name][valid] for name in ("id", "lat_e7", "lon_e7"))
    number = number.astype(np.int64)
    if (number[1:] <= number[:-1]).any():
        number, rows = np.unique(number, return_index=True)
        lat, lon = lat[rows], lon[rows]
    return number, lat, lon


def parse_extract(lines: Iterable[str], node_id: Int64, node_lat_e7: Int32, node_lon_e7: Int32) -> Extract:
    """Parse OPL lines (pure)."""
    index: dict[str, int] = {}
    nodes: dict[int, Tags] = {}
    relations: list[tuple[int, Tags, list[Member]]] = []
    numbers: list[str] = []
    counts: list[int] = []
    which: list[int] = []
    refs: list[str] = []
    packed: list[Int64] = []
    for line in lines:
        head, tags, *rest = line.rstrip("\n").split(" ")
        if head[0] == "w":
            members = rest[0][1:]
            numbers.append(head[1:])
            which.append(index.setdefault(tags, len(index)))
            counts.append(members.count("n"))
            if members:
                refs.append(members)
                if len(refs) == _CHUNK:
                    packed.append(_numbers(refs))
                    refs = []
        elif head[0] == "n":
            nodes[int(head[1:])] = _tags(tags)
        elif head[0] == "r" and "type=restriction" in tags:
            relation = _tags(tags)
            if relation.get("type", "").partition(":")[0] == "restriction":
                relations.append((int(head[1:]), relation, _members(rest[0][1:])))
    first = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(np.array(counts, np.int64), out=first[1:])
    return Extract(
        node_id,
        node_lat_e7,
        node_lon_e7,
        nodes,
        np.array([int(number) for number in numbers], np.int64),
        first,
        np.concatenate([*packed, _numbers(refs)]),
        np.array(which, np.int32),
        [_tags(text) for text in index],
        relations,
    )


def _numbers(refs: list[str]) -> Int64:
    """Ids of ``n1,n2`` texts, one after the other."""
    return np.fromstring(",".join(refs).replace("n", ""), np.int64, sep=",") if refs else np.zeros(0, np.int64)


def _tags(text: str) -> Tags:
    """Tags of a field ``Tkey=value,key=value``."""
    pairs = (part.partition("=") for part in text[1:].split(",") if part)
    return {_plain(key): _plain(value) for key, _, value in pairs}


def _members(text: str) -> list[Member]:
    """Members of ``w1@from,n2@via,w3@to``."""
    parts = (part.partition("@") for part in text.split(",") if part)
    return [(head[0], int(head[1:]), _plain(role)) for head, _, role in parts]


def _plain(text: str) -> str:
    """Undo the escapes ``%hex%``."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if "%" in text else text


__all__ = ["Extract", "Member", "parse_extract", "read_extract"]
