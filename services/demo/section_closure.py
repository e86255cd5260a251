"""A drive before and after a street on it is closed."""

from typing import TYPE_CHECKING

from traboule.common.v1 import geo_pb2
from traboule.journeys.v1 import itinerary_pb2 as pb
from traboule.journeys.v1 import journeys_service_pb2_grpc, route_pb2

from services.common.polyline import decode
from services.demo.pictures.page import facts, paragraph
from services.demo.pictures.street_map import StreetMap
from services.demo.running import wait_for
from services.demo.section_journey import VISIBLE_WITHIN_S, find_place

if TYPE_CHECKING:
    from services.demo.tour import Tour

ORIGIN, DESTINATION = "Casa da Música", "Campo 24 de Agosto"


async def run(tour: "Tour") -> None:
    """Route, close a stretch in the middle of it by a DATEX II situation, wait for another way."""
    async with tour.city.channel("journeys") as channel:
        stub = journeys_service_pb2_grpc.JourneysServiceStub(channel)
        ends = [await find_place(stub, name) for name in (ORIGIN, DESTINATION)]
        question = route_pb2.PlanRouteRequest(
            origin=geo_pb2.Location(point=ends[0].location),
            destination=geo_pb2.Location(point=ends[1].location),
            mode=pb.MODE_CAR,
        )
        before = (await stub.PlanRoute(question)).routes[0]
        line = decode(before.legs[0].polyline.encoded)
        street, stretch = middle_street(before.legs[0], line)
        free_s = before.legs[0].free_flow_duration_s
        tour.say(f"  by car {before.duration_s // 60} min {before.duration_s % 60} s ({free_s // 60} min without traffic); "
                 f"closing {street}")  # fmt: skip
        await tour.city.inject("closure", {"path": [list(p) for p in stretch], "name": street, "duration_s": 7200})

        async def changed() -> "pb.Itinerary | None":
            route = (await stub.PlanRoute(question)).routes[0]
            return route if route.legs[0].polyline.encoded != before.legs[0].polyline.encoded else None

        after, seconds = await wait_for(changed)
    tour.expect(after is not None, "the closed street did not change the route within 10 s")
    if after is None:
        return
    tour.remark(seconds <= VISIBLE_WITHIN_S, f"the closure was visible after {seconds:.1f} s, more than {VISIBLE_WITHIN_S} s")
    tour.say(f"  another way after [bold]{seconds:.2f} s[/]: {after.duration_s // 60} min {after.duration_s % 60} s")
    picture = StreetMap(tour.city.snapshot.street, height=420)
    picture.add_line(line, "#adb5bd", width=6, tip="before")
    picture.add_line(decode(after.legs[0].polyline.encoded), "#0b6e99", tip="after")
    picture.add_line(stretch, "#c92a2a", width=7, tip=f"{street} is closed")
    picture.add_marker(line[0], "#17202a", label=ORIGIN)
    picture.add_marker(line[-1], "#17202a", label=DESTINATION)
    tour.page.add(
        "closure",
        "A street is closed",
        paragraph(f"{street} is blocked by a DATEX II situation. Grey: the way before; blue: the way after."),
        facts([
            (f"{before.duration_s / 60:.1f} min", "before"), (f"{after.duration_s / 60:.1f} min", "after"),
            (f"{free_s / 60:.1f} min", "without any traffic"), (f"{seconds:.2f} s", "until answers changed"),
        ]),
        picture.draw(),
    )  # fmt: skip


def middle_street(leg: pb.Leg, line: list[tuple[float, float]]) -> tuple[str, list[tuple[float, float]]]:
    """Name of the street half-way, and three points or more of the line there."""
    middle = len(line) // 2
    stretch = line[max(0, middle - 2) : middle + 3]
    travelled, name = 0.0, ""
    for step in leg.steps:
        travelled += step.distance_m
        name = step.street_name or name
        if travelled >= leg.distance_m / 2:
            break
    return name or "an unnamed street", stretch
