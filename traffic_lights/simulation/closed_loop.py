"""Controllers and the queue model in a loop: what is shown moves the vehicles, what they do is detected."""

from collections.abc import Iterator
from dataclasses import dataclass

from traffic_lights.api import Controller
from traffic_lights.errors import InvalidRequestError
from traffic_lights.simulation.network import QueueNetwork
from traffic_lights.simulation.simulation import Simulation, SimulationTotals


@dataclass(frozen=True, slots=True)
class LoopReport:
    """State of a closed-loop run.

    Attributes
    ----------
    time_s : int
        City clock.
    totals : SimulationTotals
    site_delay_s : tuple[float, ...]
    site_queue_veh : tuple[int, ...]
    stages : tuple[int, ...]
        Stage each intersection shows or leaves.
    """

    time_s: int
    totals: SimulationTotals
    site_delay_s: tuple[float, ...]
    site_queue_veh: tuple[int, ...]
    stages: tuple[int, ...]


def run_closed_loop(
    network: QueueNetwork, controllers: tuple[Controller, ...], *, start_s: int, seconds: int, seed: int, every_s: int = 60
) -> Iterator[LoopReport]:
    """Simulate `seconds` seconds; yields a report every `every_s` seconds and at the end.

    Raises
    ------
    InvalidRequestError
        If the controllers are not those of the network's intersections, in order.
    """
    if [c.intersection.id for c in controllers] != [x.id for x in network.intersections]:
        raise InvalidRequestError("the controllers do not match the intersections of the network", "controllers")
    simulation = Simulation(network, seed)
    for second in range(seconds):
        detections = simulation.detect()
        decisions = [c.step(start_s + second, d) for c, d in zip(controllers, detections, strict=True)]
        simulation.step([d.command.aspects for d in decisions])
        if (second + 1) % every_s == 0 or second + 1 == seconds:
            delay, _, queue = simulation.site_figures()
            yield LoopReport(
                start_s + second + 1, simulation.totals(), tuple(float(v) for v in delay), tuple(int(v) for v in queue),
                tuple(d.command.stage for d in decisions),
            )  # fmt: skip
