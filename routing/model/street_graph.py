"""The street network as arrays."""

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from routing.errors import InvalidInput
from routing.model.heights import StreetHeights
from routing.model.strings import StringTable
from routing.model.time_rules import TimeRules

NODE_TRAFFIC_SIGNALS = 1
"""Bit of `StreetGraph.node_flags`: `highway=traffic_signals` stands on the node."""

ARC_STEPS, ARC_TUNNEL, ARC_BRIDGE, ARC_ROUNDABOUT, ARC_TOLL, ARC_FERRY = 1, 2, 4, 8, 16, 32
"""Bits of `StreetGraph.arc_flags`."""

SMOOTHNESS = ("unknown", "excellent", "good", "intermediate", "bad", "very_bad", "horrible", "impassable")
"""How well wheels roll (words of OSM's `smoothness`); the position is the code in `StreetGraph.arc_smoothness`."""

LIMITS = ("height_dm", "width_dm", "length_dm", "weight_100kg", "axle_load_100kg")
"""Columns of `StreetGraph.limits`."""

CLOSED_WHILE, OPEN_ONLY_WHILE = 0, 1
"""Values of `StreetGraph.condition_effect`."""


@dataclass(frozen=True, slots=True)
class StreetGraph:
    """A directed street graph with turn restrictions; arcs sorted by tail (CSR).

    n nodes, m arcs, p shape points, r restrictions, c conditions. A two-way street is two arcs.

    Attributes
    ----------
    node_osm_id : int64[n]
    node_lat_e7, node_lon_e7 : int32[n]
        Degrees × 10⁷ (WGS 84), as in OSM.
    node_flags : uint8[n]
        `NODE_*` bits.
    node_blocked : uint16[n]
        Bit `StreetMode` set = a barrier on the node stops the mode: it may reach the node but not pass it.
    first_out : int32[n + 1]
        Arcs leaving node `v` are ``first_out[v]:first_out[v + 1]``.
    arc_tail, arc_head : int32[m]
    arc_way_osm_id : int64[m]
    arc_length_m : float32[m]
    arc_access : uint16[m]
        Bit `StreetMode` set = the mode may travel along the arc, if only at certain times (see `condition_arc`).
    arc_no_through : uint16[m]
        Bit `StreetMode` set = only trips that start or end in the zone of such arcs may use it
        (`access=destination` and alike).
    arc_routable : uint16[m]
        Bit `StreetMode` set = the arc is reached from, and reaches, the largest strongly connected
        part of the mode's network.
        Positions are snapped to such arcs only.
    arc_speed_kmh : float32[m]
        Free-flow speed of a car (of the ship on a ferry): limit × the class's free-flow factor × what the surface allows,
        without waiting at junctions.
    arc_road_class : uint8[m]
        Index into `ROAD_CLASSES`.
    arc_lanes : uint8[m]
        Lanes in the direction of the arc, at least 1.
    arc_flags : uint8[m]
        `ARC_*` bits.
    arc_smoothness : uint8[m]
        Index into `SMOOTHNESS`, from the tags for smoothness, surface and grade of track.
    arc_incline_pct : int8[m]
        Metres risen per 100 m along the arc as tagged, negative downhill; 0 = level, or not tagged (see `heights`).
    arc_limit : uint16[m]
        Row of `limits`; row 0 limits nothing.
    limits : uint16[l, 5]
        Largest vehicle by `LIMITS`, in steps of 10 cm and 100 kg; 0 = any.
    arc_name : int32[m]
        Index into `names`; 0 is the empty name.
    arc_reverse : int32[m]
        The arc of the same way piece in the other direction, -1 if nobody may use that direction. Most one-way streets have
        one, for walkers: whether *cars* may drive back says its `arc_access`.
    first_shape : int64[m + 1]
        Shape of arc `a` (both ends included) is ``first_shape[a]:first_shape[a + 1]``.
    shape_lat_e7, shape_lon_e7 : int32[p]
    first_restriction : int32[r + 1]
        A restriction is the sequence of arcs that may not be driven one after the other (length ≥ 2; longer = via ways).
    restriction_arcs : int32[…]
    restriction_modes : uint16[r]
        Modes it binds.
    restriction_rule : int32[r]
        Index into `rules`, -1 = always.
    condition_arc : int32[c]
        Access that depends on the time. With the modes `condition_modes`, the arc is closed while the rule holds
        (`CLOSED_WHILE`), or open only while it holds (`OPEN_ONLY_WHILE`).
    condition_modes : uint16[c]
    condition_effect : uint8[c]
    condition_rule : int32[c]
        Index into `rules`.
    speed_arc : int32[s]
        Other free-flow speeds of motor vehicles, ascending: with the modes `speed_modes`, the speed of the arc is `speed_kmh`
        while the rule holds. Of several that hold at once the last counts.
    speed_modes : uint16[s]
    speed_kmh : float32[s]
    speed_rule : int32[s]
        Index into `rules`, -1 = always.
    rules : TimeRules
    names : StringTable
    heights : StreetHeights, optional
        None where neither the map nor an elevation model says anything.
    """

    node_osm_id: npt.NDArray[np.int64]
    node_lat_e7: npt.NDArray[np.int32]
    node_lon_e7: npt.NDArray[np.int32]
    node_flags: npt.NDArray[np.uint8]
    node_blocked: npt.NDArray[np.uint16]
    first_out: npt.NDArray[np.int32]
    arc_tail: npt.NDArray[np.int32]
    arc_head: npt.NDArray[np.int32]
    arc_way_osm_id: npt.NDArray[np.int64]
    arc_length_m: npt.NDArray[np.float32]
    arc_access: npt.NDArray[np.uint16]
    arc_no_through: npt.NDArray[np.uint16]
    arc_routable: npt.NDArray[np.uint16]
    arc_speed_kmh: npt.NDArray[np.float32]
    arc_road_class: npt.NDArray[np.uint8]
    arc_lanes: npt.NDArray[np.uint8]
    arc_flags: npt.NDArray[np.uint8]
    arc_smoothness: npt.NDArray[np.uint8]
    arc_incline_pct: npt.NDArray[np.int8]
    arc_limit: npt.NDArray[np.uint16]
    limits: npt.NDArray[np.uint16]
    arc_name: npt.NDArray[np.int32]
    arc_reverse: npt.NDArray[np.int32]
    first_shape: npt.NDArray[np.int64]
    shape_lat_e7: npt.NDArray[np.int32]
    shape_lon_e7: npt.NDArray[np.int32]
    first_restriction: npt.NDArray[np.int32]
    restriction_arcs: npt.NDArray[np.int32]
    restriction_modes: npt.NDArray[np.uint16]
    restriction_rule: npt.NDArray[np.int32]
    condition_arc: npt.NDArray[np.int32]
    condition_modes: npt.NDArray[np.uint16]
    condition_effect: npt.NDArray[np.uint8]
    condition_rule: npt.NDArray[np.int32]
    speed_arc: npt.NDArray[np.int32]
    speed_modes: npt.NDArray[np.uint16]
    speed_kmh: npt.NDArray[np.float32]
    speed_rule: npt.NDArray[np.int32]
    rules: TimeRules
    names: StringTable
    heights: StreetHeights | None = None

    def __post_init__(self) -> None:
        n, m = len(self.node_osm_id), len(self.arc_tail)
        for name, array in ((field.name, getattr(self, field.name)) for field in fields(self)):
            if name.startswith("node_") and len(array) != n:
                raise InvalidInput(f"street graph: {name} has {len(array)} entries for {n} nodes", name)
            if name.startswith("arc_") and len(array) != m:
                raise InvalidInput(f"street graph: {name} has {len(array)} entries for {m} arcs", name)
        if len(self.first_out) != n + 1 or len(self.first_shape) != m + 1:
            raise InvalidInput(f"street graph: first_out or first_shape does not fit {n} nodes and {m} arcs", "first_out")
        if len(self.first_restriction) != len(self.restriction_modes) + 1:
            raise InvalidInput("street graph: first_restriction does not fit restriction_modes", "first_restriction")
        if len(self.restriction_rule) != len(self.restriction_modes):
            raise InvalidInput("street graph: restriction_rule does not fit restriction_modes", "restriction_rule")
        for name in ("condition_modes", "condition_effect", "condition_rule"):
            if len(getattr(self, name)) != len(self.condition_arc):
                raise InvalidInput(f"street graph: {name} does not fit condition_arc", name)
        for name in ("speed_modes", "speed_kmh", "speed_rule"):
            if len(getattr(self, name)) != len(self.speed_arc):
                raise InvalidInput(f"street graph: {name} does not fit speed_arc", name)
        if self.heights is not None and (len(self.heights.node_height_m), len(self.heights.arc_climb_m)) != (n, m):
            raise InvalidInput(f"street graph: heights do not fit {n} nodes and {m} arcs", "heights")

    @property
    def node_count(self) -> int:
        """Number of nodes."""
        return len(self.node_osm_id)

    @property
    def arc_count(self) -> int:
        """Number of arcs."""
        return len(self.arc_tail)


ROAD_CLASSES = (
    "motorway", "trunk", "primary", "secondary", "tertiary", "unclassified", "residential", "living_street", "service",
    "track", "pedestrian", "footway", "cycleway", "path", "steps", "ferry", "motorway_link", "trunk_link", "primary_link",
    "secondary_link", "tertiary_link", "other",
)  # fmt: skip
"""Road classes (OSM `highway` values); the position is the code in `StreetGraph.arc_road_class`."""
