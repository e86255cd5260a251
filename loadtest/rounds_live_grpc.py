"""``python -m loadtest.rounds_live_grpc``: orders and events of rounds under way, against a running rounds service.

Rounds are drawn among the crossings of the service's own city and planned as a job; then orders are inserted, stops done and
incidents told one after the other. Wall times as a client on the same machine sees them.
"""

import argparse
import asyncio
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from traboule.rounds.v1 import problem_pb2, rounds_service_pb2_grpc
from traboule.rounds.v1 import rounds_service_pb2 as pb

from loadtest.report import machine, show
from routing.model.modes import StreetMode
from services.city.snapshot import CitySnapshot, open_snapshot
from services.common.channel import development_tokens, open_channel
from services.common.rules import Role

DAY_S = 10 * 3600
DRIVEN_S = 2 * 3600
"""How long the vans have been on the road."""
INCIDENTS = 5
CALL_TIMEOUT_S = 300.0
Took = dict[str, list[float]]


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; exit status 1 if nothing was inserted."""
    parser = argparse.ArgumentParser(prog="python -m loadtest.rounds_live_grpc", description=__doc__)
    parser.add_argument("--target", required=True, help="HOST:PORT of a rounds service that runs by the real time")
    parser.add_argument("--city", default="porto")
    parser.add_argument("--stops", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=20.0, help="planning before the vans drive")
    parser.add_argument("--inserted", type=int, default=200)
    parser.add_argument("--pause", type=float, default=0.0, help="seconds between calls")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(argv)
    took = asyncio.run(_run(options))
    rows = [
        [name, len(one), *(f"{np.percentile(one, share):.1f}" for share in (50, 90, 99)), f"{max(one):.1f}"]
        for name, one in took.items()
    ]
    show(f"rounds of {options.stops} stops over gRPC, ms", ["what", "n", "p50", "p90", "p99", "most"], rows, machine())
    return 0 if took["insert"] else 1


async def _run(options: argparse.Namespace) -> Took:
    home, rng = Path(os.environ["TRABOULE_HOME"]), np.random.default_rng(options.seed)
    places = _crossings(open_snapshot(home, options.city), rng, options.stops + options.inserted + INCIDENTS + 1)
    took: Took = {"plan": [], "first insert": [], "insert": [], "completion": [], "incident": []}

    async def timed(name: str, call: Any) -> Any:
        began = time.perf_counter()
        answer = await call
        took[name].append(1000.0 * (time.perf_counter() - began))
        await asyncio.sleep(options.pause)
        return answer

    async with open_channel(options.target, development_tokens(home, Role.LOGISTICS)) as channel:
        stub: Any = rounds_service_pb2_grpc.RoundsServiceStub(channel)
        begins = int(time.time()) - DRIVEN_S
        problem = _problem(places[: options.stops + 1], begins, rng)
        began = time.perf_counter()
        limits = pb.SolveLimits(time_limit_s=options.seconds)
        job = (await stub.SubmitRounds(pb.SubmitRoundsRequest(problem=problem, limits=limits))).rounds.rounds_id
        async for message in stub.WatchRounds(pb.WatchRoundsRequest(rounds_id=job)):
            plan = message.rounds.plan
        took["plan"].append(1000.0 * (time.perf_counter() - began))

        def insert(k: int) -> Any:
            where: Any = _task(places[options.stops + 1 + k])
            new = problem_pb2.Shipment(shipment_id=f"new {k}", pickup=where, loads=[1])
            request = pb.InsertOrderRequest(rounds_id=job, shipment=new, only_changed=True)
            return stub.InsertOrder(request, timeout=CALL_TIMEOUT_S)

        for k in range(options.inserted):
            await timed("insert" if k else "first insert", insert(k))
        for one in plan.rounds[:40]:
            first = next(stop for stop in one.stops if stop.shipment_id)
            done = pb.Completion(shipment_id=first.shipment_id)
            request = pb.ReportEventRequest(rounds_id=job, completion=done, only_changed=True)
            await timed("completion", stub.ReportEvent(request, timeout=CALL_TIMEOUT_S))
        for k in range(INCIDENTS):
            lat, lon = places[-1 - k]
            corners = [(lat - 0.005, lon - 0.007), (lat - 0.005, lon + 0.007), (lat + 0.005, lon + 0.007), (lat + 0.005, lon)]
            incident = pb.Incident(speed_factor=0.3, until_unix_s=int(time.time()) + 7200)
            for corner in corners:
                incident.area.add(lat_deg=corner[0], lon_deg=corner[1])
            request = pb.ReportEventRequest(rounds_id=job, incident=incident, only_changed=True)
            await timed("incident", stub.ReportEvent(request, timeout=CALL_TIMEOUT_S))
    return took


def _crossings(city: CitySnapshot, rng: np.random.Generator, count: int) -> list[tuple[float, float]]:
    """Crossings that vans reach, drawn within five kilometres of the middle of the city."""
    graph = city.street
    reached = np.unique(graph.arc_head[(graph.arc_access & StreetMode.VAN.bit) > 0])
    lat, lon = graph.node_lat_e7[reached] * 1e-7, graph.node_lon_e7[reached] * 1e-7
    away_m = np.hypot((lat - np.median(lat)) * 111_195, (lon - np.median(lon)) * 84_000)
    drawn = rng.choice(np.flatnonzero(away_m < 5000.0), count, replace=False)
    return list(zip(lat[drawn].tolist(), lon[drawn].tolist(), strict=True))


def _problem(places: list[tuple[float, float]], begins: int, rng: np.random.Generator) -> problem_pb2.Problem:
    """A van for 25 deliveries, six of ten of these with a window of two hours."""
    shift = {"start_unix_s": begins, "end_unix_s": begins + DAY_S}
    start = {"point": {"lat_deg": places[0][0], "lon_deg": places[0][1]}}
    count = len(places) - 1
    vans = [
        problem_pb2.Vehicle(vehicle_id=f"van {r}", kind=1, capacities=[45], start=start, shift=shift)  # type: ignore[arg-type]
        for r in range(max(1, count // 25))
    ]
    shipments = []
    for k, place in enumerate(places[1:]):
        task = _task(place)
        if rng.random() < 0.6:
            opens = begins + 3600 + int(rng.integers(0, DAY_S - 4 * 3600))
            task["windows"] = [{"start_unix_s": opens, "end_unix_s": opens + 7200}]
        shipments.append(problem_pb2.Shipment(shipment_id=f"order {k}", delivery=task, loads=[1]))  # type: ignore[arg-type]
    return problem_pb2.Problem(vehicles=vans, shipments=shipments)


def _task(place: tuple[float, float]) -> dict[str, Any]:
    return {"location": {"point": {"lat_deg": place[0], "lon_deg": place[1]}}, "service_s": 180}


if __name__ == "__main__":
    raise SystemExit(main())
