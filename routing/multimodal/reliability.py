"""Probability that a journey works as planned.

A transfer is missed when the feeder's further delay exceeds the slack. The further delay of a vehicle is taken as
exponential (bus punctuality studies find right-skewed lateness; TCQSM 3rd ed., TRB 2013, ch. 4): mean 90 s when the
trip is only scheduled, 40 s when a real-time prediction is already in the times. First form: no correlation between legs.
"""

import math

from routing.multimodal.model import Leg, LegMode

MEAN_DELAY_SCHEDULED_S = 90.0
MEAN_DELAY_REALTIME_S = 40.0


def transfer_probability(slack_s: int, *, realtime: bool) -> float:
    """P(further delay ≤ slack) for one transfer; 0 for a negative slack."""
    if slack_s < 0:
        return 0.0
    return 1.0 - math.exp(-(slack_s + 30.0) / (MEAN_DELAY_REALTIME_S if realtime else MEAN_DELAY_SCHEDULED_S))


def journey_reliability(legs: tuple[Leg, ...]) -> float:
    """Product over transfers (vehicle to vehicle) and car parks of `legs`."""
    probability = 1.0
    feeder: Leg | None = None
    walking_s = 0
    for leg in legs:
        if leg.parking is not None:
            probability *= leg.parking.free_probability
        if leg.mode is LegMode.TRANSIT:
            if feeder is not None and feeder.transit is not None:
                slack = leg.departure_s - feeder.arrival_s - walking_s
                probability *= transfer_probability(slack, realtime=feeder.transit.realtime)
            feeder, walking_s = leg, 0
        else:
            walking_s += leg.duration_s
    return probability
