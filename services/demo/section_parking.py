"""Park-and-ride with live parking."""

from typing import TYPE_CHECKING

from traboule.common.v1 import geo_pb2
from traboule.journeys.v1 import itinerary_pb2 as pb
from traboule.journeys.v1 import journeys_service_pb2_grpc, plan_pb2
from traboule.parking.v1 import parking_service_pb2 as parking_pb2
from traboule.parking.v1 import parking_service_pb2_grpc

from services.demo.pictures.page import heading, paragraph, table
from services.demo.section_journey import describe, draw, find_place, listing

if TYPE_CHECKING:
    from services.demo.tour import Tour

ORIGIN = (41.2689, -8.5869)
ORIGIN_NAME = "a home in the hills east of Maia"
DESTINATION = "São Bento"


async def run(tour: "Tour") -> None:
    """Plan with park-and-ride allowed, and list the car parks it weighed."""
    async with tour.city.channel("journeys") as channel:
        stub = journeys_service_pb2_grpc.JourneysServiceStub(channel)
        goal = await find_place(stub, DESTINATION)
        origin = geo_pb2.Location(point=geo_pb2.LatLng(lat_deg=ORIGIN[0], lon_deg=ORIGIN[1]))
        question = plan_pb2.PlanJourneysRequest(
            origin=origin,
            destination=geo_pb2.Location(point=goal.location),
            depart_at_unix_s=int(tour.city.clock.now()) + 300,
            modes=[pb.MODE_WALK, pb.MODE_TRANSIT, pb.MODE_PARK_AND_RIDE, pb.MODE_CAR],
        )
        answer = await stub.PlanJourneys(question)
    async with tour.city.channel("ingest") as channel:
        parking = parking_service_pb2_grpc.ParkingServiceStub(channel)
        parks = (await parking.ListCarParks(parking_pb2.ListCarParksRequest(park_and_ride_only=True))).car_parks
    with_car_park = [i for i in answer.itineraries if any(leg.HasField("parking") for leg in i.legs)]
    live = [p for p in parks if p.state.HasField("free_spaces")]
    tour.expect(bool(with_car_park), "no park-and-ride journey was offered")
    tour.expect(bool(live), "no car park has live data")
    for itinerary in with_car_park[:1]:
        leg = next(leg for leg in itinerary.legs if leg.HasField("parking"))
        tour.say(
            f"  {describe(tour, itinerary)}; parks at {leg.parking.name}, {leg.parking.free_probability:.0%} sure of a space"
        )
    tour.say(f"  {len(live)} of {len(parks)} park-and-ride car parks report free spaces")
    rows = [(p.name, p.state.free_spaces, f"{p.capacity_spaces}{' (assumed)' if p.capacity_assumed else ''}",
             tour.clock(p.state.observed_unix_s)) for p in live[:12]]  # fmt: skip
    tour.page.add(
        "parking",
        "Park-and-ride with predicted spaces",
        paragraph(f"From {ORIGIN_NAME} to {DESTINATION}. Car parks are weighed by drive, search, walk and the predicted "
                  "probability of a free space at arrival; the way back to the car is checked."),
        draw(tour, with_car_park[:1] or list(answer.itineraries[:1])), listing(tour, list(answer.itineraries)),
        heading("Car parks now"), table(("car park", "free", "of", "seen"), rows),
    )  # fmt: skip
