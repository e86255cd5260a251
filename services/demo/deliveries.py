"""A day of deliveries in the city, drawn from its own streets: ``python -m services.demo.deliveries FILE``.

Deterministic for a snapshot and seed. A third of the orders ask for a time window, as parcel firms report for the
inner city; demands are in parcels.
"""

import argparse
import datetime as dt
import json
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from google.protobuf.json_format import MessageToDict
from traboule.common.v1 import geo_pb2, time_pb2
from traboule.rounds.v1 import problem_pb2

from routing.model.places import PlaceKind
from services.city.snapshot import CitySnapshot, open_snapshot
from services.common.config import load_config

CAPACITY = 120
SERVICE_S = 240
SHIFT_H = (8, 17)
BREAK_H = (11.5, 14)
BREAK_S = 1800
WINDOWS_H = ((8, 11), (9, 12), (10, 13), (13, 16), (14, 17))
SHARE_WITH_WINDOW = 1 / 3
RADIUS_DEG = 0.035


def draw_problem(
    snapshot: CitySnapshot, depot: tuple[float, float], *, orders: int = 60, vans: int = 3, seed: int = 7
) -> problem_pb2.Problem:
    """Orders at addresses, points of interest and streets round `depot` (lat, lon), for identical vans with one break each."""
    rng = np.random.default_rng(seed)
    places, date = snapshot.places, snapshot.city.reference_date or dt.date.today()
    noon = dt.datetime.combine(date, dt.time(12), tzinfo=ZoneInfo(snapshot.timezone))
    base_s = int(noon.timestamp()) - 12 * 3600
    kinds = [int(kind) for kind in (PlaceKind.ADDRESS, PlaceKind.POINT_OF_INTEREST, PlaceKind.STREET)]
    near = np.hypot(places.lat_e7 * 1e-7 - depot[0], (places.lon_e7 * 1e-7 - depot[1]) * 0.75) < RADIUS_DEG
    candidates = np.flatnonzero(near & np.isin(places.kind, kinds))
    chosen = rng.choice(candidates, orders, replace=False)
    problem = problem_pb2.Problem(load_units=["parcels"], travel_times=problem_pb2.TRAVEL_TIMES_PREDICTED)
    problem.objective.kind = problem_pb2.Objective.KIND_DURATION
    for number in range(vans):
        _add_van(problem, f"van-{number + 1}", depot, base_s)
    for number, place in enumerate(chosen.tolist()):
        at = (int(places.lat_e7[place]) * 1e-7, int(places.lon_e7[place]) * 1e-7)
        order = problem.shipments.add(shipment_id=f"{number + 1:02d} {places.names[place]}", loads=[int(rng.integers(1, 7))])
        order.delivery.location.point.CopyFrom(_point(at))
        order.delivery.service_s = SERVICE_S + 30 * int(rng.integers(0, 5))
        if rng.random() < SHARE_WITH_WINDOW:
            opens, closes = WINDOWS_H[int(rng.integers(len(WINDOWS_H)))]
            order.delivery.windows.append(_span(base_s, opens, closes))
    return problem


def _add_van(problem: problem_pb2.Problem, name: str, depot: tuple[float, float], base_s: int) -> None:
    van = problem.vehicles.add(vehicle_id=name, kind=problem_pb2.VEHICLE_KIND_VAN, capacities=[CAPACITY])
    van.start.point.CopyFrom(_point(depot))
    van.shift.CopyFrom(_span(base_s, *SHIFT_H))
    van.breaks.append(problem_pb2.Break(duration_s=BREAK_S, start_window=_span(base_s, *BREAK_H)))


def _point(at: tuple[float, float]) -> geo_pb2.LatLng:
    return geo_pb2.LatLng(lat_deg=round(at[0], 6), lon_deg=round(at[1], 6))


def _span(base_s: int, opens_h: float, closes_h: float) -> time_pb2.TimeRange:
    return time_pb2.TimeRange(start_unix_s=base_s + int(3600 * opens_h), end_unix_s=base_s + int(3600 * closes_h))


def main(argv: list[str]) -> int:
    """Write a problem as JSON."""
    parser = argparse.ArgumentParser(prog="python -m services.demo.deliveries", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--depot", default="41.1700,-8.6500", help="lat,lon")
    parser.add_argument("--orders", type=int, default=60)
    parser.add_argument("--vans", type=int, default=3)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args(argv)
    config = load_config()
    lat, lon = (float(part) for part in options.depot.split(","))
    snapshot = open_snapshot(config.home, config.city)
    problem = draw_problem(snapshot, (lat, lon), orders=options.orders, vans=options.vans, seed=options.seed)
    table = MessageToDict(problem, preserving_proto_field_name=True)
    options.file.parent.mkdir(parents=True, exist_ok=True)
    options.file.write_text(json.dumps(table, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
