"""Rounds planned by the command itself: files that bring their own travel times need no running city."""

import datetime as dt
import os
import time
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import click
from rich.live import Live
from rich.text import Text
from traboule.common.v1 import geo_pb2, time_pb2
from traboule.rounds.v1 import plan_pb2, problem_pb2
from traboule.rounds.v1.rounds_service_pb2 import SolveLimits

from routing.model.modes import StreetMode
from routing.rounds.api import Plan, Visit, solve
from routing.rounds.formats.instance import Instance
from routing.rounds.parts import PartWorkers, ThreadWorkers
from routing.rounds.problem import TimeWindow
from routing.rounds.sure import solve_surely
from routing.street.access_rules import EmissionClass
from services.cli.output import console, duration
from services.cli.rounds_export import has_places
from services.demo.pictures.page import Page, note, table
from services.demo.plan_pictures import plan_gantt, plan_map, plan_table
from services.rounds.mapping import MappedProblem
from services.rounds.plan_mapping import plan_to_proto
from services.rounds.ray_workers import LEAST_S, MANY_VISITS, RayWorkers, load_ray
from services.rounds.runner import threads_of

UTC = ZoneInfo("UTC")
ABSOLUTE_S = 1e8
"""Times of a file from here on are unix seconds; below, they count from the beginning of its day."""
BACKENDS = ("threads", "ray")
KINDS = {
    "car": problem_pb2.VEHICLE_KIND_CAR, "driving": problem_pb2.VEHICLE_KIND_CAR, "driving-car": problem_pb2.VEHICLE_KIND_CAR,
    "van": problem_pb2.VEHICLE_KIND_VAN, "truck": problem_pb2.VEHICLE_KIND_TRUCK, "hgv": problem_pb2.VEHICLE_KIND_TRUCK,
    "driving-hgv": problem_pb2.VEHICLE_KIND_TRUCK, "bike": problem_pb2.VEHICLE_KIND_CARGO_BIKE,
    "bicycle": problem_pb2.VEHICLE_KIND_CARGO_BIKE, "cycling": problem_pb2.VEHICLE_KIND_CARGO_BIKE,
    "cycling-regular": problem_pb2.VEHICLE_KIND_CARGO_BIKE, "foot": problem_pb2.VEHICLE_KIND_WALKER,
    "walking": problem_pb2.VEHICLE_KIND_WALKER, "foot-walking": problem_pb2.VEHICLE_KIND_WALKER,
}  # fmt: skip
"""Profile of a file → kind of vehicle."""


def workers_of(
    instance: Instance, threads: int, backend: str | None, seconds: float, sure: float | None = None
) -> PartWorkers | None:
    """Who improves the parts of a large instance: `threads` (0 = all cores) of them, of this process or of Ray.

    Raises
    ------
    Unimplemented
        Ray is not installed.
    """
    count = threads_of(SolveLimits(threads=threads), len(instance.problem.visits), os.cpu_count() or 1)
    if backend == "ray" and sure:
        raise click.ClickException("--backend ray cannot be combined with --sure: what is planned surely has one worker")
    if backend == "ray" and seconds < LEAST_S:
        raise click.ClickException(f"--backend ray takes some seconds to start; give it --seconds {LEAST_S:g} or more")
    if backend == "ray":
        load_ray()
    if backend == "ray" and len(instance.problem.visits) >= MANY_VISITS:
        return RayWorkers(threads or count, time_limit_s=seconds)
    return ThreadWorkers(count) if count > 1 else None


def solve_here(
    instance: Instance, seconds: float, seed: int, sure: float | None = None, workers: PartWorkers | None = None
) -> plan_pb2.Plan:
    """Plan an instance with its own travel times; the plan in the form of the contract."""
    return local_plan(instance, solve_instance(instance, seconds, seed, sure, workers))


def solve_instance(
    instance: Instance, seconds: float, seed: int, sure: float | None = None, workers: PartWorkers | None = None
) -> Plan:
    """Plan an instance with its own travel times, showing every better plan; with `sure` windows are kept that surely."""
    work = partial(solve_surely, probability=sure) if sure else partial(solve, workers=workers)
    began = time.monotonic()
    with Live(Text("planning …"), console=console, transient=True, refresh_per_second=8) as live:

        def better(plan: Plan) -> None:
            served, cost = len(instance.problem.shipments) - len(plan.unserved), sum(one.cost for one in plan.rounds)
            words = f"{served} served, {len(plan.unserved)} not   {len(plan.rounds)} rounds   cost {cost:,.2f}"
            live.update(Text(f"{time.monotonic() - began:5.1f} of {seconds:g} s   {words}"))

        return work(
            instance.problem, instance.times, time_limit_s=seconds, elapsed_s=time.monotonic, seed=seed, on_improvement=better
        )


def local_plan(instance: Instance, plan: Plan) -> plan_pb2.Plan:
    """The plan in the form of the contract; without places where the file has no coordinates in degrees."""
    count = instance.problem.location_count
    points = list(instance.points or [(0.0, 0.0)] * count)
    profiles = instance.times.profile_count
    modes, emissions = [StreetMode.VAN] * profiles, [EmissionClass.ELECTRIC] * profiles
    kind = problem_pb2.TRAVEL_TIMES_UNSPECIFIED
    message = plan_to_proto(plan, MappedProblem(instance.problem, points, [], modes, emissions, 0, (0.0, 0.0), kind, False))
    message.co2_g = 0.0  # the file does not say what drives
    for row in message.rounds:
        row.co2_g = 0.0
        for stop in row.stops if instance.points is None else ():
            stop.ClearField("location")
    return message


def write_local_page(instance: Instance, plan: plan_pb2.Plan, path: Path) -> None:
    """Write a page: map where coordinates are known, Gantt chart, rounds, and what is not served."""
    page = Page(
        f"Delivery rounds of {instance.name}", "Planned with the travel times of the file; times of day count from its zero."
    )
    drawn = plan_map(plan, None) if has_places(plan) else note("The file gives no coordinates in degrees: there is no map.")
    page.add("rounds", "Rounds", drawn, plan_gantt(plan, UTC), plan_table(plan), *map(note, instance.notes))
    if plan.unserved:
        page.add(
            "unserved", "Not served", table(("order", "why"), [(row.shipment_id, row.explanation) for row in plan.unserved])
        )
    path.write_text(page.html(), encoding="utf-8")


def show_local(instance: Instance, plan: plan_pb2.Plan) -> None:
    """Say in one line what the figures of a local plan mean."""
    cost = sum(row.cost for row in plan.rounds)
    words = f"{instance.name}: {len(plan.rounds)} rounds, cost {cost:,.2f}, {duration(plan.duration_s)} in all"
    click.echo(words + "".join(f"\nnote: {one}" for one in instance.notes), err=True)


def request_of(instance: Instance, day: dt.date, timezone: ZoneInfo) -> problem_pb2.Problem:
    """The same problem for the service, which finds the travel times: times below `ABSOLUTE_S` are of `day`.

    Raises
    ------
    click.ClickException
        A profile is no kind of vehicle.
    """
    problem, points = instance.problem, instance.points
    assert points is not None
    low = min(vehicle.shift.start_s for vehicle in problem.vehicles)
    midnight = dt.datetime.combine(day, dt.time(), timezone).timestamp()
    zero = 0 if low >= ABSOLUTE_S else int(midnight)

    def place(location: int) -> geo_pb2.Location:
        lat, lon = points[location]
        return geo_pb2.Location(point=geo_pb2.LatLng(lat_deg=lat, lon_deg=lon))

    def span(window: TimeWindow) -> time_pb2.TimeRange:
        return time_pb2.TimeRange(start_unix_s=zero + round(window.start_s), end_unix_s=zero + round(window.end_s) + 1)

    message = problem_pb2.Problem()
    for k, vehicle in enumerate(problem.vehicles):
        profile = instance.profiles[vehicle.profile]
        if profile not in KINDS:
            known = ", ".join(KINDS)
            raise click.ClickException(f"vehicles[{k}].profile: {profile!r} is not known without matrices; one of {known}")
        cost = problem_pb2.VehicleCost(
            fixed=vehicle.fixed_cost,
            per_hour=3600 * vehicle.cost_per_s,
            per_km=1000 * vehicle.cost_per_m,
            per_driving_hour=3600 * vehicle.cost_per_driving_s,
        )
        own = message.vehicles.add(
            vehicle_id=vehicle.id, kind=KINDS[profile], capacities=vehicle.capacity, shift=span(vehicle.shift),
            start=place(problem.depots[vehicle.start_depot_idx].location_idx), open_end=vehicle.end_depot_idx is None,
            skills=sorted(vehicle.skills), max_distance_m=vehicle.max_length_m or 0.0, max_stops=vehicle.max_stops or 0,
            cost=cost,
        )  # fmt: skip
        if vehicle.end_depot_idx is not None:
            own.end.CopyFrom(place(problem.depots[vehicle.end_depot_idx].location_idx))
        for rest in vehicle.breaks:
            own.breaks.add(duration_s=round(rest.duration_s), start_window=span(TimeWindow(rest.earliest_s, rest.latest_s)))

    def task(visit: Visit) -> problem_pb2.Task:
        return problem_pb2.Task(
            location=place(visit.location_idx), windows=[span(w) for w in visit.windows], service_s=round(visit.service_s)
        )

    for shipment in problem.shipments:
        one = message.shipments.add(
            shipment_id=shipment.id, loads=shipment.load, skills=sorted(shipment.skills), priority=shipment.priority
        )
        for name, visit in (("pickup", shipment.pickup), ("delivery", shipment.delivery)):
            if visit is not None:
                getattr(one, name).CopyFrom(task(visit))
    return message
