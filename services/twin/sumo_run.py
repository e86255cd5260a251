"""Step a SUMO scenario with the lamps under our guard."""

import importlib
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import numpy as np

from services.common.errors import InvalidInput, Unimplemented
from services.twin.sumo_net import VEHICLE_SPACE_M, SumoSignal, WatchedLane
from traffic_lights.detection import Detection
from traffic_lights.model.groups import Aspect

LETTERS = {Aspect.RED: "r", Aspect.YELLOW: "y", Aspect.GREEN: "G", Aspect.GREEN_YIELD: "g", Aspect.PEDESTRIAN_CLEARANCE: "y"}
_LETTER = bytes.maketrans(bytes(LETTERS), "".join(LETTERS.values()).encode())
STANDING_MPS = 0.1
EXTENSION_S = 2.0
"""Driving time at the speed limit from the begin of an extension detector to the stop line."""


def load_libsumo() -> ModuleType:
    """Return the `libsumo` module; its remark about the installed pyarrow (it reads no Parquet here) is silenced.

    Raises
    ------
    Unimplemented
        If it is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module("libsumo")
    except ImportError as error:
        raise Unimplemented("the SUMO adapter needs the extra: pip install 'traboule[sumo]'") from error


@dataclass(frozen=True, slots=True)
class LaneWatch:
    """Detector values of the lanes of one traffic light, read once a second.

    Attributes
    ----------
    signal : SumoSignal
    share : float
        Share of vehicles that are detected, in (0, 1]; counts are scaled up by it.
    seed : int
        Which vehicles those are.
    """

    signal: SumoSignal
    share: float = 1.0
    seed: int = 0
    _seen_s: dict[int, float] = field(default_factory=dict)
    """When a vehicle was last on the extension detector of each movement."""

    def read(self, sumo: ModuleType) -> Detection:
        """Values of the present second."""
        seen: dict[str, list[tuple[float, bool]]] = {}
        movements = self.signal.intersection.movements
        m = len(movements)
        queue, moving, down, space = (np.zeros(m, np.float32) for _ in range(4))
        now_s = float(sumo.simulation.getTime())
        for i, movement in enumerate(movements):
            for lane in self.signal.upstream[i]:
                for position_m, slow in self._vehicles(sumo, lane, seen):
                    if lane.length_m - position_m <= lane.reach_m:
                        (queue if slow else moving)[i] += lane.weight * movement.lanes
                    if lane.offset_m + lane.length_m - position_m <= EXTENSION_S * lane.speed_mps:
                        self._seen_s[i] = now_s
            for lane in self.signal.downstream[i]:
                held = sum(position_m <= lane.reach_m for position_m, _ in self._vehicles(sumo, lane, seen))
                down[i] += lane.weight * held
                space[i] += lane.weight * max(0.0, lane.reach_m / VEHICLE_SPACE_M - held)
        gap = np.array([now_s - self._seen_s.get(i, -1e6) for i in range(m)], np.float32)
        return Detection(queue / self.share, moving / self.share, down / self.share, space, np.zeros(m, np.int32), gap)

    def _vehicles(
        self, sumo: ModuleType, lane: WatchedLane, seen: dict[str, list[tuple[float, bool]]]
    ) -> list[tuple[float, bool]]:
        """Position (m) of every detected vehicle on a lane, and whether it stands; each lane is read once."""
        if lane.id not in seen:
            seen[lane.id] = [
                (float(sumo.vehicle.getLanePosition(vehicle)), sumo.vehicle.getSpeed(vehicle) < STANDING_MPS)
                for vehicle in sumo.lane.getLastStepVehicleIDs(lane.id)
                if self.share >= 1.0 or zlib.crc32(f"{self.seed}:{vehicle}".encode()) / 2**32 < self.share
            ]
        return seen[lane.id]


Chooser = Callable[[int, ModuleType], list[bytes]]
"""Given the time (s) and the running simulation: the aspects of every signal for the coming second, in their order."""


@dataclass(frozen=True, slots=True)
class RunFiles:
    """What a run writes."""

    tripinfo: Path
    tls_states: Path


def run_scenario(
    sumocfg: Path,
    signals: tuple[SumoSignal, ...],
    choose: Chooser,
    seed: int,
    files: RunFiles,
    progress: Callable[[int, int], None],
) -> None:
    """Run one scenario from its begin to its end in steps of 1 s, writing trip information and every signal state change.

    Raises
    ------
    InvalidInput
        If SUMO refuses the scenario.
    """
    sumo = load_libsumo()
    additional = files.tls_states.with_suffix(".add.xml")
    entries = "".join(f'<timedEvent type="SaveTLSStates" source="{s.id}" dest="{files.tls_states.name}"/>' for s in signals)
    additional.write_text(f"<additional>{entries}</additional>", encoding="utf-8")
    try:
        sumo.start([
            "sumo", "-c", str(sumocfg), "--step-length", "1", "--time-to-teleport", "-1", "--seed", str(seed),
            "--tripinfo-output", str(files.tripinfo), "--tripinfo-output.write-unfinished", "true",
            "--tripinfo-output.write-undeparted", "true", "--additional-files", str(additional),
            "--no-step-log", "true", "--no-warnings", "true", "--duration-log.disable", "true",
        ])  # fmt: skip
    except sumo.TraCIException as error:
        raise InvalidInput(f"SUMO cannot run {sumocfg}: {error}", field="scenario") from error
    try:
        begin, end = int(sumo.simulation.getTime()), int(sumo.simulation.getEndTime())
        for now in range(begin, end):
            for signal, aspects in zip(signals, choose(now, sumo), strict=True):
                sumo.trafficlight.setRedYellowGreenState(signal.id, aspects.translate(_LETTER).decode())
            sumo.simulationStep()
            progress(now - begin + 1, end - begin)
    finally:
        sumo.close()
        additional.unlink(missing_ok=True)
