"""``python -m loadtest rounds_hubs``: what micro-hubs save on days drawn in a built city.

Deliveries at crossings about the middle of the city, vans from a depot outside, hubs with cargo bikes near the middle. Every
day is planned twice with the same processor time, by vans alone and over hubs; costs in euros as the vehicles' costs are, hubs
and their vehicles included. A van takes the minutes of ``--parking`` at every stop, which bikes do not.
"""

import argparse
import json
import os
import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.json_format import MessageToJson
from traboule.rounds.v1 import problem_pb2

from loadtest.report import machine, show
from routing.model.modes import StreetMode
from routing.rounds.api import Plan, Problem, TravelTimes, solve
from routing.rounds.hub_plan import HubPlan
from routing.rounds.hub_problem import DIRECT
from routing.rounds.hub_search import solve_over_hubs
from services.city.snapshot import CitySnapshot, open_snapshot
from services.common.clock import CityClock
from services.rounds.city import RoundsCity
from services.rounds.mapping import problem_from_proto

BEGINS_S = 1_785_222_000
"""A Tuesday, 8:00 in Porto."""
DAY_S = 9 * 3600
RADIUS_M, AWAY_M, HUBS_M = 2_000.0, 5_500.0, 900.0
"""Of the deliveries about the middle; the depot's distance from it; that of the hubs."""
BIKES = 3
Point = tuple[float, float]


def main(argv: list[str]) -> int:
    """Run the benchmark; exit status 1 if hubs ever made a plan dearer or an order be left out."""
    options = _parser().parse_args(argv)
    city = RoundsCity(open_snapshot(Path(os.environ["TRABOULE_HOME"]), options.city), CityClock())
    rows, ratios, answers, worse = [], [], [], False
    for orders in options.orders:
        for hubs in options.hubs:
            for parking in options.parking:
                for seed in options.seeds:
                    message = draw(city.snapshot, orders, hubs, parking, seed, options.middle)
                    answer = compare(*_built(city, message), options.seconds, seed)
                    ratios.append(answer["over hubs"] / answer["vans alone"])
                    worse |= ratios[-1] > 1.0 + 1e-9 or bool(answer["left out"])
                    name = f"{orders} orders, {hubs} hubs, parking {parking} min, seed {seed}"
                    rows.append((name, *answer.values(), f"{100 * (ratios[-1] - 1):+.1f} %"))
                    answers.append(answer | {"name": name})
                    print(*rows[-1], sep="  ", flush=True)
                    if options.out:
                        options.out.mkdir(parents=True, exist_ok=True)
                        (options.out / f"hubs_{orders}_{hubs}_{parking}_{seed}.json").write_text(
                            MessageToJson(message, indent=1, preserving_proto_field_name=True)
                        )
    about = machine(("numpy", "numba")) | {"median": f"{100 * (statistics.median(ratios) - 1):+.1f} %"}
    show(f"micro-hubs, {options.seconds:g} s of processor time each", ("day", *list(answers[0])[:-1], "change"), rows, about)
    if options.out:
        (options.out / "answers.json").write_text(json.dumps(answers, indent=1))
    return int(worse)


def draw(
    city: CitySnapshot, orders: int, hubs: int, parking_min: int, seed: int, middle: Point | None = None
) -> problem_pb2.Problem:  # fmt: skip
    """A day in a city, for the service or this benchmark."""
    rng = np.random.default_rng(seed)
    lat, lon = _crossings(city)
    middle_lat, middle_lon = middle or (float(np.median(lat)), float(np.median(lon)))
    close = np.flatnonzero(np.hypot((lat - middle_lat) * 111_195, (lon - middle_lon) * 84_000) < RADIUS_M)

    def nearest(distance_m: float, north_m: float, east_m: float) -> Point:
        length = np.hypot(north_m, east_m) or 1.0
        to_lat = middle_lat + distance_m * north_m / length / 111_195
        to_lon = middle_lon + distance_m * east_m / length / 84_000
        k = int(np.hypot((lat - to_lat) * 111_195, (lon - to_lon) * 84_000).argmin())
        return float(lat[k]), float(lon[k])

    shift = {"start_unix_s": BEGINS_S, "end_unix_s": BEGINS_S + DAY_S}
    message = problem_pb2.Problem()
    vans = {"kind": problem_pb2.VEHICLE_KIND_VAN, "capacities": [60], "start": _at(nearest(AWAY_M, 1.0, -0.2)), "shift": shift,
            "cost": {"fixed": 40.0, "per_hour": 25.0, "per_km": 0.5}}  # fmt: skip
    for k in range(max(2, orders // 20)):
        message.vehicles.add(vehicle_id=f"van-{k + 1}", **vans)
    for h in range(hubs):
        place = nearest(HUBS_M, *rng.normal(0.0, 1.0, 2)) if hubs > 1 else nearest(0.0, 1.0, 0.0)
        message.hubs.add(hub_id=f"hub-{h + 1}", location=_at(place), transfer_s=15, cost=20.0)
        for k in range(BIKES):
            message.vehicles.add(
                vehicle_id=f"bike-{h + 1}-{k + 1}", kind=problem_pb2.VEHICLE_KIND_CARGO_BIKE, hub_id=f"hub-{h + 1}",
                capacities=[25], start=_at(place), shift=shift, cost={"fixed": 15.0, "per_hour": 20.0, "per_km": 0.05},
            )  # fmt: skip
    for k, at in enumerate(rng.choice(close, orders, replace=False).tolist()):
        task: dict[str, Any] = {
            "location": _at((float(lat[at]), float(lon[at]))),
            "service_s": 120,
            "parking_s": 60 * parking_min,
        }
        if rng.random() < 0.3:
            opens = BEGINS_S + 3600 * int(rng.integers(1, 7))
            task["windows"] = [{"start_unix_s": opens, "end_unix_s": opens + 7200}]
        message.shipments.add(shipment_id=f"order-{k + 1}", delivery=task, loads=[1])
    return message


def compare(problem: Problem, times: TravelTimes, seconds: float, seed: int) -> dict[str, Any]:
    """Costs of both plans of a day, and what goes over hubs."""
    vans = tuple(one for one in problem.vehicles if one.start_depot_idx not in {hub.depot_idx for hub in problem.hubs})
    alone = solve(
        replace(problem, vehicles=vans, hubs=()), times, time_limit_s=seconds, elapsed_s=time.process_time, seed=seed
    )  # fmt: skip
    found = solve_over_hubs(problem, times, time_limit_s=seconds, elapsed_s=time.process_time, seed=seed)
    return {
        "vans alone": round(alone.cost, 2), "over hubs": round(found.cost, 2), "vans": _used(alone, len(vans)),
        "vans with hubs": _used(found.plan, len(vans)), "bikes": len(found.plan.rounds) - _used(found.plan, len(vans)),
        "orders over hubs": sum(hub != DIRECT for hub in found.plan.hub_of), "left out": _lost(alone, found),
    }  # fmt: skip


def _used(plan: Plan, vans: int) -> int:
    return sum(one.vehicle_idx < vans for one in plan.rounds)


def _lost(alone: Plan, found: HubPlan) -> int:
    """Orders that only the plan of vans alone serves."""
    return max(0, len(found.plan.unserved) - len(alone.unserved))


def _built(city: RoundsCity, message: problem_pb2.Problem) -> tuple[Problem, TravelTimes]:
    mapped = problem_from_proto(message, city.resolve)
    return mapped.problem, city.build_times(mapped).travel_times


def _at(point: Point) -> dict[str, Any]:
    return {"point": {"lat_deg": round(point[0], 6), "lon_deg": round(point[1], 6)}}


def _crossings(city: CitySnapshot) -> tuple[Any, Any]:
    """Latitudes and longitudes of crossings that vans reach."""
    graph = city.street
    reached = np.unique(graph.arc_head[(graph.arc_access & StreetMode.VAN.bit) > 0])
    return graph.node_lat_e7[reached] * 1e-7, graph.node_lon_e7[reached] * 1e-7


def _point(text: str) -> Point:
    lat, lon = map(float, text.split(","))
    return lat, lon


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m loadtest rounds_hubs", description=__doc__)
    parser.add_argument("--city", default="porto")
    parser.add_argument("--middle", type=_point, help="lat,lon about which orders are drawn (default: middle of all crossings)")
    parser.add_argument("--orders", type=int, nargs="+", default=[40, 80])
    parser.add_argument("--hubs", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--parking", type=int, nargs="+", default=[0, 3], help="minutes a van looks for a place at every stop")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seconds", type=float, default=10.0, help="of processor time for each plan")
    parser.add_argument(
        "--out", type=Path, help="folder for the drawn days (files for `traboule rounds solve`) and the answers"
    )
    return parser
