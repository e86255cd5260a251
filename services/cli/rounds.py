"""``traboule rounds solve|submit|show|cancel|list|explain``."""

import csv
import json
from pathlib import Path
from typing import Any

import click
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from rich.live import Live
from rich.text import Text
from traboule.rounds.v1 import plan_pb2, problem_pb2, rounds_service_pb2, rounds_service_pb2_grpc

from services.city.snapshot import open_snapshot
from services.cli.context import CommandContext, plain_errors
from services.cli.output import clock, console, distance, duration, plain, print_json, print_table, say
from services.common.polyline import decode
from services.demo.plan_pictures import write_plan_page

Stub = rounds_service_pb2_grpc.RoundsServiceStub
MOST_LISTED = 200


@click.group()
def rounds() -> None:
    """Delivery rounds under predicted traffic."""


def check_targets(**files: Path | None) -> None:
    """See that files asked for can be written, before time is spent on what goes into them.

    Raises
    ------
    click.ClickException
        Naming the folder that does not exist.
    """
    for option, file in files.items():
        if file is not None and not file.absolute().parent.is_dir():
            raise click.ClickException(f"--{option} {file}: there is no folder {file.absolute().parent}")


def read_problem(path: Path) -> problem_pb2.Problem:
    """Problem of a JSON file in the form of `traboule.rounds.v1.Problem`.

    Raises
    ------
    click.ClickException
        Naming the line or the field that is wrong.
    """
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{path} cannot be read: {error}") from None
    except json.JSONDecodeError as error:
        raise click.ClickException(f"{path} is not JSON: {error.msg} in line {error.lineno}, column {error.colno}") from None
    try:
        if not isinstance(table, dict):
            raise ParseError("an object with shipments and vehicles is expected")
        return ParseDict(table.get("problem", table), problem_pb2.Problem())
    except (ParseError, AttributeError, TypeError) as error:
        raise click.ClickException(
            f"{path} is not a rounds problem: {error}; see cities/porto/examples/deliveries.json"
        ) from None


@rounds.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--seconds", type=click.FloatRange(0.1, 3600), default=10.0, show_default=True, help="How long to look.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the search.")
@click.option("--picture", type=click.Path(path_type=Path), help="Write map and Gantt chart (HTML) here.")
@click.option("--geojson", type=click.Path(path_type=Path), help="Write the rounds as GeoJSON here.")
@click.option("--csv", "csv_file", type=click.Path(path_type=Path), help="Write the stops as CSV here.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
@click.pass_obj
@plain_errors
def solve(context: CommandContext, /, file: Path, seconds: float, seed: int, **out: Any) -> None:
    """Plan the rounds of FILE and show every better plan as it is found.

    \b
      traboule rounds solve cities/porto/examples/deliveries.json --seconds 20 --picture rounds.html
    """
    check_targets(picture=out["picture"], geojson=out["geojson"], csv=out["csv_file"])
    request = rounds_service_pb2.SolveRoundsRequest(
        problem=read_problem(file),
        limits=rounds_service_pb2.SolveLimits(time_limit_s=seconds, seed=seed, with_polylines=True),
    )
    last = rounds_service_pb2.SolveRoundsResponse()
    with Live(Text("sending …"), console=console, transient=True, refresh_per_second=8) as live:

        def each(message: rounds_service_pb2.SolveRoundsResponse) -> bool:
            nonlocal last
            if message.HasField("plan"):
                last = message
            live.update(Text(_progress(message, seconds)))
            return not message.final

        context.client.stream("rounds", Stub, "SolveRounds", request, each)
    if not last.HasField("plan"):
        raise click.ClickException("no plan was found in the time given; give more with --seconds")
    if out["as_json"]:
        print_json(last.plan)
    _finish(context, None if out["as_json"] else last.plan, last.plan, out)


def _progress(message: rounds_service_pb2.SolveRoundsResponse, seconds: float) -> str:
    text = f"{message.elapsed_s:5.1f} of {seconds:g} s"
    if message.HasField("plan"):
        plan = message.plan
        text += f"   {plan.served_count} served, {len(plan.unserved)} not   {duration(plan.drive_s)} driving"
        text += f"   cost {plan.cost:,.0f}"
    return text + (f"   {message.progress}" if message.progress else "")


def _finish(context: CommandContext, shown: plan_pb2.Plan | None, plan: plan_pb2.Plan, out: dict[str, Any]) -> None:
    """Show a plan, unless it has been printed as JSON, and write the files asked for."""
    if shown is not None:
        show_plan(context, shown)
    if out.get("picture"):
        snapshot = open_snapshot(context.config.home, context.config.city)
        write_plan_page(plan, snapshot, out["picture"])
        click.echo(f"map and chart: {out['picture']}", err=shown is None)
    if out.get("geojson"):
        out["geojson"].write_text(json.dumps(plan_geojson(plan), ensure_ascii=False), encoding="utf-8")
    if out.get("csv_file"):
        with out["csv_file"].open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(plan_rows(plan))


def show_plan(context: CommandContext, plan: plan_pb2.Plan) -> None:
    """Print a plan, a line per round, then what is not served and why."""
    zone = context.timezone
    rows = []
    for row in plan.rounds:
        visits = sum(stop.kind in (plan_pb2.RoundStop.KIND_DELIVERY, plan_pb2.RoundStop.KIND_PICKUP) for stop in row.stops)
        if visits:
            times = f"{clock(row.departure_unix_s, zone)}–{clock(row.arrival_unix_s, zone)}"
            rows.append((row.vehicle_id, times, visits, duration(row.drive_s), duration(row.service_s), duration(row.wait_s),
                         distance(row.distance_m), f"{row.co2_g / 1000:.1f} kg"))  # fmt: skip
    print_table(
        ("vehicle", "round", "stops", "driving", "service", "waiting", "distance", "CO2"), rows, right=(2, 3, 4, 5, 6, 7)
    )
    say(f"[bold]{plan.served_count} served[/], {duration(plan.drive_s)} driving, {distance(plan.distance_m)}")
    for left in plan.unserved:
        reason = plan_pb2.UnservedReason.Name(left.reason).removeprefix("UNSERVED_REASON_").lower().replace("_", " ")
        known = left.reason != plan_pb2.UNSERVED_REASON_UNSPECIFIED
        why = left.explanation or f"order {left.shipment_id!r}" + (f": {reason}" if known else "")
        say(f"[yellow]not served: {plain(why)}[/]")


def plan_rows(plan: plan_pb2.Plan) -> list[list[object]]:
    """Stops of a plan as rows, header first; times are unix seconds."""
    rows: list[list[object]] = [["vehicle", "stop", "kind", "shipment", "lat", "lon", "arrival", "start", "departure"]]
    for row in plan.rounds:
        for number, stop in enumerate(row.stops):
            kind = plan_pb2.RoundStop.Kind.Name(stop.kind).removeprefix("KIND_").lower()
            place = [round(stop.location.lat_deg, 6), round(stop.location.lon_deg, 6)]
            times = [stop.arrival_unix_s, stop.start_unix_s, stop.departure_unix_s]
            rows.append([_safe(row.vehicle_id), number, kind, _safe(stop.shipment_id), *place, *times])
    return rows


def _safe(text: str) -> str:
    """Text that a spreadsheet will not run as a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def plan_geojson(plan: plan_pb2.Plan) -> dict[str, Any]:
    """Rounds as lines and stops as points."""
    features: list[dict[str, Any]] = []
    for row in plan.rounds:
        line = [[lon, lat] for stop in row.stops for lat, lon in decode(stop.leg.polyline.encoded)]
        if len(line) > 1:
            geometry = {"type": "LineString", "coordinates": line}
            features.append({"type": "Feature", "geometry": geometry, "properties": {"vehicle": row.vehicle_id}})
        for stop in row.stops:
            point = {"type": "Point", "coordinates": [stop.location.lon_deg, stop.location.lat_deg]}
            features.append(
                {"type": "Feature", "geometry": point, "properties": MessageToDict(stop, preserving_proto_field_name=True)}
            )
    return {"type": "FeatureCollection", "features": features}


@rounds.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--seconds", type=click.FloatRange(0.1, 3600), default=10.0, show_default=True, help="How long to look.")
@click.pass_obj
@plain_errors
def submit(context: CommandContext, file: Path, seconds: float) -> None:
    """Hand in the rounds of FILE as a job that survives restarts; prints its id."""
    request = rounds_service_pb2.SubmitRoundsRequest(
        problem=read_problem(file), limits=rounds_service_pb2.SolveLimits(time_limit_s=seconds)
    )
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
    if answer.HasField("plan"):
        _finish(context, None if as_json else answer.plan, answer.plan, {"picture": picture})


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


@rounds.command()
@click.argument("rounds_id")
@click.pass_obj
@plain_errors
def explain(context: CommandContext, rounds_id: str) -> None:
    """Explain why shipments are not served, and what would help."""
    request = rounds_service_pb2.ExplainUnservedRequest(rounds_id=rounds_id)
    answer = context.client.call("rounds", Stub, "ExplainUnserved", request)
    for row in answer.explanations:
        say(f"[bold]{plain(row.shipment_id)}[/] {plain(row.summary)}")
        for remedy in row.remedies:
            say(f"  could help: {plain(remedy)}")
    if not answer.explanations:
        say("Everything is served.")
