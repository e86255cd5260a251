"""Hierarchies of the street network in a snapshot: one folder a mode."""

from collections.abc import Mapping
from pathlib import Path

from routing.model.modes import StreetMode
from routing.model.street_graph import StreetGraph
from routing.street.api import Hierarchy, StreetEngine
from services.city import arrays

FOLDER = "hierarchies"

HIERARCHY_MODES = (StreetMode.CAR, StreetMode.BICYCLE, StreetMode.FOOT)
"""Modes whose hierarchies are stored, for all modes that share their networks; others are searched without."""


def build_hierarchies(folder: Path, graph: StreetGraph, modes: tuple[StreetMode, ...] = HIERARCHY_MODES) -> dict[str, int]:
    """Build and store hierarchies of some modes; answers their up arcs by mode."""
    engine = StreetEngine(graph)
    arcs = {}
    for mode in modes:
        hierarchy = engine.hierarchy(mode)
        arrays.store(folder / FOLDER / mode.name.lower(), hierarchy)
        arcs[mode.name.lower()] = hierarchy.arc_count
    return arcs


def load_hierarchies(folder: Path) -> Mapping[StreetMode, Hierarchy]:
    """Map the stored hierarchies by mode; empty where there are none."""
    folders = {mode: folder / FOLDER / mode.name.lower() for mode in StreetMode}
    return {mode: arrays.load(path, Hierarchy) for mode, path in folders.items() if path.exists()}
