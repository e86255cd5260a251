"""Signalised junctions and crossings as arrays."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from routing.model.strings import StringTable


class SignalSiteKind(IntEnum):
    """What the signals of a site control."""

    JUNCTION = 0
    """Streets that meet."""
    CROSSING = 1
    """One street only: a pedestrian crossing, a level crossing or a ramp meter."""


@dataclass(frozen=True, slots=True)
class SignalSites:
    """Traffic signals grouped into intersections; n sites; indices are those of the `StreetGraph` of the same snapshot.

    A site is a set of street nodes: its signals, the junction nodes they guard, and the nodes between. Arcs are for cars.

    Attributes
    ----------
    ids : StringTable
        ``osm-123``, from the smallest OSM id of its signal nodes: stable while the map does not change there.
    names : StringTable
        Names of the streets that meet, the more important first: ``Rua A × Rua B``.
    kind : uint8[n]
        `SignalSiteKind`.
    lat_e7, lon_e7 : int32[n]
        Centre of the junction.
    first_signal_node : int32[n + 1]
        Signals of site `i` are ``signal_nodes[first_signal_node[i]:first_signal_node[i + 1]]``; the other lists likewise.
    signal_nodes : int32[…]
    first_node : int32[n + 1]
    nodes : int32[…]
        All nodes of the site.
    first_in_arc : int32[n + 1]
    in_arcs : int32[…]
        Arcs that enter the site from outside, clockwise by the bearing they come from, starting at north.
    first_out_arc : int32[n + 1]
    out_arcs : int32[…]
        Arcs that leave the site, clockwise by the bearing they leave to, starting at north.
    first_inner_arc : int32[n + 1]
    inner_arcs : int32[…]
        Arcs between nodes of the site.
    """

    ids: StringTable
    names: StringTable
    kind: npt.NDArray[np.uint8]
    lat_e7: npt.NDArray[np.int32]
    lon_e7: npt.NDArray[np.int32]
    first_signal_node: npt.NDArray[np.int32]
    signal_nodes: npt.NDArray[np.int32]
    first_node: npt.NDArray[np.int32]
    nodes: npt.NDArray[np.int32]
    first_in_arc: npt.NDArray[np.int32]
    in_arcs: npt.NDArray[np.int32]
    first_out_arc: npt.NDArray[np.int32]
    out_arcs: npt.NDArray[np.int32]
    first_inner_arc: npt.NDArray[np.int32]
    inner_arcs: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.kind)
