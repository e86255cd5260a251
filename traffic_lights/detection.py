"""What detectors of one intersection say, per movement."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from traffic_lights.errors import InvalidDetectionError

Float = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """Detector values of one second; m movements, in the order of `Intersection.movements`.

    Attributes
    ----------
    queue_veh : float32[m]
        Vehicles standing before the stop line.
    approaching_veh : float32[m]
        Vehicles moving towards it within the detected range.
    downstream_veh : float32[m]
        Vehicles on the exit of the movement, as far as it is detected (0 = not detected).
    downstream_space_veh : float32[m]
        Vehicles that still fit there (inf = not known to be limited).
    age_s : int32[m]
        Seconds since the detector of the movement last reported.
    gap_s : float32[m], optional
        Seconds since a vehicle was last on the extension detector, a short one some seconds of driving before the stop
        line (0 = one is on it). None = there are no such detectors.
    """

    queue_veh: Float
    approaching_veh: Float
    downstream_veh: Float
    downstream_space_veh: Float
    age_s: npt.NDArray[np.int32]
    gap_s: Float | None = None

    def __post_init__(self) -> None:
        counts = [self.queue_veh, self.approaching_veh, self.downstream_veh]
        columns = [*counts, self.downstream_space_veh, self.age_s, *([] if self.gap_s is None else [self.gap_s])]
        if not len({c.shape for c in columns}) == self.queue_veh.ndim == 1:
            raise InvalidDetectionError(f"columns of different shapes {[c.shape for c in columns]}", "queue_veh")
        # One pass over all columns: NaN compares as False too.
        if self.queue_veh.size and not np.concatenate(columns).min() >= 0:
            raise InvalidDetectionError("detector values must not be negative or NaN", "queue_veh")
        if self.queue_veh.size and not np.concatenate(counts).max() < np.inf:
            raise InvalidDetectionError("counts of vehicles must be finite", "queue_veh")
