"""A carrier's problem drawn in the centre of Porto, and what its plans say."""

from typing import Any

import numpy as np
from traboule.common.v1 import time_pb2
from traboule.rounds.v1 import plan_pb2, problem_pb2
from traboule.rounds.v1 import rounds_service_pb2 as pb

MORNING = 1_785_222_000
"""Tuesday 2026-07-28, 08:00 in Lisbon."""


def location(lat: float, lon: float) -> dict[str, Any]:
    """A point, as the contract writes a location."""
    return {"point": {"lat_deg": lat, "lon_deg": lon}}


def shipment(k: int, lat: float, lon: float, **more: Any) -> problem_pb2.Shipment:
    """Order `o{k}`: one unit, three minutes at the door."""
    task = {"location": location(lat, lon), "service_s": 180, **more.pop("task", {})}
    return problem_pb2.Shipment(shipment_id=f"o{k}", delivery=task, loads=[1], **more)  # type: ignore[arg-type]


def drawn_problem(count: int = 12) -> problem_pb2.Problem:
    """Orders in the centre of Porto for a van and a cargo bike, on duty from eight to four."""
    rng = np.random.default_rng(7)
    shift = {"start_unix_s": MORNING, "end_unix_s": MORNING + 8 * 3600}
    depot = location(41.1621, -8.6220)
    noon = time_pb2.TimeRange(start_unix_s=MORNING + 4 * 3600, end_unix_s=MORNING + 5 * 3600)
    lunch = problem_pb2.Break(duration_s=1800, start_window=noon)
    vehicles = [
        problem_pb2.Vehicle(vehicle_id="van", kind=1, capacities=[40], start=depot, shift=shift, breaks=[lunch]),  # type: ignore[arg-type]
        problem_pb2.Vehicle(vehicle_id="bike", kind=3, capacities=[5], start=depot, shift=shift),  # type: ignore[arg-type]
    ]
    at = zip(rng.uniform(41.148, 41.165, count), rng.uniform(-8.64, -8.60, count), strict=True)
    return problem_pb2.Problem(vehicles=vehicles, shipments=[shipment(k, *place) for k, place in enumerate(at)])


def delivered(plan: plan_pb2.Plan) -> list[str]:
    """Ids of the orders that a plan serves, sorted."""
    return sorted(stop.shipment_id for one in plan.rounds for stop in one.stops if stop.shipment_id)


async def planned(stub: Any, **limits: Any) -> str:
    """Submit the drawn problem and wait until it is planned; answers the id."""
    request = pb.SubmitRoundsRequest(problem=drawn_problem(), limits=pb.SolveLimits(**(limits or {"max_iterations": 100})))
    rounds_id: str = (await stub.SubmitRounds(request)).rounds.rounds_id
    async for message in stub.WatchRounds(pb.WatchRoundsRequest(rounds_id=rounds_id)):
        assert message.rounds.state != pb.ROUNDS_STATE_FAILED, message.rounds.explanation
    return rounds_id


def departures(plan: plan_pb2.Plan) -> dict[str, int]:
    """When each vehicle of a plan leaves, in Unix seconds."""
    return {one.vehicle_id: one.departure_unix_s for one in plan.rounds}
