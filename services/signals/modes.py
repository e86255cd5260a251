"""Which modes an intersection may have, and why not others."""

from traboule.signals.v1 import intersection_pb2

from services.signals.site import ControlledSite
from traffic_lights.api import Mode

DERIVED = (
    "derived from a map: its limits are assumptions, so it is never ACTIVE; import the authority's description, or use SHADOW "
    "or ADVISORY"
)
NO_DETECTORS = "no detectors to adapt to"


def find_obstacle_uncontrolled(message: intersection_pb2.Intersection) -> str:
    """Why an intersection that is not under control cannot be ACTIVE, as far as its description says; empty if it can."""
    return DERIVED if message.derived_from_map else "" if message.detectors else NO_DETECTORS


def find_obstacle(site: ControlledSite, mode: Mode) -> str:
    """Why an intersection may not have a mode, in words; empty if it may."""
    if mode is Mode.FIXED:
        return ""
    if mode is Mode.ACTIVE and site.message.derived_from_map:
        return DERIVED
    if not site.board.detectors:
        return NO_DETECTORS
    blind = site.board.list_blind_groups()
    if mode is Mode.ACTIVE and blind:
        return f"no loop or area detector for signal group {', '.join(blind)}: it would run its fixed plan all the time"
    return ""
