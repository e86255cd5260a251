"""Footpaths between stops as walkers and wheelchairs can use them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, eq=False)
class Footpaths:
    """Ways between stops; w ways, of which there may be several between the same stops.

    Attributes
    ----------
    from_stop, to_stop : int32[w]
        Stop indices of the timetable.
    duration_s : int32[w]
        Seconds from alighting at one to being able to board at the other.
    """

    from_stop: npt.NDArray[np.int32]
    to_stop: npt.NDArray[np.int32]
    duration_s: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.from_stop)


@dataclass(frozen=True, slots=True, eq=False)
class StreetTransfers:
    """Changes between vehicles with the time that the streets need: for walkers, and without steps."""

    on_foot: Footpaths
    step_free: Footpaths
