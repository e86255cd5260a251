"""PlanJourneys over a real server: journeys of Porto hold what they promise."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from traboule.journeys.v1 import itinerary_pb2 as pb
from traboule.journeys.v1 import plan_pb2

from services.common.polyline import decode
from services.journeys.keeper import ViewKeeper
from tests.builders.door_to_door import metres
from tests.builders.journeys import CAMPANHA, MAIA_HILLS, MATOSINHOS, TRINDADE, at, ends_s, plan_request, point, starts_s, stop

EVERY = [pb.MODE_WALK, pb.MODE_TRANSIT, pb.MODE_BICYCLE, pb.MODE_CAR, pb.MODE_PARK_AND_RIDE]


def flaws(itinerary: pb.Itinerary) -> list[str]:
    """What does not add up in an itinerary."""
    found = []
    legs = list(itinerary.legs)
    for k, leg in enumerate(legs):
        if leg.duration_s != ends_s(leg) - starts_s(leg):
            found.append(f"leg {k}: duration is not arrival minus departure")
        if k and ends_s(legs[k - 1]) > starts_s(leg):
            found.append(f"leg {k} leaves before leg {k - 1} arrives")
        start, end = getattr(leg, "from").location, leg.to.location
        if k and (legs[k - 1].to.location.lat_deg, legs[k - 1].to.location.lon_deg) != (start.lat_deg, start.lon_deg):
            found.append(f"leg {k} starts elsewhere than leg {k - 1} ends")
        line = decode(leg.polyline.encoded)
        limit_m = 1 if leg.HasField("transit") else 510
        for point_, place in ((line[0], start), (line[-1], end)):
            if metres(point_, (place.lat_deg, place.lon_deg)) > limit_m:
                found.append(f"the line of leg {k} does not touch its ends")
    if (itinerary.departure_unix_s, itinerary.arrival_unix_s) != (starts_s(legs[0]), ends_s(legs[-1])):
        found.append("departure or arrival differ from the legs'")
    if itinerary.duration_s != itinerary.arrival_unix_s - itinerary.departure_unix_s:
        found.append("duration does not add up")
    if itinerary.wait_duration_s != itinerary.duration_s - sum(leg.duration_s for leg in legs):
        found.append("waiting does not add up")
    if itinerary.transfer_count != max(0, sum(leg.HasField("transit") for leg in legs) - 1):
        found.append("transfers are counted wrongly")
    if not math.isclose(itinerary.distance_m, sum(leg.distance_m for leg in legs), rel_tol=1e-6):
        found.append("distance does not add up")
    return found


async def test_journeys_across_the_city_are_consistent(stub: Any) -> None:
    """All modes at once: every itinerary adds up, starts and ends where asked, and leaves when asked."""
    answer = await stub.PlanJourneys(plan_request(modes=EVERY, max_itineraries=12, window_s=1800))
    kinds = {leg.mode for itinerary in answer.itineraries for leg in itinerary.legs}
    assert {pb.MODE_TRANSIT, pb.MODE_BICYCLE, pb.MODE_CAR} <= kinds
    for itinerary in answer.itineraries:
        assert flaws(itinerary) == []
        assert itinerary.departure_unix_s >= at("08:30")
        assert 0 < itinerary.reliability.success_probability <= 1
        start, end = getattr(itinerary.legs[0], "from").location, itinerary.legs[-1].to.location
        assert (start.lat_deg, start.lon_deg) == TRINDADE
        assert (end.lat_deg, end.lon_deg) == MATOSINHOS
    assert len({itinerary.itinerary_id for itinerary in answer.itineraries}) == len(answer.itineraries)


async def test_every_criterion_names_its_best_itinerary(stub: Any) -> None:
    """The fastest is the fastest, the least walking walks least."""
    answer = await stub.PlanJourneys(plan_request(modes=EVERY, max_itineraries=10))
    values: dict[int, Callable[[pb.Itinerary], float]] = {
        pb.CRITERION_TIME: lambda i: i.duration_s, pb.CRITERION_TRANSFERS: lambda i: i.transfer_count,
        pb.CRITERION_WALK: lambda i: i.walk_duration_s, pb.CRITERION_CO2: lambda i: i.co2_g,
        pb.CRITERION_RELIABILITY: lambda i: -i.reliability.success_probability,
    }  # fmt: skip
    for criterion, value in values.items():
        (best,) = [i for i in answer.itineraries if criterion in i.best_at]
        assert value(best) == pytest.approx(min(value(i) for i in answer.itineraries))


async def test_arrive_by_is_never_late(stub: Any) -> None:
    """Whatever the mode."""
    request = plan_request(modes=EVERY, arrive_by_unix_s=at("09:30"), max_itineraries=10)
    answer = await stub.PlanJourneys(request)
    assert answer.itineraries
    for itinerary in answer.itineraries:
        assert flaws(itinerary) == []
        assert itinerary.arrival_unix_s <= at("09:30")


async def test_without_a_time_one_leaves_now(stub: Any) -> None:
    """Now is the city's clock, not the machine's."""
    request = plan_pb2.PlanJourneysRequest(origin=point(TRINDADE), destination=point(CAMPANHA))
    answer = await stub.PlanJourneys(request)
    assert answer.stamp.generated_unix_s == at("08:30")
    assert answer.itineraries
    assert all(at("08:30") <= itinerary.departure_unix_s < at("09:30") for itinerary in answer.itineraries)


async def test_the_stamp_says_which_city_and_snapshot(stub: Any, keeper: ViewKeeper) -> None:
    """An answer can be traced to its inputs."""
    stamp = (await stub.PlanJourneys(plan_request())).stamp
    assert (stamp.city, stamp.snapshot_id) == ("porto", keeper.snapshot.id)


async def test_park_and_ride_from_the_hills(stub: Any) -> None:
    """A real car park with a name, a capacity and a probability; the car leg carries its time without traffic."""
    request = plan_request(MAIA_HILLS, TRINDADE, modes=[pb.MODE_PARK_AND_RIDE])
    answer = await stub.PlanJourneys(request)
    assert answer.itineraries
    for itinerary in answer.itineraries:
        drive = itinerary.legs[0]
        assert flaws(itinerary) == []
        assert drive.mode == pb.MODE_CAR
        assert drive.parking.name
        assert drive.parking.capacity_spaces > 0
        assert 0.5 <= drive.parking.free_probability <= 1
        assert drive.duration_s >= 300
        assert itinerary.notices[0].startswith(f"Drives to {drive.parking.name}")
        assert any(leg.HasField("transit") for leg in itinerary.legs)


async def test_omit_geometry_leaves_lines_and_steps_out(stub: Any) -> None:
    """Everything else stays."""
    full = await stub.PlanJourneys(plan_request())
    short = await stub.PlanJourneys(plan_request(omit_geometry=True))
    assert [i.itinerary_id for i in short.itineraries] == [i.itinerary_id for i in full.itineraries]
    assert not any(leg.polyline.encoded or leg.steps for i in short.itineraries for leg in i.legs)
    assert any(leg.polyline.encoded and leg.steps for i in full.itineraries for leg in i.legs)


async def test_stops_and_places_are_places_too(stub: Any, keeper: ViewKeeper) -> None:
    """From a stop id to a place id, the ends are those of stop and place."""
    timetable, places = keeper.snapshot.timetable, keeper.snapshot.places
    served = next(i for i, name in enumerate(timetable.stop_names) if name == "Trindade")
    chosen = next(i for i, name in enumerate(places.names) if name == "Ribeira")
    request = plan_pb2.PlanJourneysRequest(origin=stop(timetable.stop_ids[served]), depart_at_unix_s=at("08:30"))
    request.destination.place_id = places.references[chosen]
    answer = await stub.PlanJourneys(request)
    assert answer.itineraries
    last = answer.itineraries[0].legs[-1].to
    assert last.name == "Ribeira"
    assert (
        metres((last.location.lat_deg, last.location.lon_deg), (places.lat_e7[chosen] * 1e-7, places.lon_e7[chosen] * 1e-7)) < 1
    )


async def test_wheelchair_journeys_use_no_stairs_and_no_inaccessible_vehicle(stub: Any) -> None:
    """Step by step, over several pairs."""
    for destination in (CAMPANHA, MATOSINHOS):
        request = plan_request(TRINDADE, destination, window_s=3600)
        request.preferences.wheelchair = True
        answer = await stub.PlanJourneys(request)
        assert answer.itineraries
        for leg in (leg for itinerary in answer.itineraries for leg in itinerary.legs):
            assert all(step.maneuver != pb.Step.MANEUVER_STAIRS for step in leg.steps)
            if leg.transit.HasField("wheelchair_accessible"):
                assert leg.transit.wheelchair_accessible


async def test_slow_walkers_walk_longer(stub: Any) -> None:
    """The speed asked for is the speed walked."""
    request = plan_request(TRINDADE, CAMPANHA, modes=[pb.MODE_WALK])
    for mps in (0.8, 1.6):
        request.preferences.walk_speed_mps = mps
        (walk,) = (await stub.PlanJourneys(request)).itineraries
        # Steps slow everybody down, kerbs do not: never faster than asked, and not much slower.
        assert walk.distance_m / walk.duration_s == pytest.approx(mps, rel=0.1)


async def test_no_journey_is_an_answer_with_a_notice(stub: Any) -> None:
    """At four in the morning nothing runs within the hour; that is no error."""
    short = pb.TravelPreferences(max_transfers=0, max_walk_m=150)
    request = plan_request(modes=[pb.MODE_TRANSIT], depart_at_unix_s=at("03:10"), window_s=60, preferences=short)
    answer = await stub.PlanJourneys(request)
    assert not answer.itineraries
    assert "No journey was found" in answer.notices[0]


@pytest.mark.parametrize(("most_m", "walks"), [(None, 1), (5000, 1), (1500, 0)])
async def test_a_longest_walk_that_is_given_binds_walks_all_the_way(stub: Any, most_m: float | None, walks: int) -> None:
    """Some 40 minutes on foot: offered where nothing is said, not where 1,500 m are the most."""
    request = plan_request(TRINDADE, CAMPANHA, modes=[pb.MODE_WALK])
    if most_m is not None:
        request.preferences.max_walk_m = most_m
    found = (await stub.PlanJourneys(request)).itineraries
    assert len(found) == walks
    assert all(1800 < one.duration_s < 3600 for one in found)
