"""Legs on the street network."""

from routing.model.emissions import driving_co2_g
from routing.model.modes import StreetMode
from routing.multimodal.model import Leg, LegMode, ParkingDetail, Point, Step, TrafficBasis
from routing.multimodal.network import JourneyNetwork
from routing.street.api import Snaps, StreetMetric, StreetPath

LEG_MODES = {
    StreetMode.FOOT: LegMode.WALK,
    StreetMode.WHEELCHAIR: LegMode.WALK,
    StreetMode.BICYCLE: LegMode.BICYCLE,
    StreetMode.CAR: LegMode.CAR,
    StreetMode.VAN: LegMode.CAR,
    StreetMode.TRUCK: LegMode.CAR,
}


def find_path(network: JourneyNetwork, metric: StreetMetric, origin: Snaps, destination: Snaps) -> StreetPath | None:
    """Quickest way between two snapped positions, None if there is none."""
    return network.street.find_route(metric, origin, 0, destination, 0)


def find_drive(
    network: JourneyNetwork, origin: Snaps, destination: Snaps, time_s: int, *, arrive_by: bool = False
) -> tuple[StreetPath | None, TrafficBasis]:
    """Quickest way by car that leaves at (`arrive_by`: arrives by) a unix second, and what its time stands on.

    While the traffic along the trip is not known, the metric of that second is taken.
    """
    timed = network.timed_car(time_s)
    if timed is None:
        return find_path(network, network.car_metric(time_s), origin, destination), network.car_basis
    search = timed.arrive_by if arrive_by else timed.leave_at
    found = search(origin, 0, destination, 0, time_s)
    return (None if found is None else found.path), TrafficBasis.PREDICTED


def path_leg(
    path: StreetPath,
    mode: StreetMode,
    ends: tuple[Point, Point],
    departure_s: int,
    arrival_s: int,
    parking: ParkingDetail | None = None,
    free_flow_s: int | None = None,
    traffic: TrafficBasis | None = None,
) -> Leg:
    """Leg along a path between given times (unix seconds), which may hold more than the path's own time."""
    shape = tuple(zip(path.lat_deg.tolist(), path.lon_deg.tolist(), strict=True))
    steps = tuple(
        Step(
            step.name,
            step.length_m,
            "stairs" if step.road_class == "steps" else step.manoeuvre,
            round(step.time_ms / 1000),
            shape[min(step.first_point, len(shape) - 1)],
        )
        for step in path.steps
    )
    co2_g = driving_co2_g(mode, path.arc_length_m, path.arc_time_ms, path.time_ms)
    leg_mode = LEG_MODES[mode]
    return Leg(
        leg_mode, ends[0], ends[1], departure_s, arrival_s, path.length_m, co2_g, shape, steps, None, parking, free_flow_s,
        path.climb_m,
        traffic,
    )  # fmt: skip


def straight_walk(ends: tuple[Point, Point], departure_s: int, arrival_s: int, distance_m: float) -> Leg:
    """Walk whose way is not on the map (within a station): a straight line."""
    shape = tuple((p.lat_deg, p.lon_deg) for p in ends)
    return Leg(LegMode.WALK, ends[0], ends[1], departure_s, arrival_s, distance_m, 0.0, shape)
