"""Intergreen times from distances and speeds.

``intergreen = overrun + clearing − entering``, rounded up, as in the German guidelines: the last vehicle passes the stop
line `overrun` seconds after the end of green, drives its clearing distance and its own length, and the first vehicle of
the other group reaches the conflict point after its entering distance at speed.

References
----------
FGSV, Richtlinien für Lichtsignalanlagen (RiLSA), 2015, section 2.5 (speeds, overrun times, vehicle length).
"""

import math

from traffic_lights.model.intersection import Turn

VEHICLE_LENGTH_M = 6.0
ENTERING_MPS = 40 / 3.6
CLEARING_MPS = {Turn.THROUGH: 10.0, Turn.RIGHT: 7.0, Turn.LEFT: 7.0, Turn.U_TURN: 5.0}
OVERRUN_S = {Turn.THROUGH: 3.0, Turn.RIGHT: 2.0, Turn.LEFT: 2.0, Turn.U_TURN: 2.0}
WALKING_MPS = 1.2


def compute_yellow_s(speed_kmh: float) -> int:
    """Yellow by speed limit: 3 s up to 50 km/h, 4 s up to 60, 5 s above."""
    return 3 if speed_kmh <= 50 else 4 if speed_kmh <= 60 else 5


def compute_vehicle_intergreen_s(turn: Turn, clearing_m: float, entering_m: float) -> int:
    """From the end of green of vehicles making `turn` to the begin of green of vehicles in conflict.

    Parameters
    ----------
    turn : Turn
    clearing_m : float
        From the stop line of the ending group to the conflict point.
    entering_m : float
        From the stop line of the beginning group to it; 0 for pedestrians, who stand beside it.
    """
    clearing_s = (clearing_m + VEHICLE_LENGTH_M) / CLEARING_MPS[turn]
    return max(0, math.ceil(OVERRUN_S[turn] + clearing_s - entering_m / ENTERING_MPS - 1e-9))


def compute_pedestrian_clearance_s(width_m: float) -> int:
    """Time to walk over a carriageway of `width_m`."""
    return math.ceil(width_m / WALKING_MPS - 1e-9)
