"""First plan with OR-Tools' routing library: the whole vocabulary of constraints on a static matrix.

Travel times are those of the day's mean (or, `cautious`, its worst); the rounds are then timed exactly by the caller, who
repairs what does not hold. The library holds the GIL while it runs: call it in a process of its own where that matters.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from ortools.constraint_solver import pywrapcp, routing_enums_pb2  # type: ignore[import-untyped]

from routing.rounds.problem import Problem, Vehicle, Visit
from routing.rounds.travel_times import TravelTimes

FAR = 1 << 40
"""Time units of a way that does not exist."""


def first_routes(
    problem: Problem, travel_times: TravelTimes, time_limit_s: float, improve: bool = False, cautious: bool = False
) -> list[list[int]] | None:
    """Routes (visit indices, one list per vehicle; possibly infeasible in the true times) or None if none was found.

    Parameters
    ----------
    time_limit_s : float
        Hard limit. Without `improve` only the first solution is built, deterministically if the limit is not reached.
    improve : bool
        Use the whole limit for guided local search.
    """
    if not problem.vehicles or not problem.shipments:
        return None
    model = _Model(problem, travel_times, cautious)
    parameters = pywrapcp.DefaultRoutingSearchParameters()
    parameters.first_solution_strategy = routing_enums_pb2.FirstSolutionStrategy.PARALLEL_CHEAPEST_INSERTION
    if improve:
        parameters.local_search_metaheuristic = routing_enums_pb2.LocalSearchMetaheuristic.GUIDED_LOCAL_SEARCH
    else:
        parameters.solution_limit = 1
    parameters.time_limit.FromMilliseconds(max(1, int(time_limit_s * 1000)))
    return model.solve(parameters)


class _Model:
    """The problem in OR-Tools' words. Node k < V is the start of vehicle k, node V + k its end, then the visits."""

    def __init__(self, problem: Problem, travel_times: TravelTimes, cautious: bool) -> None:
        self.problem = problem
        vehicles, count = problem.vehicles, len(problem.visits)
        self.base = 2 * len(vehicles)
        starts = list(range(len(vehicles)))
        ends = [len(vehicles) + k for k in starts]
        self.manager = pywrapcp.RoutingIndexManager(self.base + count, len(vehicles), starts, ends)
        self.routing = pywrapcp.RoutingModel(self.manager)
        self.measured = False
        low = min(vehicle.shift.start_s for vehicle in vehicles)
        high = max(vehicle.shift.end_s for vehicle in vehicles)
        self.zero_s = min([low, *(v.shift.start_s for v in vehicles)])
        self.unit_s = _unit(high - low)
        self.horizon = math.floor((high - self.zero_s) / self.unit_s)
        self.durations = travel_times.worst_s(low, high) if cautious else travel_times.mean_s(low, high)
        self.times = travel_times
        self.location = [problem.depots[v.start_depot_idx].location_idx for v in vehicles]
        self.location += [-1 if v.end_depot_idx is None else problem.depots[v.end_depot_idx].location_idx for v in vehicles]
        self.location += [problem.visit(v).location_idx for v in range(count)]
        self._costs_and_times()
        self._loads()
        self._shipments()
        self._breaks()

    def solve(self, parameters: Any) -> list[list[int]] | None:
        """Run the search and read the routes."""
        solution = self.routing.SolveWithParameters(parameters)
        if solution is None:
            return None
        routes = []
        for r in range(len(self.problem.vehicles)):
            route, index = [], solution.Value(self.routing.NextVar(self.routing.Start(r)))
            while not self.routing.IsEnd(index):
                route.append(self.manager.IndexToNode(index) - self.base)
                index = solution.Value(self.routing.NextVar(index))
            routes.append(route)
        return routes

    def _costs_and_times(self) -> None:
        """One transit per profile; cost = driving time and metres, waiting by the span of the time dimension."""
        problem, routing = self.problem, self.routing
        at, nobody = np.array(self.location), np.array(self.location) < 0
        transits: dict[tuple[int, str, float], int] = {}
        lengths, drives = {}, {}
        for vehicle in problem.vehicles:
            profile, key = vehicle.profile, _timing(vehicle)
            if key in transits:
                continue
            service = np.array([0.0] * self.base + [problem.visit(v).stays_s(vehicle) for v in range(len(problem.visits))])
            drive = self.durations[profile][np.ix_(at, at)]
            drive[:, nobody] = 0.0
            drives[profile] = drive
            units = np.ceil((drive + service[:, None]) / self.unit_s - 1e-6)
            units = np.where(np.isfinite(units), units, FAR).astype(np.int64)
            transits[key] = routing.RegisterTransitMatrix(units.tolist())
            if self.times.has_lengths:
                metres = self.times.arrays.length_m[profile][np.ix_(at, at)].copy()
                metres[:, nobody] = 0.0
                lengths[profile] = metres
        routing.AddDimensionWithVehicleTransits(
            [transits[_timing(v)] for v in problem.vehicles], self.horizon, self.horizon, False, "time"
        )
        self.time = routing.GetDimensionOrDie("time")
        if lengths:
            evaluators = [routing.RegisterTransitMatrix(np.ceil(np.minimum(lengths[v.profile], FAR)).astype(np.int64).tolist())
                          for v in problem.vehicles[:1]]  # fmt: skip
            self.measured = any(v.max_length_m is not None for v in problem.vehicles)
            if self.measured:
                routing.AddDimension(evaluators[0], 0, FAR, True, "metres")
        self._arc_costs(lengths, drives)
        for r, vehicle in enumerate(problem.vehicles):
            self._vehicle(r, vehicle)

    def _arc_costs(self, lengths: dict[int, npt.NDArray[np.float64]], drives: dict[int, npt.NDArray[np.float64]]) -> None:
        """Costs are scaled so that a unit of time costs about 100: whole numbers lose nothing that matters."""
        vehicles = self.problem.vehicles
        per_unit = max(((v.cost_per_s + v.cost_per_driving_s) * self.unit_s for v in vehicles), default=0.0)
        per_metre = max((v.cost_per_m for v in vehicles), default=0.0)
        self.scale = 100.0 / per_unit if per_unit > 0 else 100.0 / (per_metre * self.unit_s) if per_metre > 0 else 1.0
        known: dict[tuple[int, float, float], int] = {}
        for r, vehicle in enumerate(vehicles):
            if (vehicle.profile in lengths and vehicle.cost_per_m > 0) or vehicle.cost_per_driving_s > 0:
                key = (vehicle.profile, vehicle.cost_per_m, vehicle.cost_per_driving_s)
                if key not in known:
                    cost = drives[vehicle.profile] * vehicle.cost_per_driving_s
                    if vehicle.profile in lengths:
                        cost = cost + lengths[vehicle.profile] * vehicle.cost_per_m
                    cost = np.minimum(cost * self.scale, FAR)
                    known[key] = self.routing.RegisterTransitMatrix(np.rint(cost).astype(np.int64).tolist())
                self.routing.SetArcCostEvaluatorOfVehicle(known[key], r)
            self.routing.SetFixedCostOfVehicle(self._cost(vehicle.fixed_cost), r)
            self.time.SetSpanCostCoefficientForVehicle(round(vehicle.cost_per_s * self.unit_s * self.scale), r)

    def _vehicle(self, r: int, vehicle: Vehicle) -> None:
        start = self.problem.depots[vehicle.start_depot_idx].window
        end = start if vehicle.end_depot_idx is None else self.problem.depots[vehicle.end_depot_idx].window
        opens, closes = max(vehicle.shift.start_s, start.start_s), min(vehicle.shift.end_s, start.end_s)
        back = vehicle.shift.end_s if vehicle.end_depot_idx is None else min(vehicle.shift.end_s, end.end_s)
        if opens > closes or opens > back:
            return  # never used: every shipment is kept off it
        self._range(self.routing.Start(r), opens, closes)
        self._range(self.routing.End(r), opens, back)
        if vehicle.max_duration_s is not None:
            self.time.SetSpanUpperBoundForVehicle(max(0, math.floor(vehicle.max_duration_s / self.unit_s)), r)
        if vehicle.max_length_m is not None and self.measured:  # HasDimension of 9.15 takes no str
            metres = self.routing.GetDimensionOrDie("metres")
            metres.CumulVar(self.routing.End(r)).SetMax(math.floor(vehicle.max_length_m))
        self.routing.AddVariableMinimizedByFinalizer(self.time.CumulVar(self.routing.End(r)))
        self.routing.AddVariableMaximizedByFinalizer(self.time.CumulVar(self.routing.Start(r)))

    def _range(self, index: int, low_s: float, high_s: float) -> None:
        low = min(self.horizon, max(0, math.ceil((low_s - self.zero_s) / self.unit_s - 1e-6)))
        high = min(self.horizon, math.floor((high_s - self.zero_s) / self.unit_s + 1e-6))
        self.time.CumulVar(index).SetRange(low, max(low, high))

    def _loads(self) -> None:
        problem = self.problem
        for d in range(problem.dimensions):
            demand = [0] * self.base
            for shipment_idx, is_delivery in problem.visits:
                load = problem.shipments[shipment_idx].load
                demand.append((load[d] if d < len(load) else 0) * (-1 if is_delivery else 1))
            if not any(demand):
                continue
            index = self.routing.RegisterUnaryTransitVector(demand)
            capacity = [vehicle.capacity[d] if d < len(vehicle.capacity) else 0 for vehicle in problem.vehicles]
            self.routing.AddDimensionWithVehicleCapacity(index, 0, capacity, False, f"load{d}")
            # Goods from the depot are on board at the start: the load is free there, and nothing may be left at the end
            # that was not picked up; the exact check is the caller's.
        if any(v.max_stops is not None for v in problem.vehicles):
            one = self.routing.RegisterUnaryTransitVector([0] * self.base + [1] * len(problem.visits))
            most = [len(problem.visits) if v.max_stops is None else v.max_stops for v in problem.vehicles]
            self.routing.AddDimensionWithVehicleCapacity(one, 0, most, True, "stops")

    def _shipments(self) -> None:
        problem, first = self.problem, 0
        for s, shipment in enumerate(problem.shipments):
            nodes = [first + k for k in range((shipment.pickup is not None) + (shipment.delivery is not None))]
            first += len(nodes)
            indices = [self.manager.NodeToIndex(self.base + v) for v in nodes]
            penalty = self._cost(min(shipment.penalty, 1e9))
            for v, index in zip(nodes, indices, strict=True):
                self._windows(index, problem.visit(v))
                open_at_all = self._is_within_horizon(problem.visit(v))
                vehicles = [r for r in range(len(problem.vehicles)) if open_at_all and self._usable(r, s)]
                if len(vehicles) < len(problem.vehicles):
                    self.routing.VehicleVar(index).SetValues([-1, *vehicles])
            self.routing.AddDisjunction(indices, penalty, len(indices))
            if len(indices) == 2:
                self.routing.AddPickupAndDelivery(*indices)
                solver = self.routing.solver()
                solver.Add(self.routing.VehicleVar(indices[0]) == self.routing.VehicleVar(indices[1]))
                solver.Add(self.time.CumulVar(indices[0]) <= self.time.CumulVar(indices[1]))
                if shipment.max_ride_s is not None:
                    stays = max(problem.visit(nodes[0]).stays_s(vehicle) for vehicle in problem.vehicles)
                    longest = math.floor((shipment.max_ride_s + stays) / self.unit_s)
                    solver.Add(self.time.CumulVar(indices[1]) - self.time.CumulVar(indices[0]) <= longest)

    def _usable(self, r: int, s: int) -> bool:
        vehicle = self.problem.vehicles[r]
        start = self.problem.depots[vehicle.start_depot_idx].window
        opens = max(vehicle.shift.start_s, start.start_s)
        return self.problem.may_carry(r, s) and opens <= min(vehicle.shift.end_s, start.end_s)

    def _is_within_horizon(self, visit: Visit) -> bool:
        """Whether some window is open while any vehicle may be on the road; else nobody can come."""
        end_s = self.zero_s + self.horizon * self.unit_s
        return not visit.windows or any(w.end_s >= self.zero_s and w.start_s <= end_s for w in visit.windows)

    def _windows(self, index: int, visit: Visit) -> None:
        if visit.due_s is not None and visit.late_cost_per_s:
            due = min(self.horizon, max(0, math.floor((visit.due_s - self.zero_s) / self.unit_s)))
            self.time.SetCumulVarSoftUpperBound(index, due, self._cost(visit.late_cost_per_s * self.unit_s))
        if not visit.windows:
            return
        self._range(index, visit.windows[0].start_s, visit.windows[-1].end_s)
        for one, two in zip(visit.windows, visit.windows[1:], strict=False):
            shut = math.floor((one.end_s - self.zero_s) / self.unit_s) + 1
            opens = math.ceil((two.start_s - self.zero_s) / self.unit_s) - 1
            if shut <= opens and opens >= 0:
                self.time.CumulVar(index).RemoveInterval(max(0, shut), opens)

    def _breaks(self) -> None:
        solver = self.routing.solver()
        for r, vehicle in enumerate(self.problem.vehicles):
            if not vehicle.breaks:
                continue
            service = [0] * self.base + [
                math.ceil(self.problem.visit(v).stays_s(vehicle) / self.unit_s) for v in range(len(self.problem.visits))
            ]
            visit_transits = [service[self.manager.IndexToNode(index)] for index in range(self.routing.Size())]
            intervals = [
                solver.FixedDurationIntervalVar(
                    max(0, math.ceil((rest.earliest_s - self.zero_s) / self.unit_s)),
                    max(0, math.floor((rest.latest_s - self.zero_s) / self.unit_s)),
                    math.ceil(rest.duration_s / self.unit_s),
                    False,
                    f"break {r} {k}",
                )
                for k, rest in enumerate(vehicle.breaks)
            ]
            self.time.SetBreakIntervalsOfVehicle(intervals, r, visit_transits)

    def _cost(self, cost: float) -> int:
        return round(min(cost * self.scale, float(1 << 50)))


def _timing(vehicle: Vehicle) -> tuple[int, str, float]:
    """What the times of a vehicle depend on."""
    return vehicle.profile, vehicle.service_class, vehicle.service_factor


def _unit(span_s: float) -> float:
    """Whole seconds for real days; finer for benchmark instances, whose unit of time is arbitrary."""
    return 1.0 if span_s > 20_000 else 0.01
