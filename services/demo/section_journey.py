"""A journey by public transport before and after its vehicle is delayed."""

from typing import TYPE_CHECKING

from traboule.common.v1 import geo_pb2
from traboule.journeys.v1 import itinerary_pb2 as pb
from traboule.journeys.v1 import journeys_service_pb2_grpc, places_pb2, plan_pb2

from services.common.polyline import decode
from services.demo.pictures import svg
from services.demo.pictures.page import facts, heading, paragraph, table
from services.demo.pictures.street_map import StreetMap
from services.demo.running import wait_for

if TYPE_CHECKING:
    from services.demo.tour import Tour

ORIGIN, DESTINATION = "Casa da Música", "Campanhã"
DELAY_S = 900
VISIBLE_WITHIN_S = 2.0
MODE_COLOURS = {pb.MODE_WALK: "#5d6d7e", pb.MODE_CAR: "#862e9c", pb.MODE_BICYCLE: "#2b8a3e"}


async def run(tour: "Tour") -> None:
    """Plan, delay the first vehicle in the operator's feed, wait until answers change, plan again."""
    async with tour.city.channel("journeys") as channel:
        stub = journeys_service_pb2_grpc.JourneysServiceStub(channel)
        ends = [await find_place(stub, name) for name in (ORIGIN, DESTINATION)]
        now = int(tour.city.clock.now())
        question = plan_pb2.PlanJourneysRequest(
            origin=geo_pb2.Location(point=ends[0].location),
            destination=geo_pb2.Location(point=ends[1].location),
            depart_at_unix_s=now + 300,
            window_s=2400,
        )
        before = await stub.PlanJourneys(question)
        chosen = next(i for i in before.itineraries if any(leg.HasField("transit") for leg in i.legs))
        ride = next(leg for leg in chosen.legs if leg.HasField("transit"))
        feed, _, trip_id = ride.transit.trip_id.partition(":")
        tour.say(f"  {ORIGIN} → {DESTINATION}: {describe(tour, chosen)}")
        delay = {
            "feed": f"{feed}-trip-updates",
            "trip_id": trip_id,
            "start_date": ride.transit.service_date,
            "delay_s": DELAY_S,
        }
        await tour.city.inject("delay", delay)

        async def changed() -> "plan_pb2.PlanJourneysResponse | None":
            answer = await stub.PlanJourneys(question)
            same = {i.itinerary_id: i for i in answer.itineraries}.get(chosen.itinerary_id)
            late = same is not None and same.arrival_unix_s >= chosen.arrival_unix_s + DELAY_S - 120
            return answer if same is None or late else None

        after, seconds = await wait_for(changed)
    tour.expect(after is not None, "the delay did not change the answers within 10 s")
    tour.remark(seconds <= VISIBLE_WITHIN_S, f"the delay was visible after {seconds:.1f} s, more than {VISIBLE_WITHIN_S} s")
    if after is None:
        return
    best = after.itineraries[0]
    tour.say(
        f"  {feed} reports {DELAY_S // 60} min delay; answers follow after [bold]{seconds:.2f} s[/]: {describe(tour, best)}"
    )
    tour.page.add(
        "journey",
        "A journey, before and after a delay",
        paragraph(
            f"{ORIGIN} to {DESTINATION}. The vehicle of the first answer ({ride.transit.route.short_name} at "
            f"{tour.clock(ride.departure.scheduled_unix_s)}) is then reported {DELAY_S // 60} minutes late in the operator's "
            "GTFS-Realtime feed. The feed is polled, matched, published, laid over the timetable, and planned with."
        ),
        facts([
            (f"{seconds:.2f} s", "from published feed to changed answer"), (str(len(after.itineraries)), "journeys offered"),
        ]),
        draw(tour, [chosen]),
        heading("Before"), listing(tour, list(before.itineraries)),
        heading("After"), listing(tour, list(after.itineraries)),
    )  # fmt: skip


async def find_place(stub: journeys_service_pb2_grpc.JourneysServiceStub, name: str) -> places_pb2.Place:
    """Best match for a name."""
    request = places_pb2.SearchPlacesRequest(query=name, max_places=1)
    answer: places_pb2.SearchPlacesResponse = await stub.SearchPlaces(request)  # type: ignore[misc]
    return answer.places[0]


def describe(tour: "Tour", itinerary: pb.Itinerary) -> str:
    """One line for the terminal."""
    rides = [leg.transit.route.short_name for leg in itinerary.legs if leg.HasField("transit")]
    kinds = [pb.Mode.Name(leg.mode).removeprefix("MODE_").lower() for leg in itinerary.legs if not leg.HasField("transit")]
    way = " + ".join(rides) or ", ".join(dict.fromkeys(kinds))
    times = f"{tour.clock(itinerary.departure_unix_s)}–{tour.clock(itinerary.arrival_unix_s)}"
    return f"{times}, {way}, {itinerary.duration_s // 60} min, {itinerary.reliability.success_probability:.0%} sure"


def listing(tour: "Tour", itineraries: list[pb.Itinerary]) -> str:
    """Itineraries as a table."""
    rows = []
    for i in itineraries:
        parts = []
        for leg in i.legs:
            if leg.HasField("transit"):
                late = (
                    f" ({leg.transit.delay_s // 60:+d} min)" if leg.transit.HasField("delay_s") and leg.transit.delay_s else ""
                )
                parts.append(f"{leg.transit.route.short_name} to {leg.to.name}{late}")
            elif leg.HasField("parking"):
                parts.append(f"drive to {leg.parking.name} ({leg.parking.free_probability:.0%})")
            else:
                parts.append(f"{pb.Mode.Name(leg.mode).removeprefix('MODE_').lower()} {max(1, leg.duration_s // 60)} min")
        sure = f"{i.reliability.success_probability:.0%}"
        rows.append((tour.clock(i.departure_unix_s), tour.clock(i.arrival_unix_s), " → ".join(parts), i.co2_g, sure))
    return table(("leave", "arrive", "how", "g CO2", "sure"), rows)


def draw(tour: "Tour", itineraries: list[pb.Itinerary]) -> str:
    """Itineraries on a map."""
    picture = StreetMap(tour.city.snapshot.street, height=420)
    for k, itinerary in enumerate(itineraries):
        for leg in itinerary.legs:
            points = decode(leg.polyline.encoded)
            if len(points) < 2:
                continue
            ride = leg.transit
            colour = f"#{ride.route.color}" if ride.route.color else svg.PALETTE[k]
            if not leg.HasField("transit"):
                colour = MODE_COLOURS.get(leg.mode, "#5d6d7e")
            tip = f"{ride.route.short_name} to {ride.headsign}" if leg.HasField("transit") else leg.to.name
            picture.add_line(points, colour, dashed=leg.mode == pb.MODE_WALK, tip=tip)
            if leg.HasField("parking"):
                picture.add_marker(points[-1], "#862e9c", label=leg.parking.name)
        first, last = getattr(itinerary.legs[0], "from").location, itinerary.legs[-1].to.location
        picture.add_marker((first.lat_deg, first.lon_deg), "#17202a", label="start", radius=6)
        picture.add_marker((last.lat_deg, last.lon_deg), "#17202a", label="goal", radius=6)
    return picture.draw()
