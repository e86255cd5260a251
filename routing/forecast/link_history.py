"""Profiles of measured links: mean speed by day type and quarter hour, shrunk where little was measured.

The forecast for a horizon is the profile plus the present deviation, damped by ``exp(-horizon / tau)``. Only rows that were
really observed may be given: rows that repeat the last value would flatter any forecast.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from routing.errors import InvalidInput
from routing.forecast.traffic import RESIDUAL_TAU_S, SLOTS_A_DAY

PRIOR_WEIGHT = 6.0
"""Observations the link's own daily mean counts for in each slot."""


@dataclass(frozen=True, slots=True, eq=False)
class LinkHistory:
    """What links usually do.

    Attributes
    ----------
    speed_kmh : float64[links, 3, 96]
        By day type and quarter hour; NaN for links never seen.
    """

    speed_kmh: npt.NDArray[np.float64]

    @classmethod
    def fit(
        cls,
        link: npt.NDArray[np.int64],
        day_type: npt.NDArray[np.int64],
        slot: npt.NDArray[np.int64],
        speed_kmh: npt.NDArray[np.float64],
        link_count: int,
    ) -> "LinkHistory":
        """Learn from observed rows [r]: link index, day type 0–2, quarter hour 0–95, speed.

        Raises
        ------
        InvalidInput
            Columns of different lengths, or speeds that are not positive numbers.
        """
        if not len(link) == len(day_type) == len(slot) == len(speed_kmh):
            raise InvalidInput("columns differ in length", "speed_kmh")
        if not (np.isfinite(speed_kmh) & (speed_kmh > 0)).all():
            raise InvalidInput("speeds must be positive numbers", "speed_kmh")
        cells = link_count * 3 * SLOTS_A_DAY
        cell = (link * 3 + day_type) * SLOTS_A_DAY + slot
        total = np.bincount(cell, speed_kmh, cells).reshape(link_count, 3, SLOTS_A_DAY)
        count = np.bincount(cell, minlength=cells).reshape(link_count, 3, SLOTS_A_DAY)
        with np.errstate(invalid="ignore"):
            mean = total.sum(axis=(1, 2)) / count.sum(axis=(1, 2))
            day = (total.sum(axis=2) + PRIOR_WEIGHT * mean[:, None]) / (count.sum(axis=2) + PRIOR_WEIGHT)
        # Neighbouring quarter hours resemble each other: 1-2-1 smoothing of sums and counts before shrinking.
        total, count = (np.roll(x, 1, -1) + 2 * x + np.roll(x, -1, -1) for x in (total, count))
        return cls((total / 4 + PRIOR_WEIGHT * day[..., None]) / (count / 4 + PRIOR_WEIGHT))

    def predict(
        self,
        link: npt.NDArray[np.int64],
        day_type: npt.NDArray[np.int64],
        slot: npt.NDArray[np.int64],
        last_kmh: npt.NDArray[np.float64],
        last_day_type: npt.NDArray[np.int64],
        last_slot: npt.NDArray[np.int64],
        age_s: npt.NDArray[np.float64],
        tau_s: float = RESIDUAL_TAU_S,
    ) -> npt.NDArray[np.float64]:
        """Speeds [r] at (day type, slot), given the last one measured `age_s` before; NaN `last_kmh` = profile only."""
        usual = self.speed_kmh[link, day_type, slot]
        deviation = last_kmh - self.speed_kmh[link, last_day_type, last_slot]
        return np.maximum(2.0, usual + np.nan_to_num(deviation) * np.exp(-age_s / tau_s))
