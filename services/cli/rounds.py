"""``traboule rounds solve|value|submit|show|cancel|list``."""

import contextlib
import datetime as dt
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import click
from rich.live import Live
from rich.text import Text
from traboule.rounds.v1 import plan_pb2, problem_pb2, rounds_service_pb2, rounds_service_pb2_grpc

from routing.rounds.formats.instance import OBJECTIVES, Instance
from services.city.snapshot import open_snapshot
from services.cli.context import CommandContext, plain_errors
from services.cli.output import clock, console, distance, duration, parse_when, plain, print_json, print_table, say
from services.cli.rounds_export import check_targets, write_exports
from services.cli.rounds_files import RoundsFile, read_rounds_file
from services.cli.rounds_local import BACKENDS, UTC, request_of, show_local, solve_here, workers_of, write_local_page
from services.cli.rounds_orders import FleetOptions, read_orders
from services.demo.plan_pictures import write_plan_page

Stub = rounds_service_pb2_grpc.RoundsServiceStub
MOST_LISTED = 200
VISITS = (plan_pb2.RoundStop.KIND_DELIVERY, plan_pb2.RoundStop.KIND_PICKUP, plan_pb2.RoundStop.KIND_TRANSFER)
F = TypeVar("F", bound=Callable[..., Any])


@click.group()
def rounds() -> None:
    """Delivery rounds under predicted traffic."""


def fleet_options(command: F) -> F:
    """Options of commands that take a file of orders."""
    for option in (
        click.option(
            "--day",
            type=click.DateTime(["%Y-%m-%d"]),
            help="Day of times of day in a file (default: the next one whose shift has not begun).",
        ),
        click.option("--shift", default="08:00-18:00", show_default=True, help="Shift of the vehicles (CSV)."),
        click.option("--capacity", type=click.IntRange(0), help="Capacity of a vehicle (CSV; default: without limit)."),
        click.option(
            "--vehicles", type=click.IntRange(1, 2000), default=1, show_default=True, help="Number of vehicles (CSV)."
        ),
        click.option("--depot", help="Where the vehicles start and end: a place or lat,lon (CSV)."),
    ):
        command = option(command)
    return command


def read_request(context: CommandContext, file: RoundsFile, path: Path, options: Mapping[str, Any]) -> problem_pb2.Problem:
    """Problem for the service from a file without travel times of its own; addresses are looked up in the running city."""
    if file.message is not None:
        return file.message
    given: dt.datetime | None = options["day"]
    day = given.date() if given else _next_day(context, options["shift"])
    if file.instance is not None:
        return request_of(file.instance, day, context.timezone)
    fleet = FleetOptions(options["depot"], options["vehicles"], options["capacity"], options["shift"])
    message, notes = read_orders(
        file.orders or "", str(path), fleet, day, context.timezone, lambda text: context.resolve(text, quiet=True)[0]
    )
    for note in (*notes, f"planned for {day:%Y-%m-%d}"):
        click.echo(f"note: {note}", err=True)
    return message


@contextlib.contextmanager
def orders_named(problem: problem_pb2.Problem) -> Iterator[None]:
    """Name the order in errors that count it (`shipments[7]`): the number says little about a line of a file."""

    def named(match: re.Match[str]) -> str:
        own = problem.shipments[int(match[1])].shipment_id if int(match[1]) < len(problem.shipments) else ""
        return f"{match[0]} (order {own!r})" if own and repr(own) not in match.string else match[0]

    try:
        yield
    except click.ClickException as error:
        raise click.ClickException(re.sub(r"shipments\[(\d+)\][\w.\[\]]*", named, error.message)) from None


def _next_day(context: CommandContext, shift: str) -> dt.date:
    """Today if the shift has not begun, else tomorrow."""
    now_s, zone = context.now(), context.timezone
    today = dt.datetime.fromtimestamp(now_s, zone).date()
    begun = parse_when(shift.partition("-")[0].strip(), zone, now_s) <= now_s
    return today + dt.timedelta(days=begun)


@rounds.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--seconds", type=click.FloatRange(0.1, 3600), default=10.0, show_default=True, help="How long to look.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the search.")
@click.option("--threads", type=click.IntRange(0, 256), default=0, help="Workers for 500 stops or more (default: all cores).")
@click.option("--backend", type=click.Choice(BACKENDS), help="Who works on 1,000 stops or more (files with their own times).")
@click.option("--sure", type=click.FloatRange(0.5, 0.999), help="Probability with which every window is to be kept, as 0.95.")
@click.option("--picture", type=click.Path(path_type=Path), help="Write map and Gantt chart (HTML) here.")
@click.option("--geojson", type=click.Path(path_type=Path), help="Write the rounds as GeoJSON here.")
@click.option("--csv", "csv_file", type=click.Path(path_type=Path), help="Write the stops as CSV here.")
@click.option(
    "--gpx", type=click.Path(file_okay=False, path_type=Path), help="Write a GPX file for every driver into this folder."
)
@click.option("--objective", type=click.Choice(list(OBJECTIVES)), help="What is made small (benchmark files only).")
@click.option("--rounding", type=click.Choice(["double", "dimacs"]), default="double", help="Of distances (benchmark files).")
@fleet_options
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
@click.pass_obj
@plain_errors
def solve(
    context: CommandContext, /, file: Path, seconds: float, seed: int, threads: int, backend: str | None, sure: float | None,
    **out: Any,
) -> None:  # fmt: skip
    """Plan the rounds of FILE and show every better plan as it is found.

    FILE is a rounds problem (JSON), VROOM (JSON), MAMUT, Solomon/Homberger or Li & Lim, or orders (CSV). Files that bring
    their own travel times are planned here; the others by the running city.

    \b
      traboule rounds solve cities/porto/examples/deliveries.json --seconds 20 --picture rounds.html
      traboule rounds solve cities/porto/examples/deliveries.json --sure 0.95
      traboule rounds solve orders.csv --depot 41.17,-8.65 --vehicles 3 --shift 08:00-17:00 --gpx drivers
      traboule rounds solve C101.txt --objective vehicles-distance
      traboule rounds solve R1_10_1.TXT --seconds 120 --backend ray
    """
    check_targets(picture=out["picture"], geojson=out["geojson"], csv=out["csv_file"], gpx=out["gpx"])
    found = read_rounds_file(file, out["objective"], out["rounding"])
    if found.instance is not None and found.instance.travel_times is not None:
        if found.instance.points is None and (out["geojson"] or out["gpx"]):
            raise click.ClickException(f"{file} gives no coordinates in degrees: --geojson and --gpx cannot be written")
        plan = solve_here(found.instance, seconds, seed, sure, workers_of(found.instance, threads, backend, seconds, sure))
        show_local(found.instance, plan)
        _finish(context, plan, out, found.instance)
        return
    if backend:
        raise click.ClickException(
            "--backend: the running city decides who plans (TRABOULE_ROUNDS_BACKEND where it is started)"
        )
    limits = rounds_service_pb2.SolveLimits(
        time_limit_s=seconds, seed=seed, threads=threads, with_polylines=True, window_probability=sure or 0.0
    )
    _finish(context, _ask(context, read_request(context, found, file, out), limits), out)


def _ask(context: CommandContext, problem: problem_pb2.Problem, limits: rounds_service_pb2.SolveLimits) -> plan_pb2.Plan:
    """The best plan of the running city."""
    request = rounds_service_pb2.SolveRoundsRequest(problem=problem, limits=limits)
    last = rounds_service_pb2.SolveRoundsResponse()
    waiting = Live(Text("sending …"), console=console, transient=True, refresh_per_second=8)
    with orders_named(problem), waiting as live:

        def each(message: rounds_service_pb2.SolveRoundsResponse) -> bool:
            nonlocal last
            if message.HasField("plan"):
                last = message
            live.update(Text(_progress(message, limits.time_limit_s)))
            return not message.final

        context.client.stream("rounds", Stub, "SolveRounds", request, each)
    if not last.HasField("plan"):
        raise click.ClickException("no plan was found in the time given; give more with --seconds")
    return last.plan


def _progress(message: rounds_service_pb2.SolveRoundsResponse, seconds: float) -> str:
    text = f"{message.elapsed_s:5.1f} of {seconds:g} s"
    if message.HasField("plan"):
        plan = message.plan
        text += f"   {plan.served_count} served, {len(plan.unserved)} not   {duration(plan.drive_s)} driving"
        text += f"   cost {plan.cost:,.0f}"
    return text + (f"   {message.progress}" if message.progress else "")


def _finish(context: CommandContext, plan: plan_pb2.Plan, out: Mapping[str, Any], local: Instance | None = None) -> None:
    """Show a plan, as JSON or as tables, and write the files asked for; `local` says where it came from without a city."""
    if out.get("as_json"):
        print_json(plan)
    else:
        show_plan(plan, UTC if local else context.timezone)
    if out.get("picture"):
        if local:
            write_local_page(local, plan, out["picture"])
        else:
            write_plan_page(plan, open_snapshot(context.config.home, context.config.city), out["picture"])
        click.echo(f"map and chart: {out['picture']}", err=bool(out.get("as_json")))
    zone = UTC if local else context.timezone
    write_exports(plan, zone, geojson=out.get("geojson"), csv_file=out.get("csv_file"), gpx=out.get("gpx"))


def show_plan(plan: plan_pb2.Plan, zone: ZoneInfo) -> None:
    """Print a plan, a line per round, then what is not served and why."""
    _print_rounds(plan, zone)
    say(f"[bold]{plan.served_count} served[/], {duration(plan.drive_s)} driving, {distance(plan.distance_m)}")
    hubs = Counter(one.hub_id for one in plan.transfers)
    for hub, count in sorted(hubs.items()):
        say(f"{count} of them over hub {plain(hub)}")
    _say_unserved(plan)


def show_changed(plan: plan_pb2.Plan, zone: ZoneInfo) -> None:
    """Print the rounds that changed, of which lengths are not known, and what the whole plan serves."""
    _print_rounds(plan, zone, lengths=False)
    say(f"[bold]{plan.served_count} served[/] in all; only rounds that changed are shown")
    _say_unserved(plan)


def _print_rounds(plan: plan_pb2.Plan, zone: ZoneInfo, *, lengths: bool = True) -> None:
    rows = []
    for row in plan.rounds:
        visits = sum(stop.kind in VISITS for stop in row.stops)
        if visits:
            times = f"{clock(row.departure_unix_s, zone)}–{clock(row.arrival_unix_s, zone)}"
            spans = (duration(row.drive_s), duration(row.service_s), duration(row.wait_s))
            metres = (distance(row.distance_m), f"{row.co2_g / 1000:.1f} kg") if lengths else ()
            rows.append((row.vehicle_id, times, visits, *spans, *metres))
    header = ("vehicle", "round", "stops", "driving", "service", "waiting", *(("distance", "CO2") if lengths else ()))
    print_table(header, rows, right=range(2, len(header)))


def _say_unserved(plan: plan_pb2.Plan) -> None:
    for warning in plan.warnings:
        say(f"[yellow]{plain(warning)}[/]")
    for left in plan.unserved:
        reason = plan_pb2.UnservedReason.Name(left.reason).removeprefix("UNSERVED_REASON_").lower().replace("_", " ")
        known = left.reason != plan_pb2.UNSERVED_REASON_UNSPECIFIED
        why = left.explanation or f"order {left.shipment_id!r}" + (f": {reason}" if known else "")
        say(f"[yellow]not served: {plain(why)}[/]")


FOLLOW_TRAFFIC = {
    "driven": rounds_service_pb2.FOLLOW_TRAFFIC_UNSPECIFIED,
    "always": rounds_service_pb2.FOLLOW_TRAFFIC_ALWAYS,
    "never": rounds_service_pb2.FOLLOW_TRAFFIC_NEVER,
}


@rounds.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--seconds", type=click.FloatRange(0.1, 3600), default=10.0, show_default=True, help="How long to look.")
@click.option(
    "--follow-traffic",
    type=click.Choice(["driven", "always", "never"]),
    default="driven",
    show_default=True,
    help="From when on the plan follows live traffic by itself: from the first position or stop that is reported, or the "
    "first departure.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the search.")
@click.option("--sure", type=click.FloatRange(0.5, 0.999), help="Probability with which every window is to be kept, as 0.95.")
@click.option("--name", default="", help="Name shown by `rounds list`.")
@fleet_options
@click.pass_obj
@plain_errors
def submit(
    context: CommandContext, /, file: Path, seconds: float, follow_traffic: str, seed: int, sure: float | None, name: str,
    **options: Any,
) -> None:  # fmt: skip
    """Hand in the rounds of FILE (as for solve, without travel times of its own) as a job that survives restarts.

    Prints its id.
    """
    found = read_rounds_file(file)
    if found.instance is not None and found.instance.travel_times is not None:
        raise click.ClickException(f"{file} brings its own travel times; plan it here: traboule rounds solve {file}")
    request = rounds_service_pb2.SubmitRoundsRequest(
        problem=read_request(context, found, file, options),
        traffic_following=rounds_service_pb2.TrafficFollowing(when=FOLLOW_TRAFFIC[follow_traffic]),
        limits=rounds_service_pb2.SolveLimits(time_limit_s=seconds, seed=seed, window_probability=sure or 0.0),
        display_name=name,
    )
    with orders_named(request.problem):
        say(context.client.call("rounds", Stub, "SubmitRounds", request).rounds.rounds_id)


@rounds.command()
@click.argument("rounds_id")
@click.option("--picture", type=click.Path(path_type=Path), help="Write map and Gantt chart (HTML) here.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer of the service as JSON.")
@click.pass_obj
@plain_errors
def show(context: CommandContext, rounds_id: str, picture: Path | None, as_json: bool) -> None:
    """Show state and plan of submitted rounds."""
    check_targets(picture=picture)
    request = rounds_service_pb2.GetRoundsRequest(rounds_id=rounds_id, with_polylines=picture is not None)
    answer = context.client.call("rounds", Stub, "GetRounds", request).rounds
    if as_json:
        print_json(answer)
    else:
        state = _state(answer.state)
        say(f"[bold]{plain(rounds_id)}[/] {state} {plain(answer.explanation)}")
    if answer.HasField("plan") and (picture or not as_json):
        _show_answer(context, answer.plan, picture, as_json)


def _show_answer(context: CommandContext, plan: plan_pb2.Plan, picture: Path | None, as_json: bool) -> None:
    if not as_json:
        show_plan(plan, context.timezone)
    if picture:
        write_plan_page(plan, open_snapshot(context.config.home, context.config.city), picture)
        click.echo(f"map and chart: {picture}", err=as_json)


@rounds.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the answer of the service as JSON.")
@click.pass_obj
@plain_errors
def list_(context: CommandContext, as_json: bool) -> None:
    """List submitted rounds, newest first."""
    request = rounds_service_pb2.ListRoundsRequest(page_size=MOST_LISTED)
    answer = context.client.call("rounds", Stub, "ListRounds", request)
    if as_json:
        print_json(answer)
        return
    rows = [(r.rounds_id, _state(r.state), r.shipment_count, r.display_name) for r in answer.rounds]
    print_table(("rounds", "state", "shipments", "name"), rows, right=(2,))
    if answer.next_page_token:
        say(f"Only the newest {len(rows)} are shown.")


def _state(code: "rounds_service_pb2.RoundsState.ValueType") -> str:
    return rounds_service_pb2.RoundsState.Name(code).removeprefix("ROUNDS_STATE_").lower()


@rounds.command()
@click.argument("rounds_id")
@click.pass_obj
@plain_errors
def cancel(context: CommandContext, rounds_id: str) -> None:
    """Stop work on submitted rounds; the best plan so far is kept."""
    request = rounds_service_pb2.CancelRoundsRequest(rounds_id=rounds_id)
    state = context.client.call("rounds", Stub, "CancelRounds", request).rounds.state
    cancelled = state == rounds_service_pb2.ROUNDS_STATE_CANCELLED
    say("cancelled" if cancelled else f"nothing to cancel: these rounds are {_state(state)}")
