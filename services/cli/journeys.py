"""``traboule journey``, ``places``, ``departures``."""

import click
from traboule.common.v1 import geo_pb2, vehicle_pb2
from traboule.journeys.v1 import departures_pb2, journeys_service_pb2_grpc, places_pb2, plan_pb2
from traboule.journeys.v1 import itinerary_pb2 as pb

from services.cli.context import CommandContext, parse_point, plain_errors
from services.cli.output import clock, console, distance, duration, parse_when, plain, print_json, print_table, say

MODES = {
    "walk": pb.MODE_WALK, "transit": pb.MODE_TRANSIT, "car": pb.MODE_CAR, "bicycle": pb.MODE_BICYCLE,
    "park-and-ride": pb.MODE_PARK_AND_RIDE,
}  # fmt: skip
WORDS = {
    pb.CRITERION_TIME: "fastest", pb.CRITERION_TRANSFERS: "fewest changes", pb.CRITERION_WALK: "least walking",
    pb.CRITERION_CO2: "least CO2", pb.CRITERION_RELIABILITY: "surest", pb.CRITERION_FARE: "cheapest",
}  # fmt: skip
DRIVES = (pb.MODE_CAR, pb.MODE_VAN, pb.MODE_TRUCK)
Stub = journeys_service_pb2_grpc.JourneysServiceStub
EMISSION_CLASSES = {
    "electric": vehicle_pb2.EMISSION_CLASS_ELECTRIC, "class-1": vehicle_pb2.EMISSION_CLASS_1,
    "class-2": vehicle_pb2.EMISSION_CLASS_2, "class-3": vehicle_pb2.EMISSION_CLASS_3,
    "class-4": vehicle_pb2.EMISSION_CLASS_4, "class-5": vehicle_pb2.EMISSION_CLASS_5,
    "unclassified": vehicle_pb2.EMISSION_CLASS_UNCLASSIFIED,
}  # fmt: skip
emission_option = click.option(
    "--emission-class",
    type=click.Choice(list(EMISSION_CLASSES)),
    help="How clean the car, van or truck is (Crit'Air): it keeps out of the zones closed to it.",
)


def set_emission_class(preferences: pb.TravelPreferences, word: object) -> None:
    """Note the class that the option of the command names, if any."""
    if word:
        preferences.emission_class = EMISSION_CLASSES[str(word)]


@click.command()
@click.argument("origin")
@click.argument("destination")
@click.option("--depart", help="Depart at or after: 08:30, '2026-07-28 08:30' or +20min (default: now in the city).")
@click.option("--arrive", help="Arrive at or before, in the same forms.")
@click.option("--mode", "modes", multiple=True, type=click.Choice(list(MODES)), help="May be given several times.")
@click.option("--wheelchair", is_flag=True, help="Step-free only.")
@click.option("--max-walk", type=float, help="Longest walk in metres.")
@emission_option
@click.option("--schedule-only", is_flag=True, help="Ignore real time and traffic.")
@click.option("--steps", is_flag=True, help="Show streets and stops on the way.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer of the service as JSON.")
@click.pass_obj
@plain_errors
def journey(context: CommandContext, /, origin: str, destination: str, **options: object) -> None:
    """Plan journeys from ORIGIN to DESTINATION.

    Places are names, lat,lon or ids:

    \b
      traboule journey Trindade "Rua de Santa Catarina 100"
      traboule journey 41.2357,-8.6199 Ribeira --depart 08:30 --mode park-and-ride --mode transit
      traboule journey "Casa da Música" Campanhã --arrive 09:00 --wheelchair
    """
    as_json, steps = bool(options["as_json"]), bool(options["steps"])
    request = plan_pb2.PlanJourneysRequest(
        modes=[MODES[str(name)] for name in options["modes"]],  # type: ignore[attr-defined]
        ignore_realtime=bool(options["schedule_only"]),
    )
    request.origin.CopyFrom(context.resolve(origin, quiet=as_json)[0])
    request.destination.CopyFrom(context.resolve(destination, quiet=as_json)[0])
    request.preferences.wheelchair = bool(options["wheelchair"])
    if options["max_walk"] is not None:
        request.preferences.max_walk_m = float(str(options["max_walk"]))
    set_emission_class(request.preferences, options["emission_class"])
    depart, arrive = options["depart"], options["arrive"]
    if depart and arrive:
        raise click.UsageError("give --depart or --arrive, not both")
    if depart:
        request.depart_at_unix_s = parse_when(str(depart), context.timezone, context.now())
        request.window_s = 3600
    if arrive:
        request.arrive_by_unix_s = parse_when(str(arrive), context.timezone, context.now())
    answer = context.client.call("journeys", Stub, "PlanJourneys", request)
    if as_json:
        print_json(answer)
        return
    for notice in answer.notices:
        say(f"[yellow]{plain(notice)}[/]")
    for itinerary in answer.itineraries:
        show_itinerary(context, itinerary, steps=steps)


def show_itinerary(context: CommandContext, itinerary: pb.Itinerary, *, steps: bool = False) -> None:
    """Print one itinerary, a line per leg."""
    zone = context.timezone
    best = ", ".join(WORDS[criterion] for criterion in itinerary.best_at if criterion in WORDS)
    changes = f"{itinerary.transfer_count} change{'s' * (itinerary.transfer_count != 1)}" if any(
        leg.HasField("transit") for leg in itinerary.legs
    ) else ""  # fmt: skip
    facts = [
        duration(itinerary.duration_s), changes, f"walk {distance(itinerary.walk_distance_m)}",
        f"{itinerary.co2_g:.0f} g CO2", f"{itinerary.reliability.success_probability:.0%} sure",
    ]  # fmt: skip
    head = f"{clock(itinerary.departure_unix_s, zone)} → {clock(itinerary.arrival_unix_s, zone)}"
    say(f"[bold]{head}[/]  {'  ·  '.join(fact for fact in facts if fact)}" + (f"  [green]{best}[/]" if best else ""))
    show_notices(itinerary)
    for leg in itinerary.legs:
        show_leg(context, leg, steps=steps)
    console.print()


def show_notices(itinerary: pb.Itinerary) -> None:
    """Print the remarks on an itinerary."""
    for notice in itinerary.notices:
        say(f"  [yellow]{plain(notice)}[/]")


def show_leg(context: CommandContext, leg: pb.Leg, *, steps: bool) -> None:
    """Print one leg."""
    zone = context.timezone
    start = leg.departure.realtime_unix_s if leg.departure.HasField("realtime_unix_s") else leg.departure.scheduled_unix_s
    times = f"  {clock(start, zone)}"
    if leg.HasField("transit"):
        ride, first, last = leg.transit, leg.transit.calls[0], leg.transit.calls[-1]
        late = f" [red]{ride.delay_s // 60:+d} min[/]" if ride.HasField("delay_s") and abs(ride.delay_s) >= 60 else ""
        live = " [green]live[/]" if leg.realtime else ""
        line, way = ride.route.short_name or ride.route.long_name, f"{ride.headsign}: {first.stop.name} → {last.stop.name}"
        say(
            f"{times}  [bold]{plain(line)}[/] {plain(way)}, {len(ride.calls) - 1} stops, {duration(leg.duration_s)}{late}{live}"
        )
        if steps:
            for call in ride.calls[1:-1]:
                say(f"           [dim]{clock(call.departure.scheduled_unix_s, zone)} {plain(call.stop.name)}[/]")
        for alert in leg.alerts:
            say(f"         [yellow]⚠ {plain(alert.header)}[/]")
        return
    word = {pb.MODE_WALK: "walk", pb.MODE_BICYCLE: "cycle", **dict.fromkeys(DRIVES, "drive")}.get(leg.mode, "go")
    more = ""
    if leg.HasField("parking"):
        more = f", park ({leg.parking.free_probability:.0%} sure of a space)"
    elif leg.HasField("free_flow_duration_s") and leg.duration_s - leg.free_flow_duration_s >= 60:
        more = f" (of which {duration(leg.duration_s - leg.free_flow_duration_s)} traffic)"
    if leg.HasField("ascent_m") and leg.mode not in DRIVES:
        more += f", {leg.ascent_m:.0f} m up and {leg.descent_m:.0f} m down"
    to = plain(leg.to.name or "the destination")
    say(f"{times}  {word} {distance(leg.distance_m)} to {to}, {duration(leg.duration_s)}{more}")
    if steps:
        for step in leg.steps:
            say(f"           [dim]{plain(step.street_name or 'unnamed way')}  {distance(step.distance_m)}[/]")


@click.command()
@click.argument("query", nargs=-1, required=True)
@click.option("--near", help="lat,lon: nearer places first.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer of the service as JSON.")
@click.pass_obj
@plain_errors
def places(context: CommandContext, query: tuple[str, ...], near: str | None, as_json: bool) -> None:
    """Find stops, streets, addresses and points of interest called QUERY.

    Accents, case and one wrong letter do not matter: `traboule places bolhao`.
    """
    request = places_pb2.SearchPlacesRequest(query=" ".join(query))
    if near:
        point = parse_point(near)
        if point is None:
            raise click.BadParameter("--near wants lat,lon, such as 41.15,-8.61")
        request.near.CopyFrom(geo_pb2.LatLng(lat_deg=point.lat_deg, lon_deg=point.lon_deg))
    answer = context.client.call("journeys", Stub, "SearchPlaces", request)
    if as_json:
        print_json(answer)
        return
    rows = [
        (
            p.name + " (approximate)" * p.approximate,
            _kind(p.kind),
            p.locality,
            f"{p.location.lat_deg:.5f},{p.location.lon_deg:.5f}",
            p.place_id,
        )
        for p in answer.places
    ]
    print_table(("name", "kind", "where", "position", "place id"), rows) if rows else say("Nothing is called that.")


def _kind(code: "places_pb2.PlaceKind.ValueType") -> str:
    return places_pb2.PlaceKind.Name(code).removeprefix("PLACE_KIND_").lower().replace("_", " ")


@click.command()
@click.argument("stop")
@click.option("--json", "as_json", is_flag=True, help="Print the answer of the service as JSON.")
@click.pass_obj
@plain_errors
def departures(context: CommandContext, stop: str, as_json: bool) -> None:
    """Show the next departures at STOP (a stop id such as metro:5726, or a name)."""
    stop_id = stop
    if ":" not in stop:
        request = places_pb2.SearchPlacesRequest(query=stop, kinds=[places_pb2.PLACE_KIND_STOP], max_places=1)
        found = context.client.call("journeys", Stub, "SearchPlaces", request)
        if not found.places:
            raise click.ClickException(f"no stop called {stop!r} was found")
        stop_id = found.places[0].stop_id
    answer = context.client.call("journeys", Stub, "ListDepartures", departures_pb2.ListDeparturesRequest(stop_id=stop_id))
    if as_json:
        print_json(answer)
        return
    zone = context.timezone
    rows = []
    for row in answer.departures:
        expected = clock(row.departure.realtime_unix_s, zone) if row.departure.HasField("realtime_unix_s") else ""
        state = "cancelled" if row.cancelled else expected
        rows.append((clock(row.departure.scheduled_unix_s, zone), state, row.route.short_name, row.headsign))
    for alert in answer.alerts:
        say(f"[yellow]⚠ {plain(alert.header)}[/]")
    if not rows:
        say(f"No departures from {plain(answer.stop.name)} within two hours.")
        return
    print_table(("planned", "expected", "line", "to"), rows, title=f"{answer.stop.name} ({answer.stop.stop_id})")
