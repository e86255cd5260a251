"""Heights of the street network, beside its graph: only walking, rolling, cycling and answers in words look at them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from routing.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class StreetHeights:
    """Heights of n nodes, and what m arcs climb and descend; NaN = not known.

    Attributes
    ----------
    node_height_m : float32[n]
        Above sea level.
    arc_climb_m, arc_descent_m : float32[m]
        Metres up and metres down on the way along an arc, both from 0. A street over a hill has both.
    """

    node_height_m: npt.NDArray[np.float32]
    arc_climb_m: npt.NDArray[np.float32]
    arc_descent_m: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.arc_climb_m.shape != self.arc_descent_m.shape:
            raise InvalidInput(
                f"heights: {len(self.arc_climb_m)} climbs for {len(self.arc_descent_m)} descents", "arc_descent_m"
            )


def find_climb_m(
    heights: StreetHeights | None, arcs: npt.NDArray[np.int32], shares: npt.NDArray[np.float64]
) -> tuple[float, float] | None:
    """Metres up and down on a way; None where the height of any part of it is not known.

    Parameters
    ----------
    heights : StreetHeights or None
    arcs : int32[a]
    shares : float64[a]
        Part of each arc that is travelled, 0 to 1; a part is taken to climb as much as the rest of its arc.
    """
    if heights is None:
        return None
    climb, descent = (float(values[arcs] @ shares) for values in (heights.arc_climb_m, heights.arc_descent_m))
    return (climb, descent) if np.isfinite(climb + descent) else None
