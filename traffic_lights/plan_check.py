"""Whether a fixed plan runs through the guard as written."""

from traffic_lights.errors import InvalidPlanError
from traffic_lights.guard import Guard, Verdict
from traffic_lights.model.intersection import Intersection
from traffic_lights.model.plan import SignalPlan


def check_stages(intersection: Intersection, plan: SignalPlan) -> bool:
    """Check that the plan names stages of the intersection; raises `InvalidPlanError`."""
    if max(plan.stages) >= len(intersection.stages) or min(plan.stages) < 0:
        raise InvalidPlanError(f"plan {plan.id!r} names a stage that intersection {intersection.id!r} does not have", "stages")
    return True


def check_plan(intersection: Intersection, plan: SignalPlan) -> list[str]:
    """What the guard would change of a plan, in words; empty = it runs exactly as written.

    Raises
    ------
    InvalidPlanError
        If it names stages that do not exist.
    """
    check_stages(intersection, plan)
    guard, findings = Guard(intersection, plan.stage_at(0), 0), []
    for second in range(4 * plan.cycle_s):
        command = guard.step(second, plan.stage_at(second))
        at = (second - plan.offset_s) % plan.cycle_s
        if second < plan.cycle_s:
            continue  # the first cycle may still be falling into step
        if command.verdict in (Verdict.FORCED, Verdict.WOULD_OVERRUN, Verdict.NOT_ALLOWED, Verdict.MIN_GREEN):
            why = {
                Verdict.FORCED: "a maximum red or green would be passed",
                Verdict.WOULD_OVERRUN: "a maximum red or green would be passed later",
                Verdict.NOT_ALLOWED: "the transition is not allowed",
                Verdict.MIN_GREEN: "a minimum green is still running",
            }[command.verdict]
            stage = intersection.stages[plan.stage_at(second)].id
            findings.append(f"second {at} of the cycle, stage {stage!r}: {why}")
        elif command.verdict is Verdict.IN_TRANSITION and command.requested not in (command.next_stage, -1):
            findings.append(
                f"second {(second - plan.offset_s) % plan.cycle_s} of the cycle: a change of stage is still running"
            )
    return list(dict.fromkeys(findings))
