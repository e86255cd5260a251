"""Where positions touch the state graph."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Int32 = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Anchors:
    """Where positions touch the state graph (see `routing.kernels.street_anchors`); a rows of k positions.

    Attributes
    ----------
    first : int32[k + 1]
    state, time_ms, arc : int32[a]
    """

    first: Int32
    state: Int32
    time_ms: Int32
    arc: Int32
