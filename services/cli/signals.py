"""``traboule signals list|show|mode|override|clear|performance|audit|simulate``."""

import click
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


@signals.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the answer of the service as JSON.")
@click.pass_obj
@plain_errors
def list_(context: CommandContext, as_json: bool) -> None:
    """List the signalised junctions and what they show."""
    answer = context.client.call(
        "signals", Stub, "ListIntersections", signals_service_pb2.ListIntersectionsRequest(page_size=1000)
    )
    if as_json:
        print_json(answer)
        return
    rows = [
        (
            i.intersection_id,
            i.name,
            _mode(i.status.mode) if i.HasField("status") else "not controlled",
            i.status.stage_id,
            "fallback" if i.status.fallback else "",
        )
        for i in answer.intersections
    ]
    print_table(("junction", "name", "mode", "stage", ""), rows)


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
    name = junction.name or junction.intersection_id
    say(f"[bold]{plain(name)}[/]  {_mode(status.mode)}, stage {plain(f'{status.stage_id} {status.explanation}')}")
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
@click.option("--json", "as_json", is_flag=True, help="Print the answer of the service as JSON.")
@click.pass_obj
@plain_errors
def audit(context: CommandContext, as_json: bool) -> None:
    """Show the latest commands and actions, and whether the signed chain is intact."""
    answer = context.client.call("signals", Stub, "GetAudit", signals_service_pb2.GetAuditRequest())
    if as_json:
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
        for e in answer.entries
    ]
    print_table(("no", "at", "who", "what", "junction", "detail"), rows)
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
