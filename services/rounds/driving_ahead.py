"""What driving ahead of the vehicles of a plan takes by the traffic of now, beside what the plan says."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from routing.rounds.api import Plan
from routing.rounds.plan import DeliveryRound
from routing.rounds.standing import frozen_stops
from routing.street.pair_functions import FAR, stitch_in_place, wait_until_open
from services.common.live.traffic import LiveTraffic
from services.rounds.city import BuiltTimes, RoundsCity
from services.rounds.mapping import MOTOR_MODES, MappedProblem

HORIZON_S = 90 * 60.0
"""How far ahead is looked: what is measured now has faded to 14 % by then (`routing.forecast.traffic.RESIDUAL_TAU_S`). A drive
counts as this long at most: what waits for a street to open is as long before and after."""
LEAST_S = 60.0
"""Changes of a vehicle's driving below this are none."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """Driving ahead of one vehicle, seconds: as planned, and by the traffic of now; whether a way is closed now."""

    planned_s: float
    now_s: float
    closed: bool = False

    @property
    def change(self) -> float:
        """Share by which it became longer (or, below zero, shorter)."""
        return (self.now_s - self.planned_s) / max(self.planned_s, 1.0)

    def matters(self, share: float) -> bool:
        """Whether it changed by `share` and more."""
        return abs(self.change) >= share and abs(self.now_s - self.planned_s) >= LEAST_S


@dataclass(frozen=True, slots=True)
class _Leg:
    """A drive ahead: location indices, when it is left for, what it takes as planned (engine seconds)."""

    vehicle: int
    source: int
    target: int
    left_s: float
    drive_s: float


def driving_ahead(
    city: RoundsCity, mapped: MappedProblem, built: BuiltTimes, plan: Plan, traffic: LiveTraffic | None, now_s: float
) -> dict[int, Ahead]:
    """Driving of motor vehicles to the stops they leave for within `HORIZON_S`, by vehicle; one set of weights a slot.

    Durations are made of the slots' speeds as those that rounds are planned with, so that a plan that goes by this traffic
    already differs by rounding only.
    """
    legs: dict[int, list[_Leg]] = {}
    for one in plan.rounds:
        profile = mapped.problem.vehicles[one.vehicle_idx].profile
        if mapped.modes[profile] in MOTOR_MODES:
            legs.setdefault(profile, []).extend(_legs(mapped, one, now_s))
    found: dict[int, Ahead] = {}
    for p, own in legs.items():
        for leg, takes_s in zip(own, _takes(city, mapped, built, p, traffic, own), strict=True):
            before = found.get(leg.vehicle, Ahead(0.0, 0.0))
            planned_s = min(leg.drive_s, HORIZON_S)
            shut = before.closed or (takes_s == HORIZON_S > planned_s)
            found[leg.vehicle] = Ahead(before.planned_s + planned_s, before.now_s + takes_s, shut)
    return found


def compare_ahead(
    city: RoundsCity, mapped: MappedProblem, built: BuiltTimes, plan: Plan, traffic: LiveTraffic | None, now_s: float
) -> dict[int, Ahead]:
    """`driving_ahead`; where vehicles stop in bays, whose walks are part of what a plan says, beside the traffic of `built`."""
    ahead = driving_ahead(city, mapped, built, plan, traffic, now_s)
    if not mapped.kerbs.at or traffic is built.traffic:
        return ahead
    before = driving_ahead(city, mapped, built, plan, built.traffic, now_s)
    return {r: Ahead(before[r].now_s, one.now_s, one.closed and not before[r].closed) for r, one in ahead.items()}


def _legs(mapped: MappedProblem, one: DeliveryRound, now_s: float) -> list[_Leg]:
    """Drives to stops that the vehicle has not set off for."""
    r, problem = one.vehicle_idx, mapped.problem
    vehicle, done, left, legs = problem.vehicles[r], len(frozen_stops(one, now_s)), one.departure_s, list[_Leg]()
    at = problem.depots[vehicle.start_depot_idx].location_idx
    for k, stop in enumerate(one.stops):
        to = problem.visit(stop.visit_idx).location_idx
        if k >= done and left <= now_s + HORIZON_S and to != at:
            legs.append(_Leg(r, at, to, left, stop.driven_s(left) - mapped.parking_of(vehicle.profile, at, to)))
        at, left = to, stop.left_s
    return legs


def _takes(
    city: RoundsCity, mapped: MappedProblem, built: BuiltTimes, p: int, traffic: LiveTraffic | None, legs: list[_Leg]
) -> list[float]:
    """Seconds that every leg takes, `HORIZON_S` at most."""
    if not legs:
        return []
    slots, left = built.slots_s, np.array([leg.left_s for leg in legs])
    at = np.clip(np.searchsorted(slots, left, "right") - 1, 0, len(slots) - 1)
    last = min(len(slots) - 1, int(np.searchsorted(slots, left.max() + min(max(leg.drive_s for leg in legs), HORIZON_S))) + 1)
    first = int(at.min())
    places = np.unique([place for leg in legs for place in (leg.source, leg.target)])
    snaps = built.snaps[p].take(places)
    source, target = (np.searchsorted(places, [getattr(leg, name) for leg in legs]) for name in ("source", "target"))
    wanted = np.zeros((len(places), len(places)), np.bool_)
    wanted[source, target] = True

    def raw_ms(k: int) -> npt.NDArray[np.uint32]:
        metric = city.slot_metric(p, mapped, traffic, built.incidents, slots, k)
        return city.street.some_to_some(metric, snaps, snaps, wanted)[source, target]

    table = np.minimum(np.stack(city.each_slot(range(first, last + 1), raw_ms)), FAR).astype(np.int32)[:, None, :]
    stitch_in_place(slots[first : last + 1], table)
    wait_until_open(slots[first : last + 1], table)
    takes = np.minimum(table[:, 0], HORIZON_S)
    arrivals = slots[first : last + 1, None] + takes
    if last == first:
        return [float(one) for one in takes[0]]
    inside = np.clip(left, slots[first], slots[last])
    return [float(np.interp(t, slots[first : last + 1], arrivals[:, c])) - t for c, t in enumerate(inside.tolist())]


def in_words(mapped: MappedProblem, changed: Mapping[int, Ahead]) -> str:
    """Why times are built anew: the vehicle whose driving changed most, and how many others."""
    r, most = max(changed.items(), key=lambda item: abs(item[1].change))
    name = mapped.problem.vehicles[r].id
    what = "a way is closed" if most.closed else f"{abs(most.change):.0%} {'slower' if most.change > 0 else 'quicker'}"
    others = f" and {len(changed) - 1} other{'s' if len(changed) > 2 else ''}" if len(changed) > 1 else ""
    return f"live traffic ahead of {name}{others}: {what}"
