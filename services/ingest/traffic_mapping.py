"""Links, forecasts and incidents ↔ `traboule.traffic.v1`."""

import math
from collections.abc import Iterable
from typing import Any

from traboule.common.v1 import geo_pb2, time_pb2
from traboule.traffic.v1 import traffic_service_pb2 as pb

from routing.model.street_graph import StreetGraph
from services.common import polyline
from services.common.live.link_ids import LinkIds
from services.common.live.traffic import LiveTraffic
from services.common.records import Event

_KINDS = {
    "closure": pb.INCIDENT_KIND_CLOSURE, "roadworks": pb.INCIDENT_KIND_ROADWORKS, "accident": pb.INCIDENT_KIND_ACCIDENT,
    "obstruction": pb.INCIDENT_KIND_OBSTRUCTION, "lane_closure": pb.INCIDENT_KIND_LANE_CLOSURE,
    "restriction": pb.INCIDENT_KIND_RESTRICTION, "other": pb.INCIDENT_KIND_OTHER,
}  # fmt: skip
_KIND_NAMES = {number: name for name, number in _KINDS.items()}

SPREAD_NOW, SPREAD_LATER, SPREAD_TAU_S = 0.08, 0.25, 2700.0
"""Assumed relative half-width of the 80 % interval of a predicted speed: small for a fresh measurement, wide later."""


def to_link(
    graph: StreetGraph, ids: LinkIds, traffic: LiveTraffic, closed: set[int], arc: int, expected_kmh: float, with_polyline: bool
) -> pb.LinkState:
    """State of an arc; `expected_kmh` is the profile's speed, used where nothing is measured."""
    live = float(traffic.arc_speed_kmh[arc])
    observed = int(traffic.arc_observed_s[arc])
    flow = float(traffic.arc_flow_vph[arc])
    known = pb.SPEED_SOURCE_MEASURED if observed else pb.SPEED_SOURCE_INFERRED
    source = pb.SPEED_SOURCE_PROFILE if math.isnan(live) else known
    return pb.LinkState(
        link_id=ids.id_of(arc), street_name=graph.names[int(graph.arc_name[arc])],
        speed_kmh=0.0 if arc in closed else expected_kmh if math.isnan(live) else live,
        free_flow_kmh=float(graph.arc_speed_kmh[arc]), flow_vph=None if math.isnan(flow) else flow, closed=arc in closed,
        source=source, observed_unix_s=observed, quality=float(traffic.arc_quality[arc]),
        polyline=to_polyline(graph, arc) if with_polyline else None, length_m=float(graph.arc_length_m[arc]),
    )  # fmt: skip


def to_polyline(graph: StreetGraph, arc: int) -> geo_pb2.Polyline:
    """Geometry of an arc."""
    part = slice(int(graph.first_shape[arc]), int(graph.first_shape[arc + 1]))
    lat, lon = graph.shape_lat_e7[part] * 1e-7, graph.shape_lon_e7[part] * 1e-7
    return geo_pb2.Polyline(encoded=polyline.encode(zip(lat.tolist(), lon.tolist(), strict=True)))


def to_speed(at_s: int, median_kmh: float, observed_s: int, free_flow_kmh: float) -> pb.SpeedForecast:
    """Predicted speed with an assumed spread that grows with the age of the measurement at that time."""
    share = 1.0 if observed_s <= 0 else 1.0 - math.exp(-max(0, at_s - observed_s) / SPREAD_TAU_S)
    spread = SPREAD_NOW + (SPREAD_LATER - SPREAD_NOW) * share
    return pb.SpeedForecast(
        at_unix_s=at_s, q10_kmh=median_kmh * (1 - spread), q50_kmh=median_kmh,
        q90_kmh=max(median_kmh, min(median_kmh * (1 + spread), free_flow_kmh * 1.15)),
        source=pb.SPEED_SOURCE_INFERRED if observed_s > 0 else pb.SPEED_SOURCE_PROFILE,
    )  # fmt: skip


def from_incident(incident: pb.Incident) -> dict[str, Any]:
    """Fields of an event."""
    return {
        "entity": incident.incident_id,
        "kind": _KIND_NAMES[incident.kind],
        "starts_at": incident.active.start_unix_s or None,
        "ends_at": incident.active.end_unix_s or None,
        "path": tuple((point.lat_deg, point.lon_deg) for point in incident.path),
        "both_directions": incident.both_directions,
        "speed_factor": incident.speed_factor if incident.HasField("speed_factor") else None,
        "description": incident.description,
    }


def to_incident(event: Event, link_ids: Iterable[str], feed_id: str) -> pb.Incident:
    """Message of an event."""
    return pb.Incident(
        incident_id=event.entity, kind=_KINDS[event.kind],
        path=[geo_pb2.LatLng(lat_deg=lat, lon_deg=lon) for lat, lon in event.path], both_directions=event.both_directions,
        active=time_pb2.TimeRange(start_unix_s=event.starts_at or 0, end_unix_s=event.ends_at or 0),
        speed_factor=event.speed_factor, description=event.description, link_ids=link_ids, feed_id=feed_id,
    )  # fmt: skip
