"""``traboule feeds status|push`` and ``traboule parking``."""

from pathlib import Path

import click
from google.protobuf.json_format import MessageToDict
from rich.text import Text
from traboule.feeds.v1 import feed_pb2, feeds_service_pb2, feeds_service_pb2_grpc
from traboule.parking.v1 import parking_service_pb2 as parking_pb2
from traboule.parking.v1 import parking_service_pb2_grpc

from services.cli.context import CommandContext, plain_errors
from services.cli.output import clock, duration, print_json, print_table, say

MOST_SHOWN = 30
UNCOUNTED = "†"
STATE_COLOURS = {"OK": "green", "DEGRADED": "yellow", "STALE": "red", "FAILING": "red", "WAITING": "dim", "PAUSED": "dim"}


@click.group()
def feeds() -> None:
    """Health of the data feeds; push files."""


@feeds.command()
@click.option("--json", "as_json", is_flag=True, help="Print the answer of the service as JSON.")
@click.pass_obj
@plain_errors
def status(context: CommandContext, as_json: bool) -> None:
    """Show how fresh and how good every feed is."""
    stub = feeds_service_pb2_grpc.FeedsServiceStub
    answer = context.client.call("ingest", stub, "GetFeedHealth", feeds_service_pb2.GetFeedHealthRequest())
    if as_json:
        print_json(answer)
        return
    rows = []
    for row in answer.feeds:
        state = feed_pb2.FeedState.Name(row.state).removeprefix("FEED_STATE_")
        age = duration(row.age_s) if row.HasField("age_s") else "–"
        matched = f"{row.match_ratio:.0%}" if row.HasField("match_ratio") else "–"
        codes = ", ".join(f"{code}×{count}" for code, count in sorted(row.rejected_by_code.items()))
        colour = STATE_COLOURS.get(state, "white")
        rows.append((row.feed_id, Text(state.lower(), style=colour), age, row.entity_count, matched, codes or row.explanation))
    print_table(("feed", "state", "age", "entities", "matched", "remarks"), rows, right=(3, 4))


@feeds.command()
@click.argument("feed_id")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the answer of the service as JSON.")
@click.pass_obj
@plain_errors
def push(context: CommandContext, feed_id: str, file: Path, as_json: bool) -> None:
    """Push FILE as the newest content of the feed FEED_ID."""
    stub = feeds_service_pb2_grpc.FeedsServiceStub
    content = file.read_bytes()
    if not content:
        raise click.ClickException(f"{file} is empty; what was known before stays in force")
    request = feeds_service_pb2.PushFeedFileRequest(feed_id=feed_id, content=content)
    answer = context.client.call("ingest", stub, "PushFeedFile", request)
    if as_json:
        print_json(answer)
        return
    delivery = answer.delivery
    verdict = feed_pb2.Verdict.Name(delivery.verdict).removeprefix("VERDICT_").lower()
    print_table(("verdict", "accepted", "rejected", "changed"),
                [(verdict, delivery.accepted_count, delivery.rejected_count, delivery.changed_count)])  # fmt: skip
    print_table(("code", "where", "what"), [(f.code, f.where, f.message) for f in delivery.findings])
    if delivery.verdict == feed_pb2.VERDICT_REJECT:
        raise click.ClickException(f"{file} was rejected; what was known before stays in force")


@click.command()
@click.option("--near", help="A place: the nearest car parks first.")
@click.option("--park-and-ride", is_flag=True, help="Only park-and-ride.")
@click.option(
    "--in",
    "minutes",
    type=click.IntRange(0, 7 * 24 * 60),
    multiple=True,
    help="Predict for so many minutes from now (several times).",
)
@click.option("--json", "as_json", is_flag=True, help="Print the answer of the service as JSON.")
@click.pass_obj
@plain_errors
def parking(context: CommandContext, near: str | None, park_and_ride: bool, minutes: tuple[int, ...], as_json: bool) -> None:
    """Show car parks: free now, and how likely a space is free later.

    \b
      traboule parking --near Trindade --in 30 --in 60
    """
    stub = parking_service_pb2_grpc.ParkingServiceStub
    request = parking_pb2.ListCarParksRequest(park_and_ride_only=park_and_ride)
    if near:
        point = context.resolve(near, quiet=as_json)[0]
        if not point.HasField("point"):
            raise click.BadParameter("--near wants a name or lat,lon")
        request.near.CopyFrom(point.point)
    answer = context.client.call("ingest", stub, "ListCarParks", request)
    parks = list(answer.car_parks)[:MOST_SHOWN]
    ahead = sorted(minutes)
    forecast: dict[str, list[str]] = {}
    document = MessageToDict(answer, preserving_proto_field_name=True)
    if ahead and parks:
        now = context.now()
        asked = parking_pb2.PredictAvailabilityRequest(
            car_park_ids=[p.car_park_id for p in parks], at_unix_s=[now + 60 * m for m in ahead]
        )
        predicted = context.client.call("ingest", stub, "PredictAvailability", asked)
        document["forecasts"] = MessageToDict(predicted, preserving_proto_field_name=True).get("car_parks", [])
        for row in predicted.car_parks:
            forecast[row.car_park_id] = [predicted_in_words(f) for f in row.forecasts]
    if as_json:
        print_json(document)
        return
    rows = []
    for park in parks:
        known = park.state.HasField("free_spaces")
        free = str(park.state.free_spaces) if known else "–"
        seen = clock(park.state.observed_unix_s, context.timezone) if known else ""
        size = f"{park.capacity_spaces}{'*' if park.capacity_assumed else ''}"
        rows.append((park.name, "P+R" if park.park_and_ride else "", free, size, seen, *forecast.get(park.car_park_id, [])))
    print_table(("car park", "", "free", "of", "seen", *(f"in {m} min" for m in ahead)), rows, right=(2, 3))
    say("* = capacity assumed (see city.toml)")
    if any(cell.endswith(UNCOUNTED) for cells in forecast.values() for cell in cells):
        say(f"{UNCOUNTED} = nobody counts there now: the least chance that the usual share of free spaces bears out")
    if len(answer.car_parks) > len(parks):
        nearest = "" if near else "--near PLACE shows the nearest, "
        say(f"{len(parks)} of {len(answer.car_parks)} car parks are shown: {nearest}--json all.")


def predicted_in_words(one: parking_pb2.AvailabilityForecast) -> str:
    """Spaces and the chance of one, marked where nobody counts."""
    counted = one.basis != parking_pb2.AvailabilityForecast.BASIS_ASSUMED
    return f"{one.q50_free_spaces:.0f} ({one.free_probability:.0%}){'' if counted else UNCOUNTED}"
