"""Max pressure: serve the stage that moves most vehicles from long queues to short ones, counting the time lost.

A movement presses with its queue less the vehicles waiting where it leads; a stage with the sum over its movements.
Three things are added to the textbook, because lamps cost time to change and streets are finite:

* a stage is worth its pressure *per second it takes*, the intergreen included, and the present one is held until
  another is clearly better (stage holding);
* a movement into a full exit presses nothing (spillback), so no green is spent, and no junction blocked, by vehicles
  that cannot leave;
* pressure grows with the time a movement has not been served, so that few vehicles are not left for the maximum red.

References
----------
P. Varaiya, "Max pressure control of a network of signalized intersections", Transportation Research C 36 (2013),
doi:10.1016/j.trc.2013.08.014. Holding by time lost follows M. W. Levin et al., "Max-pressure control with cyclical
phase structure", Transportation Research C 120 (2020), doi:10.1016/j.trc.2020.102828, in spirit, without the cycle.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from traffic_lights.adaptive.strategy import StageView
from traffic_lights.detection import Detection
from traffic_lights.errors import InvalidRequestError
from traffic_lights.guard_tables import GuardTables
from traffic_lights.model.intersection import Intersection


@dataclass(frozen=True, slots=True)
class MaxPressureParams:
    """How max pressure weighs what it sees.

    Attributes
    ----------
    approaching_weight : float
        How much of a moving vehicle counts as queued.
    downstream_weight : float
        How much the vehicles on the exit take off the pressure.
    yield_weight : float
        Share of its pressure a movement has while it would have to give way.
    hold_factor : float
        The present stage is kept until another is this much better, at least 1.
    loss_factor : float
        Seconds that a second of intergreen counts.
    wait_scale_s : float
        Pressure doubles after this long without green.
    headway_s : float
        Time a queued vehicle takes to leave its lane.
    min_space_veh : float
        An exit with less space than this counts as full.
    """

    approaching_weight: float = 1.0
    downstream_weight: float = 0.3
    yield_weight: float = 0.6
    hold_factor: float = 1.3
    loss_factor: float = 2.0
    wait_scale_s: float = 120.0
    headway_s: float = 2.0
    min_space_veh: float = 1.0

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if not 0 <= getattr(self, name) < 1e6:
                raise InvalidRequestError(f"max pressure: {name} must be a number ≥ 0, got {getattr(self, name)}", name)
        if self.hold_factor < 1 or self.wait_scale_s <= 0:
            raise InvalidRequestError("max pressure: hold_factor must be ≥ 1 and wait_scale_s > 0", "hold_factor")


class MaxPressure:
    """Max pressure for one intersection; remembers only when each movement was last served."""

    def __init__(self, intersection: Intersection, tables: GuardTables, params: MaxPressureParams | None = None) -> None:
        self._params = params or MaxPressureParams()
        group = np.array([m.group for m in intersection.movements], np.intp)
        self._lanes = np.maximum([m.lanes for m in intersection.movements], 0.01).astype(np.float32)
        # A movement that shares the road with others of less capacity per lane presses the less.
        flow = np.array([m.saturation_flow_vph for m in intersection.movements], np.float32) / (1800.0 * self._lanes)
        self._green: npt.NDArray[np.bool_] = intersection.green[:, group]
        self._protected = self._green & ~tables.shows_yield[:, group]
        weight = np.where(self._protected, 1.0, self._params.yield_weight) * self._green * flow
        self._weight: npt.NDArray[np.float32] = weight.astype(np.float32)
        self._clear_s_per_veh = (self._protected * (self._params.headway_s / self._lanes)).astype(np.float32)
        self._shortest_s = tables.stage_min_s.astype(np.float32)
        self._lost_s = (self._params.loss_factor * tables.transition_s).astype(np.float32)
        self._out_of_reach = ~intersection.transitions
        np.fill_diagonal(self._out_of_reach, False)
        self._served_s: npt.NDArray[np.int64] | None = None

    def pressures(self, detection: Detection, waited_s: npt.NDArray[np.float32] | float = 0.0) -> npt.NDArray[np.float32]:
        """Pressure of every stage, float32[s], in vehicles."""
        p = self._params
        waiting = detection.queue_veh + p.approaching_weight * detection.approaching_veh
        # Never quite zero while somebody waits: an empty-looking stage with a queue is still better than none.
        pressure = np.maximum(waiting - p.downstream_weight * detection.downstream_veh * self._lanes, 0.1 * waiting)
        pressure = np.where(detection.downstream_space_veh < p.min_space_veh, 0.0, pressure * (1.0 + waited_s / p.wait_scale_s))
        return np.asarray(self._weight @ pressure, np.float32)

    def choose(self, view: StageView, detection: Detection) -> int:
        """Stage with the highest pressure per second it takes; the present one if none is clearly better."""
        p, here = self._params, view.stage
        if self._served_s is None:
            self._served_s = np.full(len(self._lanes), view.time_s, np.int64)
        self._served_s[self._green[here]] = view.time_s
        pressure = self.pressures(detection, (view.time_s - self._served_s).astype(np.float32))
        vehicles = detection.queue_veh + p.approaching_weight * detection.approaching_veh
        clear_s = (self._clear_s_per_veh * vehicles).max(axis=1, initial=0.0)
        shortest = self._shortest_s.copy()
        shortest[here] = 1.0
        rate = pressure / (np.maximum(clear_s, shortest) + self._lost_s[here])
        rate[here] *= p.hold_factor
        rate[self._out_of_reach[here]] = -1.0
        best = int(rate.argmax())
        return best if rate[best] > rate[here] else here
