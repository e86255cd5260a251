"""How an intersection under control is doing, as a proto."""

from traboule.signals.v1 import control_pb2

from services.signals.mapping import MODE_TO_PROTO, write_aspects
from services.signals.modes import find_obstacle
from services.signals.site import ControlledSite
from traffic_lights.api import Mode, Source
from traffic_lights.priority import PriorityClass, PriorityRequest

CLASS_TO_PROTO = {
    PriorityClass.BUS: control_pb2.PriorityRequest.VEHICLE_CLASS_BUS,
    PriorityClass.TRAM: control_pb2.PriorityRequest.VEHICLE_CLASS_TRAM,
    PriorityClass.EMERGENCY: control_pb2.PriorityRequest.VEHICLE_CLASS_EMERGENCY,
}


def build_status(site: ControlledSite, now_s: float) -> control_pb2.IntersectionStatus:
    """Status of a site under control."""
    x, controller = site.intersection, site.controller
    status = control_pb2.IntersectionStatus(
        intersection_id=x.id,
        mode=MODE_TO_PROTO[controller.mode],
        stale_detector_ids=site.board.list_stale(now_s),
        plan_id=controller.plan.id,
        sequence=site.sequence,
        guard_intervention_count=controller.intervention_count,
        priorities=[write_priority(r, x.id, x.groups[r.group].id) for r in controller.priorities],
    )
    status.commands_taken, status.fault = site.taken, controller.fault
    status.not_active_reason = find_obstacle(site, Mode.ACTIVE)
    if site.reported_at_s:
        status.report_age_s = max(0.0, now_s - site.reported_at_s)
    age = site.board.age_s(now_s)
    if age is not None:
        status.detection_age_s = age
    if site.override is not None:
        status.override.CopyFrom(site.override)
    if site.last is not None:
        command = site.last.command
        status.fallback = site.last.source is Source.FALLBACK
        status.explanation = site.last.reason
        if command.stage == command.next_stage:
            status.stage_id = x.stages[command.stage].id
        status.aspects.extend(write_aspects(x, command.aspects))
    return status


def write_priority(request: PriorityRequest, intersection_id: str, group_id: str) -> control_pb2.PriorityRequest:
    """Proto of a request for priority."""
    return control_pb2.PriorityRequest(
        priority_id=request.id,
        intersection_id=intersection_id,
        signal_group_id=group_id,
        vehicle_class=CLASS_TO_PROTO[request.vehicle_class],
        arrival_unix_s=request.arrival_s,
    )
