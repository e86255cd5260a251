"""``traboule street route|matrix|show|match``."""

import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from traboule.common.v1 import geo_pb2
from traboule.journeys.v1 import itinerary_pb2 as pb
from traboule.journeys.v1 import journeys_service_pb2_grpc, matrix_pb2, route_pb2
from traboule.traffic.v1 import traffic_service_pb2, traffic_service_pb2_grpc

from services.city.snapshot import open_snapshot
from services.cli.context import CommandContext, plain_errors
from services.cli.journeys import emission_option, set_emission_class, show_leg, show_notices
from services.cli.output import clock, console, distance, duration, parse_when, plain, print_json, print_table, say
from services.cli.street_files import read_places, write_matrix
from services.cli.street_match import match
from services.cli.street_pictures import StreetPicture

MODES = {
    "car": pb.MODE_CAR, "van": pb.MODE_VAN, "truck": pb.MODE_TRUCK, "bicycle": pb.MODE_BICYCLE, "walk": pb.MODE_WALK,
}  # fmt: skip
BASES = {
    pb.TRAFFIC_BASIS_FREE_FLOW: "on free-flowing streets",
    pb.TRAFFIC_BASIS_DEPARTURE: "by the traffic expected at the departure, all the way",
    pb.TRAFFIC_BASIS_PREDICTED: "by the traffic predicted along the way",
}
Stub = journeys_service_pb2_grpc.JourneysServiceStub
MOST_SHOWN = 12
LINKS_A_PAGE = 10_000

mode_option = click.option(
    "--mode", type=click.Choice(list(MODES)), default="car", show_default=True, help="What one travels with."
)
depart_option = click.option("--depart", help="Depart at 08:30, '2026-07-28 08:30' or +20min (default: now in the city).")
arrive_option = click.option(
    "--arrive", "--arrive-by", "arrive", help="Arrive at or before, in the same forms: tells when to leave."
)
free_option = click.option("--no-traffic", is_flag=True, help="Ignore live and predicted traffic.")
kerb_option = click.option("--kerb", is_flag=True, help="Leave and arrive on the places' own side of the street.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print the answer of the service as JSON.")


@click.group()
def street() -> None:
    """Ways, travel times and pictures on the streets of the running city.

    \b
      traboule street route Trindade Campanhã --steps
      traboule street matrix depots.csv --to customers.csv --out times.csv
      traboule street show Trindade Campanhã --alternatives 2 --reach 5 --reach 10 --speeds --open
      traboule street match traces.gpx --out ways.geojson --picture ways.html
    """


street.add_command(match)


@street.command()
@click.argument("origin")
@click.argument("destination")
@click.option("--via", multiple=True, help="Pass this place on the way; may be given several times, in order.")
@mode_option
@emission_option
@depart_option
@arrive_option
@free_option
@click.option("--alternatives", type=click.IntRange(0, 3), default=0, help="Show up to so many other ways.")
@kerb_option
@click.option("--steps", is_flag=True, help="Show the streets on the way.")
@json_option
@click.pass_obj
@plain_errors
def route(context: CommandContext, /, origin: str, destination: str, **options: Any) -> None:
    """Find the quickest way on streets from ORIGIN to DESTINATION (names, lat,lon or ids).

    \b
      traboule street route Trindade 41.1827,-8.6878 --mode bicycle --via "Casa da Música"
      traboule street route Maia Matosinhos --arrive 09:00
    """
    answer = context.client.call("journeys", Stub, "PlanRoute", _route_request(context, origin, destination, options))
    if options["as_json"]:
        print_json(answer)
        return
    zone = context.timezone
    for number, found in enumerate(answer.routes):
        head = f"{clock(found.departure_unix_s, zone)} → {clock(found.arrival_unix_s, zone)}"
        length_m = sum(leg.distance_m for leg in found.legs)
        other = f"  [dim]other way {number}[/]" if number else ""
        say(f"[bold]{head}[/]  {duration(found.duration_s)}  ·  {distance(length_m)}  ·  {found.co2_g:.0f} g CO2{other}")
        if found.legs and (basis := BASES.get(found.legs[0].traffic_basis)):
            say(f"         [dim]{basis}[/]")
        show_notices(found)
        for leg in found.legs:
            show_leg(context, leg, steps=options["steps"])


@street.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--to",
    "to_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Destinations (default: those of FILE).",
)
@mode_option
@emission_option
@depart_option
@free_option
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write origin, destination, seconds as CSV here.")
@json_option
@click.pass_obj
@plain_errors
def matrix(context: CommandContext, /, file: Path, **options: Any) -> None:
    """Travel times from every place of FILE to every place of FILE, or of another one.

    FILE is a CSV file with a head line: columns lat and lon (degrees) and, if they have names, name. Pairs without a way are
    empty in CSV, null in JSON and a dash in the table.

    \b
      name,lat,lon
      depot,41.1621,-8.5987
      shop,41.1496,-8.6110
    """
    origins = read_places(file)
    destinations = read_places(options["to_file"]) if options["to_file"] else origins
    request = matrix_pb2.StreamMatrixRequest(
        origins=[place.location for place in origins],
        destinations=[place.location for place in destinations],
        mode=MODES[options["mode"]],
        depart_at_unix_s=parse_when(options["depart"], context.timezone, context.now()) if options["depart"] else 0,
        ignore_realtime=options["no_traffic"],
    )
    set_emission_class(request.preferences, options["emission_class"])
    times_s = _receive(context, request)
    names = [[place.name for place in places] for places in (origins, destinations)]
    if options["out"]:
        write_matrix(options["out"], names[0], names[1], times_s)
    if options["as_json"]:
        print_json({"origins": names[0], "destinations": names[1], "durations_s": times_s})
        return
    unreachable = sum(seconds is None for row in times_s for seconds in row)
    if max(len(origins), len(destinations)) <= MOST_SHOWN:
        rows = [[name, *map(_cell, row)] for name, row in zip(names[0], times_s, strict=True)]
        print_table(("from \\ to", *names[1]), rows, right=range(1, len(destinations) + 1))
    else:
        hint = "" if options["out"] else " (too many to show: write them with --out FILE or --json)"
        say(f"{len(origins)} × {len(destinations)} travel times{hint}")
    if unreachable:
        say(f"[yellow]{unreachable} pairs have no way between them[/]")
    if options["out"]:
        say(f"written to {plain(options['out'])}")


def _cell(seconds: int | None) -> str:
    return "–" if seconds is None else duration(seconds)


def _receive(context: CommandContext, request: matrix_pb2.StreamMatrixRequest) -> list[list[int | None]]:
    """Rows of a streamed matrix, None = no way; a bar on the error output after two seconds."""
    rows: list[list[int | None]] = []
    columns = (TextColumn("rows"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=type(console)(stderr=True), transient=True, disable=not sys.stderr.isatty())
    task, width = bar.add_task("rows", total=len(request.origins)), len(request.destinations)

    def each(message: matrix_pb2.StreamMatrixResponse) -> bool:
        seconds = [None if value < 0 else value for value in message.durations_s]
        for notice in message.notices:
            click.echo(notice, err=True)
        rows.extend(seconds[begin : begin + width] for begin in range(0, len(seconds), width))
        bar.update(task, completed=len(rows))
        if bar.tasks[0].elapsed is not None and bar.tasks[0].elapsed > 2.0:
            bar.start()
        return True

    try:
        context.client.stream("journeys", Stub, "StreamMatrix", request, each)
    finally:
        bar.stop()
    return rows


@street.command()
@click.argument("origin", required=False)
@click.argument("destination", required=False)
@click.option("--via", multiple=True, help="Pass this place on the way; may be given several times, in order.")
@mode_option
@emission_option
@depart_option
@arrive_option
@free_option
@kerb_option
@click.option("--alternatives", type=click.IntRange(0, 3), default=0, help="Draw up to so many other ways too.")
@click.option(
    "--reach", type=click.IntRange(1, 240), multiple=True, metavar="MINUTES", help="Draw what is reached from ORIGIN (several)."
)
@click.option("--speeds", is_flag=True, help="Draw the live speeds of all measured streets.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="The page (default: street.html among the run files)."
)
@click.option("--open", "open_it", is_flag=True, help="Open the page in the browser.")
@json_option
@click.pass_obj
@plain_errors
def show(context: CommandContext, /, origin: str | None, destination: str | None, **options: Any) -> None:
    """Draw a way, other ways, what is reached or live speeds on a map: one HTML page that needs no internet.

    \b
      traboule street show Trindade Campanhã --alternatives 2
      traboule street show Trindade --reach 5 --reach 10 --reach 15 --mode bicycle
      traboule street show --speeds --open
    """
    if not (destination or options["speeds"] or (origin and options["reach"])):
        raise click.UsageError("nothing to draw: give ORIGIN and DESTINATION, ORIGIN and --reach MINUTES, or --speeds")
    if options["arrive"] and (options["reach"] or not destination):
        raise click.UsageError("--arrive needs ORIGIN and DESTINATION, and is not known for --reach")
    if options["alternatives"] and not destination:
        raise click.UsageError("--alternatives needs ORIGIN and DESTINATION")
    snapshot = open_snapshot(context.config.home, context.config.city)
    picture = StreetPicture(snapshot.street, snapshot.city.title, context.timezone)
    picture.add_zones(snapshot.zones)
    if options["speeds"]:
        picture.add_speeds(_live_links(context))
    if origin and options["reach"]:
        request = _reach_request(context, origin, options)
        answer = context.client.call("journeys", Stub, "GetIsochrone", request)
        point = request.origin.point if request.origin.HasField("point") and not destination else None
        picture.add_reach(answer, origin, options["mode"], (point.lat_deg, point.lon_deg) if point else None)
    if origin and destination:
        answer = context.client.call("journeys", Stub, "PlanRoute", _route_request(context, origin, destination, options))
        picture.add_routes(answer, [origin, *options["via"], destination], options["mode"])
    target: Path = options["out"] or context.config.run_dir / "street.html"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(picture.html(), encoding="utf-8")
    if options["as_json"]:
        print_json({"file": str(target), **picture.drawn})
    else:
        say(f"map: {plain(target)}")
    if options["open_it"]:
        webbrowser.open(target.resolve().as_uri())


def _route_request(
    context: CommandContext, origin: str, destination: str, options: dict[str, Any]
) -> route_pb2.PlanRouteRequest:
    if options["depart"] and options["arrive"]:
        raise click.UsageError("give --depart or --arrive, not both")
    places = [context.resolve(text, quiet=options["as_json"])[0] for text in (origin, *options["via"], destination)]
    request = route_pb2.PlanRouteRequest(
        origin=places[0],
        destination=places[-1],
        via=places[1:-1],
        mode=MODES[options["mode"]],
        depart_at_unix_s=parse_when(options["depart"], context.timezone, context.now()) if options["depart"] else 0,
        arrive_by_unix_s=parse_when(options["arrive"], context.timezone, context.now()) if options["arrive"] else 0,
        ignore_realtime=options["no_traffic"],
        max_alternatives=options["alternatives"],
        kerb_approach=options["kerb"],
        kerb_departure=options["kerb"],
    )
    set_emission_class(request.preferences, options["emission_class"])
    return request


def _reach_request(context: CommandContext, origin: str, options: dict[str, Any]) -> matrix_pb2.GetIsochroneRequest:
    mode = options["mode"]
    if mode not in ("car", "bicycle", "walk"):
        raise click.UsageError(f"--reach is known for car, bicycle and walk, not for {mode}")
    if options["no_traffic"]:
        raise click.UsageError("--reach is always with traffic; leave --no-traffic out")
    location: geo_pb2.Location = context.resolve(origin, quiet=options["as_json"])[0]
    request = matrix_pb2.GetIsochroneRequest(
        origin=location,
        modes=[MODES[mode]],
        limits_s=[60 * minutes for minutes in sorted(set(options["reach"]))],
        depart_at_unix_s=parse_when(options["depart"], context.timezone, context.now()) if options["depart"] else 0,
    )
    set_emission_class(request.preferences, options["emission_class"])
    return request


def _live_links(context: CommandContext) -> Sequence[traffic_service_pb2.LinkState]:
    """All links whose speed is measured or that are closed, with their geometry."""
    stub, links, token = traffic_service_pb2_grpc.TrafficServiceStub, [], ""
    while True:
        request = traffic_service_pb2.GetLinkStatesRequest(with_polylines=True, page_size=LINKS_A_PAGE, page_token=token)
        page = context.client.call("ingest", stub, "GetLinkStates", request)
        links.extend(page.links)
        token = page.next_page_token
        if not token:
            return links
