"""``traboule tour``: several visits in the best order."""

import datetime as dt
from zoneinfo import ZoneInfo

import click
from traboule.common.v1 import time_pb2
from traboule.journeys.v1 import journeys_service_pb2_grpc, tour_pb2

from services.cli.context import CommandContext, plain_errors
from services.cli.journeys import MODES, show_itinerary
from services.cli.output import clock, duration, parse_when, plain, print_json, say


@click.command()
@click.argument("start")
@click.argument("visits", nargs=-1, required=True)
@click.option("--end", help="Where the tour ends (default: at START).")
@click.option("--open-end", is_flag=True, help="The tour ends at its last visit.")
@click.option("--stay", type=int, default=30, show_default=True, help="Minutes at each visit.")
@click.option("--depart", help="Depart at or after (default: now).")
@click.option("--mode", "modes", multiple=True, type=click.Choice(list(MODES)), help="May be given several times.")
@click.option("--keep-order", is_flag=True, help="Visit in the order given.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer of the service as JSON.")
@click.pass_obj
@plain_errors
def tour(context: CommandContext, /, start: str, visits: tuple[str, ...], **options: object) -> None:
    """Visit VISITS from START in the best order, by any mix of modes.

    A visit is a place, with opening hours after an @ where it has some:

    \b
      traboule tour Trindade "Casa da Música" "Hospital de São João@10:00-11:00" Ribeira --stay 20
    """
    as_json = bool(options["as_json"])
    if options["end"] and options["open_end"]:
        raise click.UsageError("give --end or --open-end, not both")
    request = tour_pb2.PlanTourRequest(
        open_end=bool(options["open_end"]),
        fixed_order=bool(options["keep_order"]),
        modes=[MODES[str(name)] for name in options["modes"]],  # type: ignore[attr-defined]
    )
    request.start.CopyFrom(context.resolve(start, quiet=as_json)[0])
    if options["end"]:
        request.end.CopyFrom(context.resolve(str(options["end"]), quiet=as_json)[0])
    if options["depart"]:
        request.depart_at_unix_s = parse_when(str(options["depart"]), context.timezone, context.now())
    for text in visits:
        name, _, hours = text.partition("@")
        location, called = context.resolve(name, quiet=as_json)
        called = unused_name(called, [visit.visit_id for visit in request.visits])
        visit = request.visits.add(visit_id=called, location=location, duration_s=60 * int(str(options["stay"])))
        if hours:
            # Opening hours are those of the day of the tour.
            visit.windows.append(opening_hours(hours, context.timezone, request.depart_at_unix_s or context.now()))
    answer = context.client.call("journeys", journeys_service_pb2_grpc.JourneysServiceStub, "PlanTour", request)
    if as_json:
        print_json(answer)
        return
    zone = context.timezone
    proven = "proven best order" if answer.proven_optimal else "best order found in the time given"
    say(f"[bold]{clock(answer.departure_unix_s, zone)} → {clock(answer.arrival_unix_s, zone)}[/]  "
        f"{duration(answer.travel_duration_s)} travelling, {answer.co2_g:.0f} g CO2, {proven}\n")  # fmt: skip
    for stop in answer.stops:
        if stop.HasField("itinerary"):
            show_itinerary(context, stop.itinerary)
        say(f"[bold cyan]{clock(stop.start_unix_s, zone)}–{clock(stop.departure_unix_s, zone)}  {plain(stop.visit_id)}[/]\n")
    if answer.HasField("return_itinerary"):
        show_itinerary(context, answer.return_itinerary)
    for left in answer.unvisited:
        say(f"[yellow]not visited: {plain(f'{left.visit_id}: {left.reason}')}[/]")


def unused_name(name: str, used: list[str]) -> str:
    """`name`, numbered when one goes to the same place twice."""
    if name not in used:
        return name
    return next(f"{name} ({k})" for k in range(2, len(used) + 3) if f"{name} ({k})" not in used)


def opening_hours(text: str, timezone: ZoneInfo, on_s: int) -> time_pb2.TimeRange:
    """``10:00-11:30`` as a span of the local day in which `on_s` lies; an end before its start is of the next day."""
    opens, _, closes = text.partition("-")
    start_s, end_s = (parse_when(part.strip(), timezone, on_s) for part in (opens, closes))
    if end_s and end_s <= start_s:
        next_day = dt.datetime.fromtimestamp(end_s, timezone) + dt.timedelta(days=1)
        end_s = int(next_day.timestamp())
    return time_pb2.TimeRange(start_unix_s=start_s, end_unix_s=end_s)
