"""What `traboule signals list` says of junctions in every state."""

from traboule.signals.v1 import control_pb2
from traboule.signals.v1 import signals_service_pb2 as pb

from services.cli.signals import count_modes, list_rows

MAP = "derived from a map"


def _drawn() -> list[pb.IntersectionSummary]:
    """One not under control, one that follows its plan, one in fallback, one with a fault, one held by hand."""
    fixed, active = control_pb2.CONTROL_MODE_FIXED, control_pb2.CONTROL_MODE_ACTIVE
    status = control_pb2.IntersectionStatus
    return [
        pb.IntersectionSummary(intersection_id="a", derived_from_map=True, not_active_reason=MAP),
        pb.IntersectionSummary(
            intersection_id="b", not_active_reason=MAP,
            status=status(mode=fixed, stage_id="s1", plan_id="p", explanation="plan p", not_active_reason=MAP),
        ),
        pb.IntersectionSummary(
            intersection_id="c",
            status=status(
                mode=active, plan_id="q", fallback=True, explanation="plan q, because detection is stale", commands_taken=True,
                detection_age_s=41.4, stale_detector_ids=["d1", "d2"],
            ),
        ),
        pb.IntersectionSummary(intersection_id="d", status=status(mode=active, fault=True, explanation="x")),
        pb.IntersectionSummary(
            intersection_id="e",
            status=status(
                mode=fixed, commands_taken=True, override=control_pb2.StageOverride(ordered_by="eva", reason="parade [/]")
            ),
        ),
    ]  # fmt: skip


def test_every_state_is_said_plainly() -> None:
    """Mode, whether it may be ACTIVE, stage, plan, detection, and what keeps it from doing what its mode says."""
    rows = {row[0]: row[2:] for row in list_rows(_drawn(), controlled_only=False)}
    assert rows["a"] == ("not controlled", "no", "", "", "", "")
    assert rows["b"] == ("fixed", "no", "s1", "p", "never", "nobody takes its commands; plan p")
    assert rows["c"] == ("active", "yes", "changing", "q", "41 s, 2 stale", "FALLBACK: plan q, because detection is stale")
    assert rows["d"][-1] == "fault reported: nothing is sent"
    assert rows["e"][-1] == "held by eva: parade \\[/]"
    assert [row[0] for row in list_rows(_drawn(), controlled_only=True)] == ["b", "c", "d", "e"]


def test_the_count_says_why_junctions_cannot_be_active() -> None:
    """One line of modes, one for each reason."""
    assert count_modes(_drawn()) == [
        "5 junctions: 2 fixed, 2 active, 1 not controlled",
        "2 cannot be ACTIVE: derived from a map",
    ]
    assert count_modes([]) == ["0 junctions: none in this city"]
