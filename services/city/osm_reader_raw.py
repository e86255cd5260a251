"""Streets of an extract with their tags understood, not yet a graph (pure but for `read_raw_streets`)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from services.city.osm_reader_extract import Extract, read_extract
from services.city.osm_reader_restrictions import RawRestriction, read_restriction
from services.city.osm_reader_surface import find_height_m
from services.city.osm_reader_tags import TRAIT_KEYS, WayTraits, node_traits, way_name, way_traits

Progress = Callable[[str, float], None]
"""Called with what is being done and the share done so far (0…1)."""


@dataclass(frozen=True, slots=True)
class RawStreets:
    """Ways, their nodes and turn restrictions, not yet a graph; n nodes, w ways, t distinct sets of traits.

    Attributes
    ----------
    node_id : int64[n]
        Ascending. Ways may name nodes that are missing here (cut extracts).
    node_lat_e7, node_lon_e7 : int32[n]
    node_flags : uint8[n]
    node_blocked : uint16[n]
    node_limits : dict
        Largest vehicle that passes a barrier, by row of the node.
    way_id : int64[w]
    first_ref : int64[w + 1]
    refs : int64[…]
        Node ids of way `i` are ``refs[first_ref[i]:first_ref[i + 1]]``.
    way_traits : int32[w]
        Index into `traits`.
    way_name : int32[w]
        Index into `names`.
    traits : list of WayTraits
    names : list of str
        Ascending; the first is empty.
    restrictions : list of RawRestriction
    skipped : dict
        Why relations and conditions were left out, and how often.
    node_height_m : dict
        Tagged heights, by row of the node.
    """

    node_id: npt.NDArray[np.int64]
    node_lat_e7: npt.NDArray[np.int32]
    node_lon_e7: npt.NDArray[np.int32]
    node_flags: npt.NDArray[np.uint8]
    node_blocked: npt.NDArray[np.uint16]
    node_limits: dict[int, tuple[int, ...]]
    way_id: npt.NDArray[np.int64]
    first_ref: npt.NDArray[np.int64]
    refs: npt.NDArray[np.int64]
    way_traits: npt.NDArray[np.int32]
    way_name: npt.NDArray[np.int32]
    traits: list[WayTraits]
    names: list[str]
    restrictions: list[RawRestriction]
    skipped: dict[str, int]
    node_height_m: dict[int, float] = field(default_factory=dict)


def read_raw_streets(pbf: Path, progress: Progress | None = None) -> RawStreets:
    """Read the streets of an extract.

    Raises
    ------
    CityInputError
        If the file is missing, truncated or not OSM data.
    """
    say = progress or (lambda _text, _share: None)
    say("reading streets", 0.0)
    extract = read_extract(pbf)
    say("understanding tags", 0.4)
    return understand(extract)


def understand(extract: Extract) -> RawStreets:
    """Keep the ways somebody may travel, with what their tags mean (pure); every distinct combination is looked at once."""
    trait_of, name_of, traits, names = _distinct_traits(extract)
    kept = np.flatnonzero(trait_of[extract.way_tags] >= 0)
    counts = np.diff(extract.first_ref)
    first = np.zeros(len(kept) + 1, np.int64)
    np.cumsum(counts[kept], out=first[1:])
    refs = extract.refs[np.repeat(trait_of[extract.way_tags] >= 0, counts)]
    rows = np.flatnonzero(np.isin(extract.node_id, refs))
    node_id = extract.node_id[rows]
    flags, blocked = np.zeros(len(rows), np.uint8), np.zeros(len(rows), np.uint16)
    node_limits: dict[int, tuple[int, ...]] = {}
    heights: dict[int, float] = {}
    for number, tags in extract.node_tags.items():
        row = int(np.searchsorted(node_id, number))
        if row < len(node_id) and node_id[row] == number:
            flags[row], blocked[row], limits = node_traits(tags)
            if any(limits):
                node_limits[row] = limits
            if (height := find_height_m(tags.get("ele", ""))) is not None:
                heights[row] = height
    restrictions, skipped = _restrictions(extract)
    unread = np.array([t.not_understood for t in traits], np.int64)[trait_of[extract.way_tags[kept]]].sum() if traits else 0
    if unread:
        skipped["condition not understood"] = int(unread)
    return RawStreets(
        node_id,
        extract.node_lat_e7[rows],
        extract.node_lon_e7[rows],
        flags,
        blocked,
        node_limits,
        extract.way_id[kept],
        first,
        refs,
        trait_of[extract.way_tags[kept]],
        name_of[extract.way_tags[kept]],
        traits,
        names,
        restrictions,
        skipped,
        heights,
    )


def _distinct_traits(
    extract: Extract,
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], list[WayTraits], list[str]]:
    """Per combination of tags: number of its traits (-1 = no street) and of its name; with both lists."""
    seen: dict[tuple[tuple[str, str], ...], int] = {}
    number: dict[WayTraits, int] = {}
    trait_of, texts = np.empty(len(extract.tags), np.int32), []
    for row, tags in enumerate(extract.tags):
        key = tuple(sorted(item for item in tags.items() if item[0] in TRAIT_KEYS))
        if key not in seen:
            traits = way_traits(dict(key))
            seen[key] = -1 if traits is None else number.setdefault(traits, len(number))
        trait_of[row] = seen[key]
        texts.append(way_name(tags) if seen[key] >= 0 else "")
    names = sorted({"", *texts})
    index = {text: i for i, text in enumerate(names)}
    return trait_of, np.array([index[text] for text in texts], np.int32), list(number), names


def _restrictions(extract: Extract) -> tuple[list[RawRestriction], dict[str, int]]:
    kept: list[RawRestriction] = []
    skipped: dict[str, int] = {}
    for number, tags, members in extract.relations:
        read = read_restriction(number, tags, members)
        if isinstance(read, str):
            skipped[read] = skipped.get(read, 0) + 1
        else:
            kept.extend(read)
    return kept, skipped
