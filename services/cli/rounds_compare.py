"""``traboule rounds compare``: two plans side by side."""

import json
from collections.abc import Iterable
from pathlib import Path
from zoneinfo import ZoneInfo

import click
from google.protobuf.json_format import ParseDict, ParseError
from traboule.rounds.v1 import explain_pb2, plan_pb2
from traboule.rounds.v1 import rounds_service_pb2 as pb

from services.city.snapshot import open_snapshot
from services.cli.context import CommandContext, plain_errors
from services.cli.output import clock, plain, print_json, print_table, say
from services.cli.rounds import Stub
from services.cli.rounds_export import check_targets, has_places
from services.cli.rounds_files import read_text
from services.demo.pictures.page import Page, heading, note, paragraph, side_by_side, table
from services.demo.plan_pictures import plan_gantt, plan_map
from services.rounds.comparison import changed_vehicle, shift_s
from services.rounds.comparison import compare as compare_plans

HEADER = ("", "vehicle", "orders", "cost", "driving min", "waiting min", "duration min", "km", "CO2 kg", "late cost")
MOST_ORDERS = 40
"""Orders listed in the terminal; the page lists all."""


@click.command()
@click.argument("before", metavar="PLAN|ROUNDS")
@click.argument("after", metavar="PLAN|ROUNDS")
@click.option("--picture", type=click.Path(path_type=Path), help="Write both plans side by side (HTML) here.")
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
@click.pass_obj
@plain_errors
def compare(context: CommandContext, /, before: str, after: str, *, picture: Path | None, as_json: bool) -> None:
    """Compare two plans: who changed vehicles, what was gained and lost.

    Each is a file that `solve --json` wrote, or the id of submitted rounds.

    \b
      traboule rounds solve orders.json --json > before.json
      traboule rounds compare before.json after.json --picture compared.html
    """
    check_targets(picture=picture)
    plans = [_plan(context, one, picture is not None) for one in (before, after)]
    found = compare_plans(*plans)
    if as_json:
        print_json(found)
    else:
        _show(found, context.timezone)
    if picture:
        _write_page(context, (before, after), plans, found, picture)
        click.echo(f"both plans: {picture}", err=True)


def _plan(context: CommandContext, target: str, geometry: bool) -> plan_pb2.Plan:
    """Plan of a file or of submitted rounds.

    Raises
    ------
    click.ClickException
        The file holds no plan, or there is none yet.
    """
    path = Path(target)
    if not path.is_file():
        request = pb.GetRoundsRequest(rounds_id=target, with_polylines=geometry)
        rounds: pb.Rounds = context.client.call("rounds", Stub, "GetRounds", request).rounds
        if not rounds.HasField("plan"):
            raise click.ClickException(f"rounds {target} have no plan yet")
        return rounds.plan
    try:
        content = json.loads(read_text(path))
        if not isinstance(content, dict):
            raise ParseError("an object is expected")
        plan: plan_pb2.Plan = ParseDict(content.get("plan", content), plan_pb2.Plan())
        return plan
    except json.JSONDecodeError as error:
        raise click.ClickException(f"{path} is not JSON: {error.msg} in line {error.lineno}, column {error.colno}") from None
    except (ParseError, AttributeError, TypeError) as error:
        raise click.ClickException(f"{path} is not a plan as `solve --json` writes it: {error}") from None


def figure_rows(found: explain_pb2.PlanComparison) -> Iterable[tuple[str, ...]]:
    """Rows of `HEADER`: before, after and difference of every vehicle that changes, then of all."""
    for pair in (*found.vehicles, found.total):
        both = (pair.before if pair.HasField("before") else None, pair.after if pair.HasField("after") else None)
        if pair.vehicle_id and both[0] == both[1]:
            continue
        known = [one or explain_pb2.PlanFigures() for one in both]
        difference = [b - a for a, b in zip(_values(known[0]), _values(known[1]), strict=True)]
        for name, figures in zip(("before", "after"), both, strict=True):
            values = [""] * (len(HEADER) - 2) if figures is None else [f"{value:,.1f}" for value in _values(figures)]
            yield (name, pair.vehicle_id or "all", *[value.removesuffix(".0") for value in values])
        yield ("change", pair.vehicle_id or "all", *[f"{value:+,.1f}".removesuffix(".0") for value in difference])


def order_rows(found: explain_pb2.PlanComparison, zone: ZoneInfo) -> list[tuple[str, ...]]:
    """Orders that changed vehicles, then those whose arrival shifted, most first."""

    def side(vehicle: str, arrival_unix_s: int) -> str:
        return f"{vehicle} {clock(arrival_unix_s, zone)}" if vehicle else "not served"

    changed = [one for one in found.orders if changed_vehicle(one) or abs(shift_s(one)) >= 60]
    changed.sort(key=lambda one: (not changed_vehicle(one), -abs(shift_s(one)), one.shipment_id))
    return [
        (
            one.shipment_id, side(one.vehicle_before, one.arrival_before_unix_s),
            side(one.vehicle_after, one.arrival_after_unix_s), f"{shift_s(one) / 60:+.0f} min" if shift_s(one) else "",
        )
        for one in changed
    ]  # fmt: skip


def _values(figures: explain_pb2.PlanFigures) -> list[float]:
    return [
        figures.served_count, figures.cost, figures.drive_s / 60, figures.wait_s / 60, figures.duration_s / 60,
        figures.distance_m / 1000, figures.co2_g / 1000, figures.late_cost,
    ]  # fmt: skip


def _show(found: explain_pb2.PlanComparison, zone: ZoneInfo) -> None:
    for words in found.words:
        say(plain(words))
    header = [name.replace(" ", "\n") for name in HEADER]
    print_table(header, figure_rows(found), right=range(2, len(HEADER)), whole=(0,), sparse=True)
    rows = order_rows(found, zone)
    if rows:
        print_table(("order", "before", "after", "shift"), rows[:MOST_ORDERS], right=(3,))
    if len(rows) > MOST_ORDERS:
        say(f"{len(rows) - MOST_ORDERS} more orders changed; --picture lists all.")


def _write_page(
    context: CommandContext, names: tuple[str, str], plans: list[plan_pb2.Plan], found: explain_pb2.PlanComparison, path: Path
) -> None:
    zone = context.timezone
    page = Page("Two plans", f"{names[0]} and {names[1]}")
    page.add("words", "What was gained and lost", *map(paragraph, found.words), table(HEADER, figure_rows(found)))
    gantts = [heading(name) + plan_gantt(plan, zone) for name, plan in zip(names, plans, strict=True)]
    page.add("days", "Rounds", side_by_side(*gantts))
    if all(has_places(plan) for plan in plans):
        snapshot = open_snapshot(context.config.home, context.config.city) if _along_streets(plans) else None
        maps = [heading(name) + plan_map(plan, snapshot) for name, plan in zip(names, plans, strict=True)]
        page.add("maps", "Maps", side_by_side(*maps))
    else:
        page.add("maps", "Maps", note("The plans give no coordinates: there is no map."))
    page.add("orders", "Orders that changed", table(("order", "before", "after", "shift"), order_rows(found, zone)))
    path.write_text(page.html(), encoding="utf-8")


def _along_streets(plans: list[plan_pb2.Plan]) -> bool:
    return any(stop.leg.polyline.encoded for plan in plans for row in plan.rounds for stop in row.stops)
