"""The queue model with state: seeded, obeys the aspects it is given, tells what detectors would see.

Point queues with finite storage: a vehicle enters a link, reaches the stop line after the free travel time, draws its
movement, waits in the queue of that movement, and leaves at saturation flow while its group is green (two seconds of
start-up, two seconds into yellow) if the next link has room: queues spill back. Permissive turns use gaps of those they
give way to, and two vehicles clear the junction when their green ends. Queues of one approach do not block each other.

References
----------
C. F. Daganzo, "Fundamentals of Transportation and Traffic Operations" (1997), point queues; M. Papageorgiou et al.,
"Review of road traffic control strategies", Proceedings of the IEEE 91 (2003), store-and-forward models.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from traffic_lights.detection import Detection
from traffic_lights.kernels.queue import ENTERED, GENERATED, LEFT, STOPS, step_queues
from traffic_lights.simulation.network import OUTSIDE_STORAGE_VEH, QueueNetwork

DETECTION_HORIZON_S = 10


@dataclass(frozen=True, slots=True)
class SimulationTotals:
    """What happened since the begin.

    Attributes
    ----------
    seconds, generated, entered, left, inside, waiting_outside, stops : int
        `generated = entered + waiting_outside`, `entered = left + inside`.
    delay_s : float
        Vehicle seconds spent standing, before the network included.
    queue_veh : int
        Standing now.
    """

    seconds: int
    generated: int
    entered: int
    left: int
    inside: int
    waiting_outside: int
    stops: int
    delay_s: float
    queue_veh: int

    @property
    def mean_delay_s(self) -> float:
        """Delay of a generated vehicle so far."""
        return self.delay_s / max(1, self.generated)

    @property
    def stops_per_vehicle(self) -> float:
        """Stops of a generated vehicle so far."""
        return self.stops / max(1, self.generated)


class Simulation:
    """One run; `step` once a second."""

    def __init__(self, network: QueueNetwork, seed: int = 1) -> None:
        links, movements = len(network.link_ids), len(network.movement_from)
        self._n, self._now = network, 0
        # Any odd multiplier spreads small seeds over the whole state; zero is the one forbidden state. Arrivals and turns
        # draw from streams of their own, so that controllers are compared on the same arrivals.
        states = [((2 * seed + k) * 0x9E3779B97F4A7C15 + 0x632BE59BD9B4E019) & ((1 << 64) - 1) or 1 for k in (0, 1)]
        self._rng, self._turn_rng = np.array(states[:1], np.uint64), np.array(states[1:], np.uint64)
        # Movements by site, and where each site's begin; groups of all sites one after the other.
        self._by_site = np.concatenate(network.movement_order)
        self._bounds = np.cumsum([0] + [len(o) for o in network.movement_order]).tolist()
        first_group = np.cumsum([0] + [len(x.groups) for x in network.intersections])
        self._group = first_group[network.movement_site] + network.movement_group
        self._to_site = network.movement_to[self._by_site]
        self._from_site = network.movement_from[self._by_site]
        self._bounded = network.link_storage_veh[self._to_site] < OUTSIDE_STORAGE_VEH
        self._ages = np.zeros(len(self._by_site), np.int32)
        self._backlog, self._count = np.zeros(links, np.int64), np.zeros(links, np.int64)
        self._moving = np.zeros((links, int(network.link_travel_s.max(initial=0)) + DETECTION_HORIZON_S + 1), np.int32)
        self._queue, self._tokens = np.zeros(movements, np.int64), np.zeros(movements)
        self._green_age, self._yellow_age = np.zeros(movements, np.int32), np.zeros(movements, np.int32)
        self._sent, self._stops = np.zeros(movements, np.int32), np.zeros(movements, np.int64)
        self._totals, self._delay_s = np.zeros(4, np.int64), np.zeros(links)

    @property
    def network(self) -> QueueNetwork:
        """What is simulated."""
        return self._n

    def step(self, aspects: list[bytes]) -> None:
        """Advance one second with what each intersection shows."""
        n = self._n
        shown = np.frombuffer(b"".join(aspects), np.uint8)[self._group]
        step_queues(
            self._now, shown, n.link_travel_s, n.link_storage_veh, n.link_rate_vps, n.first_movement, n.movement_from,
            n.movement_to, n.movement_share, n.movement_flow_vps, n.first_foe, n.foes, self._rng, self._turn_rng, self._backlog,
            self._moving, self._count, self._queue, self._tokens, self._green_age, self._yellow_age, self._sent, self._totals,
            self._delay_s, self._stops,
        )  # fmt: skip
        self._now += 1

    def detect(self) -> list[Detection]:
        """What detectors of every intersection see now."""
        n = self._n
        slots = (self._now + np.arange(DETECTION_HORIZON_S)) % self._moving.shape[1]
        near = self._moving[:, slots].sum(axis=1)
        queue = self._queue[self._by_site].astype(np.float32)
        coming = (near[self._from_site] * n.movement_share[self._by_site]).astype(np.float32)
        count, storage = self._count[self._to_site], n.link_storage_veh[self._to_site]
        down = np.where(self._bounded, count, 0).astype(np.float32)
        space = np.where(self._bounded, np.maximum(storage - count, 0), np.inf).astype(np.float32)
        slices = [slice(a, b) for a, b in pairwise(self._bounds)]
        return [Detection(queue[s], coming[s], down[s], space[s], self._ages[s]) for s in slices]

    def totals(self) -> SimulationTotals:
        """Sums since the begin."""
        t = self._totals
        return SimulationTotals(
            self._now, int(t[GENERATED]), int(t[ENTERED]), int(t[LEFT]), int(self._count.sum()), int(self._backlog.sum()),
            int(t[STOPS]), float(self._delay_s.sum()), int(self._queue.sum()),
        )  # fmt: skip

    def site_figures(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Per intersection: delay (s) on its approaches, stops, vehicles standing."""
        n, sites = self._n, len(self._n.intersections)
        site_of_link = np.full(len(n.link_ids), -1)
        site_of_link[n.movement_from] = n.movement_site
        known = site_of_link >= 0
        delay = np.bincount(site_of_link[known], weights=self._delay_s[known], minlength=sites).astype(np.float64)
        stops = np.bincount(n.movement_site, weights=self._stops, minlength=sites).astype(np.int64)
        queue = np.bincount(n.movement_site, weights=self._queue, minlength=sites).astype(np.int64)
        return delay, stops, queue
