"""Latest detector values of one intersection, and what the engine is told of them."""

import math
from dataclasses import dataclass, field

import numpy as np
from traboule.signals.v1 import control_pb2, intersection_pb2

from traffic_lights.detection import Detection
from traffic_lights.model.intersection import Intersection

UNKNOWN_AGE_S = 1 << 20
DEFAULT_STALE_S = 10
FUTURE_TOLERANCE_S = 5.0
OCCUPIED_QUEUE_VEH = 5.0
"""Queue assumed behind a loop that is occupied all the time and tells nothing else."""
_SENSING = (
    intersection_pb2.Detector.KIND_LOOP,
    intersection_pb2.Detector.KIND_AREA,
    intersection_pb2.Detector.KIND_UNSPECIFIED,
)


@dataclass(slots=True)
class DetectorBoard:
    """Keeps the newest value of every detector.

    Attributes
    ----------
    intersection : Intersection
    detectors : dict[str, intersection_pb2.Detector]
        By id.
    """

    intersection: Intersection
    detectors: dict[str, intersection_pb2.Detector]
    newest: dict[str, control_pb2.Detection] = field(default_factory=dict)
    vehicles_since_tick: int = 0

    def accept(self, value: control_pb2.Detection, now_s: float) -> str | None:
        """Take one value; why not, in words, when it cannot be used."""
        where = f"detector {value.detector_id!r} of {value.intersection_id!r}"
        if value.detector_id not in self.detectors:
            return f"{where} is not known"
        figures = [value.vehicle_count, value.occupancy, value.queue_vehicles, value.mean_speed_kmh]  # 0 where absent
        if not all(0 <= figure < math.inf for figure in figures):
            return f"{where}: counts, occupancy and speed must be finite and not negative"
        at_s = value.observed_unix_ms / 1000
        if at_s > now_s + FUTURE_TOLERANCE_S:
            return f"{where}: observed {at_s - now_s:.0f} s in the future"
        known = self.newest.get(value.detector_id)
        # What was observed "in the future" dates from before a clock was set back: it must not keep out what is true now.
        if known is not None and value.observed_unix_ms <= known.observed_unix_ms <= (now_s + FUTURE_TOLERANCE_S) * 1000:
            return f"{where}: older than, or the same as, what is known"
        self.newest[value.detector_id] = value
        self.vehicles_since_tick += value.vehicle_count
        return None

    def age_s(self, now_s: float) -> float | None:
        """Age of the newest value, None when there is none."""
        times = [v.observed_unix_ms for v in self.newest.values()]
        return max(0.0, now_s - max(times) / 1000) if times else None

    def list_blind_groups(self) -> list[str]:
        """Signal groups of movements that no detector senses."""
        seen = {group for name, d in self.detectors.items() if self._sensing(name) for group in d.signal_group_ids}
        x = self.intersection
        return sorted({x.groups[m.group].id for m in x.movements} - seen)

    def list_stale(self, now_s: float) -> list[str]:
        """Detectors whose values are too old, or that never sent any."""
        return sorted(d for d in self.detectors if self._sensing(d) and self._lateness_s(d, now_s) > 0)

    def read(self, now_s: float, trusted_s: int) -> Detection:
        """Values per movement.

        A group sees the largest values of its detectors, shared among its movements by lanes. Its age is that of its
        oldest detector, moved so that a detector with a limit of its own is stale exactly when older than `trusted_s`.
        """
        x = self.intersection
        queue, coming = np.zeros(len(x.groups), np.float32), np.zeros(len(x.groups), np.float32)
        age = np.full(len(x.groups), -1, np.int64)
        index = {g.id: i for i, g in enumerate(x.groups)}
        for name, detector in self.detectors.items():
            if not self._sensing(name):
                continue
            value = self.newest.get(name)
            late = max(0, int(np.ceil(self._lateness_s(name, now_s) + trusted_s))) if value else UNKNOWN_AGE_S
            for group in detector.signal_group_ids:
                i = index[group]
                age[i] = max(age[i], late)
                if value is not None:
                    queue[i], coming[i] = max(queue[i], _queue(value)), max(coming[i], value.vehicle_count)
        group_of = np.array([m.group for m in x.movements], np.intp)
        lanes = np.array([m.lanes for m in x.movements], np.float32)
        share = lanes / np.maximum(np.bincount(group_of, weights=lanes, minlength=len(x.groups))[group_of], 1e-6)
        zero = np.zeros(len(x.movements), np.float32)
        ages = np.where(age < 0, UNKNOWN_AGE_S, age)[group_of].astype(np.int32)
        return Detection(
            (queue[group_of] * share).astype(np.float32), (coming[group_of] * share).astype(np.float32), zero,
            np.full(len(x.movements), np.inf, np.float32), ages,
        )  # fmt: skip

    def queue_vehicles(self) -> float:
        """Vehicles standing before all stop lines, as far as sensed."""
        return float(sum(_queue(v) for v in self.newest.values()))

    def _sensing(self, name: str) -> bool:
        return self.detectors[name].kind in _SENSING

    def _lateness_s(self, name: str, now_s: float) -> float:
        """Seconds beyond the detector's limit; negative while it is fresh."""
        value = self.newest.get(name)
        if value is None:
            return float(UNKNOWN_AGE_S)
        age_s = now_s - value.observed_unix_ms / 1000
        if age_s < -FUTURE_TOLERANCE_S:
            return float(UNKNOWN_AGE_S)  # the clock was set back since: how old it is cannot be known
        return age_s - (self.detectors[name].stale_after_s or DEFAULT_STALE_S)


def _queue(value: control_pb2.Detection) -> float:
    if value.HasField("queue_vehicles"):
        return float(value.queue_vehicles)
    return OCCUPIED_QUEUE_VEH * value.occupancy if value.HasField("occupancy") else 0.0
