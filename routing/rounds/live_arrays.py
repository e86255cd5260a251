"""Arrays of a plan while it is driven: room for new shipments, vehicles as they stand."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from routing.kernels.rounds_route import ProblemArrays
from routing.rounds.arrays import build_arrays, never_drives
from routing.rounds.plan import PlannedStop
from routing.rounds.problem import Problem, Shipment
from routing.rounds.standing import LengthOf, Standing, metres_of, standing_vehicle
from routing.rounds.travel_times import TravelTimes

ROOM = 256
"""Shipments that can be added before the arrays are made anew."""
OFF_THE_ROAD_S = -1e12


class LiveArrays:
    """`ProblemArrays` of a plain problem (`routing.rounds.plain`) that change in place.

    Parameters
    ----------
    problem : Problem
    travel_times : TravelTimes
    room : int
    """

    def __init__(self, problem: Problem, travel_times: TravelTimes, room: int = ROOM) -> None:
        self.whole = build_arrays(problem, travel_times)
        self.shipments, self.visits, self.windows = len(problem.shipments), len(problem.visits), len(self.whole.windows)
        self.arrays = _with_room(self.whole, room)
        self._base, self._drives = self.arrays.dislike.copy(), ~never_drives(self.whole.vehicles)

    def part(self) -> ProblemArrays:
        """The arrays without the room, copied; for slow questions."""
        k, m, arrays = self.shipments, self.visits, self.arrays
        return arrays._replace(
            visits=arrays.visits[:m].copy(), windows=arrays.windows[: self.windows].copy(),
            shipments=arrays.shipments[:k].copy(), demand=arrays.demand[:k].copy(), dislike=arrays.dislike[:k].copy(),
            service_s=arrays.service_s[:, :m].copy(), bond_first=arrays.bond_first[: k + 1].copy(),
            due=arrays.due[:m].copy(), max_ride_s=arrays.max_ride_s[:k].copy(), special=arrays.special[:k].copy(),
        )  # fmt: skip

    def has_room(self, shipment: Shipment) -> bool:
        """Whether the shipment fits."""
        arrays = self.arrays
        fits = self.shipments < len(arrays.shipments) and self.visits + 2 <= len(arrays.visits)
        return fits and self.windows + _windows(shipment) <= len(arrays.windows)

    def add(self, problem: Problem, travel_times: TravelTimes, shipment: Shipment) -> int:
        """Append a shipment; its index. The caller has seen to `has_room`."""
        small = build_arrays(problem.only_with(shipment, problem.location_count), travel_times)
        arrays, s, v, w = self.arrays, self.shipments, self.visits, self.windows
        stops, windows = len(small.visits), len(small.windows)
        arrays.visits[v : v + stops] = small.visits
        own = arrays.visits[v : v + stops]
        own.first_window += w
        own.last_window += w
        own.shipment[:] = s
        own.partner[:] = np.where(small.visits.partner >= 0, small.visits.partner + v, -1)
        arrays.windows[w : w + windows] = small.windows
        arrays.shipments[s] = small.shipments[0]
        arrays.shipments[s : s + 1].first_visit[:] = v
        arrays.shipments[s : s + 1].last_visit[:] = v + stops
        arrays.demand[s] = small.demand[0]
        arrays.service_s[:, v : v + stops] = small.service_s[0]
        carries = [problem.may_carry(r, s) for r in range(len(problem.vehicles))]
        arrays.dislike[s] = self._base[s] = np.where(carries & self._drives, np.float32(0.0), np.float32(np.inf))
        self.shipments, self.visits, self.windows = s + 1, v + stops, w + windows
        return s

    def drop_last(self, stops: int, shipment: Shipment) -> None:
        """Forget the shipment added last, of so many visits."""
        self.shipments, self.visits, self.windows = self.shipments - 1, self.visits - stops, self.windows - _windows(shipment)
        own = self.arrays.shipments[self.shipments : self.shipments + 1]
        own.first_visit[:] = own.last_visit[:] = len(self.arrays.visits) - 1
        own.penalty[:] = 0.0

    def place(self, problem: Problem, r: int, here: Standing, length_m: LengthOf) -> None:
        """Let vehicle `r` stand where it is: start, times and what is left of its limits."""
        metres = metres_of(problem, r, here.done, length_m)
        vehicle, depot = standing_vehicle(problem, r, here, 0, metres)
        end = None if vehicle.end_depot_idx is None else problem.depots[vehicle.end_depot_idx].window.end_s
        own = self.arrays.vehicles[r : r + 1]
        own.start_location[:] = here.location_idx
        own.leave_from_s[:] = max(vehicle.shift.start_s, depot.window.start_s)
        own.leave_by_s[:] = min(vehicle.shift.end_s, depot.window.end_s)
        own.return_by_s[:] = vehicle.shift.end_s if end is None else min(vehicle.shift.end_s, end)
        if here.broken:
            own.return_by_s[:] = own.leave_by_s[:] = OFF_THE_ROAD_S
        own.max_duration_s[:] = np.inf if vehicle.max_duration_s is None else vehicle.max_duration_s
        own.max_length_m[:] = np.inf if vehicle.max_length_m is None else vehicle.max_length_m
        own.max_stops[:] = 2**31 - 1 if vehicle.max_stops is None else vehicle.max_stops
        own.fixed_cost[:] = vehicle.fixed_cost
        first = int(own.last_break[0]) - len(vehicle.breaks)
        own.first_break[:] = max(first, int(self.whole.vehicles[r].first_break))
        own.kind[:] = int(self.whole.vehicles[r].kind) if not here.away else len(self.arrays.vehicles) + r
        self.arrays.capacity[r, : len(vehicle.capacity)] = vehicle.capacity

    def finish(self, problem: Problem, stops: Iterable[PlannedStop]) -> None:
        """Take done stops out of the pairs they belong to: what is left of a pair is a delivery of goods on board."""
        for stop in stops:
            s, is_delivery = problem.visits[stop.visit_idx]
            own = self.arrays.shipments[s : s + 1]
            if not is_delivery and problem.shipments[s].delivery is not None:
                own.first_visit[:] = stop.visit_idx + 1
                self.arrays.visits[stop.visit_idx + 1 : stop.visit_idx + 2].partner[:] = -1

    def undo(self, problem: Problem, stops: Iterable[PlannedStop]) -> None:
        """Take back `finish`."""
        for stop in stops:
            s, is_delivery = problem.visits[stop.visit_idx]
            if not is_delivery and problem.shipments[s].delivery is not None:
                self.arrays.shipments[s : s + 1].first_visit[:] = stop.visit_idx
                self.arrays.visits[stop.visit_idx + 1 : stop.visit_idx + 2].partner[:] = stop.visit_idx

    def bind(
        self, problem: Problem, carried_by: Mapping[int, int], away: np.ndarray, broken: np.ndarray, refused: Iterable[int]
    ) -> None:
        """Say who may carry what: goods on board stay there, nothing is loaded at a start that was left.

        Parameters
        ----------
        carried_by : dict of int to int
            Shipment on board (loaded at the start or picked up) → vehicle that has left with it.
        away, broken : bool[V]
        refused : Iterable of int
            Shipments that are no longer wanted.
        """
        dislike, base = self.arrays.dislike, self._base
        dislike[: self.shipments] = base[: self.shipments]
        loaded = np.array([one.pickup is None for one in problem.shipments], np.bool_)
        dislike[np.ix_(np.flatnonzero(loaded), np.flatnonzero(away))] = np.inf
        for s, r in carried_by.items():
            dislike[s] = np.inf
            dislike[s, r] = base[s, r]
        dislike[:, broken] = np.inf
        dislike[list(refused)] = np.inf

    def bind_last(self, problem: Problem, away: np.ndarray, broken: np.ndarray) -> None:
        """As `bind`, for the shipment added last."""
        s = self.shipments - 1
        if problem.shipments[s].pickup is None:
            self.arrays.dislike[s, away] = np.inf
        self.arrays.dislike[s, broken] = np.inf


def _windows(shipment: Shipment) -> int:
    return sum(len(visit.windows) for visit in (shipment.pickup, shipment.delivery) if visit is not None)


def _with_room(arrays: ProblemArrays, room: int) -> ProblemArrays:
    """Copies of the arrays, longer: the visits that are not there yet are single deliveries of nothing."""
    k, m = len(arrays.shipments), len(arrays.visits)

    def longer(array: Any, more: int, axis: int = 0) -> Any:
        shape = list(array.shape)
        shape[axis] += more
        made = np.zeros(shape, array.dtype)
        made[tuple(slice(0, size) for size in array.shape)] = array
        return made.view(type(array))

    visits, shipments = longer(arrays.visits, 2 * room), longer(arrays.shipments, room)
    visits.partner[m:], visits.is_delivery[m:], visits.shipment[m:] = -1, True, k
    shipments.first_visit[k:] = shipments.last_visit[k:] = m + 2 * room - 1
    bonds = longer(arrays.bond_first, room)
    bonds[k:] = arrays.bond_first[-1]
    dislike = longer(arrays.dislike, room)
    dislike[k:] = np.inf
    due, rides = longer(arrays.due, 2 * room), longer(arrays.max_ride_s, room)
    due[m:, 0] = rides[k:] = np.inf
    return arrays._replace(
        visits=visits, shipments=shipments, bond_first=bonds, dislike=dislike, windows=longer(arrays.windows, 4 * room),
        vehicles=arrays.vehicles.copy(), demand=longer(arrays.demand, room), capacity=arrays.capacity.copy(),
        service_s=longer(arrays.service_s, 2 * room, axis=1), due=due, max_ride_s=rides, special=longer(arrays.special, room),
    )  # fmt: skip
