"""``traboule rounds insert|report``: change rounds while they are driven."""

import json
from pathlib import Path

import click
from google.protobuf.json_format import ParseDict, ParseError
from traboule.common.v1 import geo_pb2
from traboule.rounds.v1 import problem_pb2
from traboule.rounds.v1 import rounds_service_pb2 as pb

from services.cli.context import CommandContext, plain_errors
from services.cli.output import clock, plain, print_json, say
from services.cli.rounds import Stub, rounds, show_plan

__all__ = ["insert", "report", "rounds"]


def read_shipment(path: Path) -> problem_pb2.Shipment:
    """Shipment of a JSON file in the form of `traboule.rounds.v1.Shipment`.

    Raises
    ------
    click.ClickException
        Naming the line or the field that is wrong.
    """
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(table, dict):
            raise ParseError("an object is expected")
        return ParseDict(table, problem_pb2.Shipment())
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{path} cannot be read: {error}") from None
    except json.JSONDecodeError as error:
        raise click.ClickException(f"{path} is not JSON: {error.msg} in line {error.lineno}, column {error.colno}") from None
    except (ParseError, AttributeError, TypeError) as error:
        raise click.ClickException(f"{path} is not a shipment: {error}") from None


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


@rounds.command()
@click.argument("rounds_id")
@click.option("--position", nargs=2, metavar="VEHICLE LAT,LON", help="A vehicle is here now.")
@click.option("--late", nargs=2, metavar="VEHICLE MINUTES", help="A vehicle is late.")
@click.option("--refused", metavar="ORDER", help="An order is no longer wanted.")
@click.option("--broken-down", metavar="VEHICLE", help="A vehicle can no longer drive.")
@click.option("--move-cost", type=click.FloatRange(0), default=0.0, show_default=True, help="Cost of a change of vehicles.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer of the service as JSON.")
@click.pass_obj
@plain_errors
def report(
    context: CommandContext, /, rounds_id: str, *, position: tuple[str, str] | None, late: tuple[str, str] | None,
    refused: str | None, broken_down: str | None, move_cost: float, as_json: bool,
) -> None:  # fmt: skip
    """Tell what happened on the road and see how the plan changes.

    \b
      traboule rounds report ROUNDS --late "van 3" 20
      traboule rounds report ROUNDS --position "van 3" 41.1496,-8.6110
    """
    if sum(given is not None for given in (position, late, refused, broken_down)) != 1:
        raise click.ClickException("give one of --position, --late, --refused and --broken-down")
    request = pb.ReportEventRequest(rounds_id=rounds_id, only_changed=True, stability=pb.Stability(move_cost=move_cost))
    if position is not None:
        request.position.CopyFrom(pb.VehiclePosition(vehicle_id=position[0], location=read_point(position[1])))
    elif late is not None:
        request.delay.CopyFrom(pb.Delay(vehicle_id=late[0], delay_s=read_minutes(late[1])))
    elif refused is not None:
        request.refusal.shipment_id = refused
    else:
        request.breakdown.vehicle_id = broken_down or ""
    answer = context.client.call("rounds", Stub, "ReportEvent", request)
    if as_json:
        print_json(answer)
        return
    for change in answer.changes:
        say(plain(change))
    if not answer.changes:
        say("Nothing changes.")
    elif answer.plan.rounds:
        show_plan(answer.plan, context.timezone)


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
