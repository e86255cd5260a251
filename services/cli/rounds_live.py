"""``traboule rounds insert|report|watch``: change rounds while they are driven, and see how they change."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import click
from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import Message
from traboule.common.v1 import geo_pb2
from traboule.rounds.v1 import problem_pb2
from traboule.rounds.v1 import rounds_service_pb2 as pb

from services.cli.context import CommandContext, plain_errors
from services.cli.output import clock, plain, print_json, say
from services.cli.rounds import Stub, rounds, show_changed

__all__ = ["insert", "report", "rounds", "watch"]
M = TypeVar("M", bound=Message)


def read_shipment(path: Path) -> problem_pb2.Shipment:
    """Shipment of a JSON file in the form of `traboule.rounds.v1.Shipment`.

    Raises
    ------
    click.ClickException
        Naming the line or the field that is wrong.
    """
    return _read(path, problem_pb2.Shipment(), "a shipment")


def _read(path: Path, message: M, what: str) -> M:
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(table, dict):
            raise ParseError("an object is expected")
        return ParseDict(table, message)
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{path} cannot be read: {error}") from None
    except json.JSONDecodeError as error:
        raise click.ClickException(f"{path} is not JSON: {error.msg} in line {error.lineno}, column {error.colno}") from None
    except (ParseError, AttributeError, TypeError) as error:
        raise click.ClickException(f"{path} is not {what}: {error}") from None


def read_point(text: str) -> geo_pb2.LatLng:
    """Coordinates written as ``LAT,LON`` in degrees.

    Raises
    ------
    click.ClickException
        For anything else.
    """
    try:
        lat, lon = (float(part) for part in text.split(","))
    except ValueError:
        raise click.ClickException(f"{text!r} is not LAT,LON in degrees, for example 41.1496,-8.6110") from None
    return geo_pb2.LatLng(lat_deg=lat, lon_deg=lon)


@rounds.command()
@click.argument("rounds_id")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only tell what it would cost and when it would be served.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer of the service as JSON.")
@click.pass_obj
@plain_errors
def insert(context: CommandContext, /, rounds_id: str, file: Path, *, dry_run: bool, as_json: bool) -> None:
    """Insert the order of FILE (JSON) where it costs least.

    \b
      traboule rounds insert ROUNDS order.json --dry-run
    """
    request = pb.InsertOrderRequest(rounds_id=rounds_id, shipment=read_shipment(file), dry_run=dry_run, only_changed=True)
    answer = context.client.call("rounds", Stub, "InsertOrder", request)
    if as_json:
        print_json(answer)
    elif answer.served:
        at = clock(answer.arrival_unix_s, context.timezone)
        would = "would be" if dry_run else "is"
        say(f"{would} served by [bold]{plain(answer.vehicle_id)}[/] at {at}, {answer.cost_delta:+.0f} in cost")
    else:
        say(f"[yellow]cannot be served: {plain(answer.unserved.explanation)}[/]")


def read_incident(path: Path) -> pb.Incident:
    """Incident of a JSON file in the form of `traboule.rounds.v1.Incident`; raises as `read_shipment`."""
    return _read(path, pb.Incident(), "an incident")


EVENTS = (
    "position",
    "late",
    "done",
    "picked_up",
    "refused",
    "broken_down",
    "closed",
    "slowed",
    "incident",
    "lifted",
    "traffic",
)


@rounds.command()
@click.argument("rounds_id")
@click.option("--position", nargs=2, metavar="VEHICLE LAT,LON", help="A vehicle is here now.")
@click.option("--late", nargs=2, metavar="VEHICLE MINUTES", help="A vehicle is late.")
@click.option("--done", metavar="ORDER", help="An order was delivered just now.")
@click.option("--picked-up", metavar="ORDER", help="An order was picked up just now.")
@click.option("--refused", metavar="ORDER", help="An order is no longer wanted.")
@click.option("--broken-down", metavar="VEHICLE", help="A vehicle can no longer drive.")
@click.option(
    "--closed", metavar="LAT,LON", help="The street here is closed, for three hours if --hours does not say otherwise."
)
@click.option("--slowed", nargs=2, metavar="LAT,LON SHARE", help="Of the speed on the street here this share is left.")
@click.option(
    "--incident", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="An incident on the road (JSON)."
)
@click.option("--lifted", metavar="INCIDENT", help="An incident is over.")
@click.option("--traffic", is_flag=True, default=None, help="Build travel times anew from the city's live traffic.")
@click.option("--hours", type=click.FloatRange(0, 168, min_open=True), help="How long --closed or --slowed lasts.")
@click.option("--name", default="", help="Name of what --closed or --slowed tells, for --lifted.")
@click.option("--move-cost", type=click.FloatRange(0), default=0.0, show_default=True, help="Cost of a change of vehicles.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer of the service as JSON.")
@click.pass_obj
@plain_errors
def report(context: CommandContext, /, rounds_id: str, *, move_cost: float, as_json: bool, **told: Any) -> None:
    """Tell what happened on the road and see how the plan changes.

    \b
      traboule rounds report ROUNDS --late "van 3" 20
      traboule rounds report ROUNDS --position "van 3" 41.1496,-8.6110
      traboule rounds report ROUNDS --done "order 17"
      traboule rounds report ROUNDS --closed 41.1496,-8.6110 --hours 2 --name flood
    """
    request = read_event(told, context.now())
    request.rounds_id, request.only_changed, request.stability.move_cost = rounds_id, True, move_cost
    answer = context.client.call("rounds", Stub, "ReportEvent", request)
    if as_json:
        print_json(answer)
        return
    for change in answer.changes:
        say(plain(change))
    if not answer.changes:
        say("Nothing changes.")
    elif answer.plan.rounds:
        show_changed(answer.plan, context.timezone)


def read_event(told: Mapping[str, Any], now_s: int) -> pb.ReportEventRequest:
    """Request of what was typed at a moment of the city, without the rounds it is about.

    Raises
    ------
    click.ClickException
        None or several events, or what cannot be read.
    """
    given = [name for name in EVENTS if told.get(name) is not None]
    if len(given) != 1:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in EVENTS[:-1])
        raise click.ClickException(f"give one of {options} and --{EVENTS[-1]}")
    value, request = told[given[0]], pb.ReportEventRequest()
    match given[0]:
        case "position":
            request.position.CopyFrom(pb.VehiclePosition(vehicle_id=value[0], location=read_point(value[1])))
        case "late":
            request.delay.CopyFrom(pb.Delay(vehicle_id=value[0], delay_s=read_minutes(value[1])))
        case "done" | "picked_up":
            request.completion.CopyFrom(pb.Completion(shipment_id=value, pickup=given[0] == "picked_up"))
        case "refused":
            request.refusal.shipment_id = value
        case "broken_down":
            request.breakdown.vehicle_id = value
        case "closed":
            request.incident.CopyFrom(pb.Incident(points=[read_point(value)], closed=True))
        case "slowed":
            request.incident.CopyFrom(pb.Incident(points=[read_point(value[0])], speed_factor=read_share(value[1])))
        case "incident":
            request.incident.CopyFrom(read_incident(value))
        case "lifted":
            request.incident.CopyFrom(pb.Incident(incident_id=value, lifted=True))
        case _:
            request.traffic_change.SetInParent()
    if given[0] in ("closed", "slowed"):
        request.incident.incident_id = told.get("name") or ""
    if hours := told.get("hours"):
        if given[0] not in ("closed", "slowed"):
            raise click.ClickException("--hours goes with --closed or --slowed")
        request.incident.until_unix_s = now_s + round(3600 * hours)
    return request


@rounds.command()
@click.argument("rounds_id")
@click.option("--json", "as_json", is_flag=True, help="Print the answers of the service as JSON.")
@click.pass_obj
@plain_errors
def watch(context: CommandContext, /, rounds_id: str, *, as_json: bool) -> None:
    """Show every new plan of submitted rounds, and what changed in it, until you press Ctrl-C."""

    def each(message: pb.WatchRoundsResponse) -> bool:
        found = message.rounds
        if as_json:
            print_json(found)
            return True
        plan, at = found.plan, clock(found.updated_unix_s, context.timezone)
        say(f"[bold]{at}[/] version {plan.version}: {plan.served_count} served, {plan.cost:.0f} in cost")
        for change in found.changes:
            say(f"  {plain(change)}")
        return True

    request = pb.WatchRoundsRequest(rounds_id=rounds_id, follow=True)
    context.client.stream("rounds", Stub, "WatchRounds", request, each)


def read_share(text: str) -> float:
    """Share above 0 and up to 1, also written in percent.

    Raises
    ------
    click.ClickException
        For anything else.
    """
    try:
        share = float(text.removesuffix("%")) / (100.0 if text.endswith("%") else 1.0)
    except ValueError:
        share = 0.0
    if not 0.0 < share <= 1.0:
        raise click.ClickException(f"--slowed: {text!r} is not a share above 0 and up to 1, for example 0.4 or 40%")
    return share


def read_minutes(text: str) -> int:
    """Whole seconds of a number of minutes.

    Raises
    ------
    click.ClickException
        Not a number, or negative.
    """
    try:
        minutes = float(text)
    except ValueError:
        minutes = -1.0
    if not 0 <= minutes <= 1440:
        raise click.ClickException(f"--late: {text!r} is not a number of minutes from 0 to 1440")
    return round(60 * minutes)
