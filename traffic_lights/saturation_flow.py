"""Saturation flow of lanes.

References
----------
Highway Capacity Manual (TRB, 6th edition), chapter 19: base rate and factors for turns. The base of 1 800 veh/h per lane
is the usual urban value; widths, gradients and heavy vehicles are not modelled.
"""

from traffic_lights.model.intersection import Turn

BASE_VPH = 1800.0
TURN_FACTOR = {Turn.THROUGH: 1.0, Turn.RIGHT: 0.85, Turn.LEFT: 0.95, Turn.U_TURN: 0.8}


def compute_saturation_flow_vph(lanes: float, turn: Turn) -> float:
    """Vehicles per hour of green that `lanes` (a share where shared) discharge in a protected `turn`."""
    return BASE_VPH * lanes * TURN_FACTOR[turn]
