"""``traboule signals list|show|mode|override|clear|performance|audit|simulate``."""

from collections import Counter, deque
from collections.abc import Iterable, Sequence

import click
from rich.markup import escape
from traboule.signals.v1 import control_pb2, performance_pb2, signals_service_pb2, signals_service_pb2_grpc

from services.city.snapshot import open_snapshot
from services.cli.context import CommandContext, plain_errors
from services.cli.output import clock, plain, print_json, print_table, say
from services.signals.corridor import list_corridors, pick_corridor
from services.signals.loader import SiteLoader
from services.signals.simulation import simulate_corridor

Stub = signals_service_pb2_grpc.SignalsServiceStub
MODES = {
    "fixed": control_pb2.CONTROL_MODE_FIXED, "shadow": control_pb2.CONTROL_MODE_SHADOW,
    "advisory": control_pb2.CONTROL_MODE_ADVISORY, "active": control_pb2.CONTROL_MODE_ACTIVE,
}  # fmt: skip


@click.group()
def signals() -> None:
    """Traffic signals: state, modes, overrides, performance, audit, simulation."""


def _mode(code: "control_pb2.ControlMode.ValueType") -> str:
    return control_pb2.ControlMode.Name(code).removeprefix("CONTROL_MODE_").lower()


def _state(status: control_pb2.IntersectionStatus) -> str:
    """What keeps a junction from simply doing what its mode says, or what it does."""
    if status.fault:
        return "fault reported: nothing is sent"
    said = "" if status.commands_taken else "nobody takes its commands; "
    if status.HasField("override"):
        return escape(f"{said}held by {status.override.ordered_by}: {status.override.reason}")
    return escape(f"{said}{'FALLBACK: ' if status.fallback else ''}{status.explanation or 'about to start'}")


def _age(status: control_pb2.IntersectionStatus) -> str:
    age = f"{status.detection_age_s:.0f} s" if status.HasField("detection_age_s") else "never"
    return f"{age}, {len(status.stale_detector_ids)} stale" if status.stale_detector_ids else age


def list_rows(
    intersections: Iterable[signals_service_pb2.IntersectionSummary], *, controlled_only: bool
) -> list[tuple[str, ...]]:
    """Rows of `traboule signals list`: junction, name, mode, may be ACTIVE, stage, plan, detection, state."""
    rows: list[tuple[str, ...]] = []
    for i in intersections:
        may = "no" if i.not_active_reason else "yes"
        if i.HasField("status"):
            s = i.status
            stage = s.stage_id or "changing"
            rows.append((i.intersection_id, escape(i.name), _mode(s.mode), may, stage, s.plan_id, _age(s), _state(s)))
        elif not controlled_only:
            rows.append((i.intersection_id, escape(i.name), "not controlled", may, "", "", "", ""))
    return rows


def count_modes(intersections: Sequence[signals_service_pb2.IntersectionSummary]) -> list[str]:
    """How many junctions are in which mode, and why how many cannot be ACTIVE."""
    modes = Counter(_mode(i.status.mode) if i.HasField("status") else "not controlled" for i in intersections)
    reasons = Counter(i.not_active_reason for i in intersections if i.not_active_reason)
    counted = ", ".join(f"{n} {mode}" for mode, n in modes.most_common()) or "none in this city"
    return [f"{len(intersections)} junctions: {counted}"] + [
        f"{n} cannot be ACTIVE: {text}" for text, n in reasons.most_common()
    ]


@signals.command("list")
@click.option("--controlled", is_flag=True, help="Only junctions under control.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer of the service as JSON.")
@click.pass_obj
@plain_errors
def list_(context: CommandContext, controlled: bool, as_json: bool) -> None:
    """List the signalised junctions: mode, stage, plan, age of detection, and why one is not ACTIVE.

    A junction is under control from the first order for it, or from the moment somebody takes its commands; until then
    nothing is computed for it and no lamp hangs on it.
    """
    answer = context.client.call(
        "signals", Stub, "ListIntersections", signals_service_pb2.ListIntersectionsRequest(page_size=1000)
    )
    if as_json:
        print_json(answer)
        return
    print_table(
        ("junction", "name", "mode", "may be ACTIVE", "stage", "plan", "detection", "state"),
        list_rows(answer.intersections, controlled_only=controlled),
        whole=(0,),
        sparse=True,
    )
    for line in count_modes(answer.intersections):
        say(line)


@signals.command()
@click.argument("intersection_id")
@click.option("--json", "as_json", is_flag=True, help="Print the answer of the service as JSON.")
@click.pass_obj
@plain_errors
def show(context: CommandContext, intersection_id: str, as_json: bool) -> None:
    """Show signal groups, stages and state of one junction."""
    request = signals_service_pb2.GetIntersectionRequest(intersection_id=intersection_id)
    answer = context.client.call("signals", Stub, "GetIntersection", request)
    if as_json:
        print_json(answer)
        return
    junction, status = answer.intersection, answer.status
    say(f"[bold]{plain(junction.name or junction.intersection_id)}[/]")
    if answer.HasField("status"):
        shown = "no report" if not status.HasField("report_age_s") else f"reported {status.report_age_s:.0f} s ago"
        say(f"mode {_mode(status.mode)}, stage {plain(status.stage_id or 'changing')}, {_state(status)}")
        say(f"plan {plain(status.plan_id)}, detection {_age(status)}, what the street shows: {shown}")
        say(f"last command {status.sequence}, changed by the guard {status.guard_intervention_count} times")
    else:
        say("not controlled: nobody has ordered anything for it yet, nothing is computed or sent")
    reason = status.not_active_reason if answer.HasField("status") else ""
    if reason or junction.derived_from_map:
        say(f"cannot be ACTIVE: {plain(reason or 'derived from a map')}")
    print_table(("stage", "green groups"), [(s.stage_id, ", ".join(s.signal_group_ids)) for s in junction.stages])


@signals.command()
@click.argument("mode", type=click.Choice(list(MODES)))
@click.argument("intersection_ids", nargs=-1, required=True)
@click.option("--reason", default="", help="For the audit.")
@click.pass_obj
@plain_errors
def mode(context: CommandContext, mode: str, intersection_ids: tuple[str, ...], reason: str) -> None:
    """Set the control mode of junctions: fixed, shadow, advisory or active."""
    request = signals_service_pb2.SetModeRequest(intersection_ids=intersection_ids, mode=MODES[mode], reason=reason)
    answer = context.client.call("signals", Stub, "SetMode", request)
    print_table(("junction", "mode"), [(s.intersection_id, _mode(s.mode)) for s in answer.statuses])


@signals.command()
@click.argument("intersection_id")
@click.argument("stage_id")
@click.option("--seconds", type=click.IntRange(1, 3600), default=60, show_default=True, help="How long it holds.")
@click.option("--reason", required=True, help="For the audit.")
@click.pass_obj
@plain_errors
def override(context: CommandContext, intersection_id: str, stage_id: str, seconds: int, reason: str) -> None:
    """Hold a stage by hand; the guard still has the last word."""
    request = signals_service_pb2.OverrideStageRequest(
        intersection_id=intersection_id, stage_id=stage_id, duration_s=seconds, reason=reason
    )
    status = context.client.call("signals", Stub, "OverrideStage", request).status
    until = clock(status.override.until_unix_s, context.timezone, seconds=True)
    say(f"{intersection_id}: {status.override.stage_id} until {until}")


@signals.command()
@click.argument("intersection_id")
@click.pass_obj
@plain_errors
def clear(context: CommandContext, intersection_id: str) -> None:
    """Give a junction back to its controller."""
    request = signals_service_pb2.ClearOverrideRequest(intersection_id=intersection_id)
    context.client.call("signals", Stub, "ClearOverride", request)
    say("cleared")


@signals.command()
@click.argument("intersection_ids", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print the answer of the service as JSON.")
@click.pass_obj
@plain_errors
def performance(context: CommandContext, intersection_ids: tuple[str, ...], as_json: bool) -> None:
    """Show delay, stops and queues of junctions."""
    request = signals_service_pb2.GetPerformanceRequest(intersection_ids=intersection_ids)
    answer = context.client.call("signals", Stub, "GetPerformance", request)
    if as_json:
        print_json(answer)
        return
    basis = performance_pb2.Performance.Basis.Name
    rows = [
        (p.intersection_id, p.vehicle_count, f"{p.mean_delay_s:.1f} s", f"{p.max_queue_vehicles:.0f}",
         basis(p.basis).removeprefix("BASIS_").lower())
        for p in answer.performances
    ]  # fmt: skip
    print_table(("junction", "vehicles", "mean delay", "longest queue", "from"), rows, right=(1, 2, 3))


@signals.command()
@click.argument("intersection_id", default="")
@click.option(
    "--last", type=click.IntRange(1, 10000), default=100, show_default=True, help="How many entries, the latest ones."
)
@click.option("--orders", is_flag=True, help="Without commands: what people ordered, and what the service notes.")
@click.option("--json", "as_json", is_flag=True, help="Print the last answer of the service as JSON.")
@click.pass_obj
@plain_errors
def audit(context: CommandContext, intersection_id: str, last: int, orders: bool, as_json: bool) -> None:
    """Show the latest orders, commands and remarks of the service, and whether the signed chain is intact.

    Remarks are: take_control (this service commands from now on), resume (how the guard began, and why), fault, clock_jump and
    seconds_lost (nothing was decided in these seconds). Commands repeated unchanged are not written again.
    """
    request = signals_service_pb2.GetAuditRequest(intersection_id=intersection_id, page_size=1000)
    found: deque[performance_pb2.AuditEntry] = deque(maxlen=last)
    while True:
        answer = context.client.call("signals", Stub, "GetAudit", request)
        found.extend(e for e in answer.entries if not (orders and e.action == "command"))
        if not answer.next_page_token:
            break
        request.page_token = answer.next_page_token
    if as_json:
        del answer.entries[:]
        answer.entries.extend(found)
        print_json(answer)
        return
    rows = [
        (
            e.sequence,
            clock(e.at_unix_ms // 1000, context.timezone, seconds=True),
            e.actor,
            e.action,
            e.intersection_id,
            e.detail,
        )
        for e in found
    ]
    print_table(("no", "at", "who", "what", "junction", "detail"), rows, whole=(2, 4))
    say("[green]chain intact[/]" if answer.chain_intact else "[red]the chain is broken: entries were changed[/]")


@signals.command()
@click.option("--street", default="", help="Street with signals (default: the one with most).")
@click.option("--minutes", type=click.IntRange(1, 240), default=30, show_default=True, help="How long to simulate.")
@click.option("--demand", type=click.FloatRange(0.1, 3), default=1.0, show_default=True, help="Factor on the assumed demand.")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the arrivals.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_obj
@plain_errors
def simulate(context: CommandContext, street: str, minutes: int, demand: float, seed: int, as_json: bool) -> None:
    """Compare fixed and adaptive control of a street in closed loop on the built-in queue model."""
    snapshot = open_snapshot(context.config.home, context.config.city)
    loader = SiteLoader(snapshot.street, snapshot.signal_sites)
    corridor = pick_corridor(loader, street, 8, demand)
    last = {}
    for step in simulate_corridor(corridor, seconds=60 * minutes, seed=seed):
        last[step.control] = step.report.totals
    rows = [(name, totals.mean_delay_s) for name, totals in last.items()]
    if as_json:
        print_json({"street": corridor.street, "junctions": list(corridor.site_ids), "mean_delay_s": dict(rows), "seed": seed})
        return
    say(f"[bold]{corridor.street}[/], {len(corridor.site_ids)} junctions, {minutes} min")
    print_table(("control", "mean delay"), [(name, f"{value:.1f} s") for name, value in rows], right=(1,))
    streets = ", ".join(name for name, _ in list_corridors(loader)[:6])
    say(f"[dim]streets with signals: {streets}[/]")
