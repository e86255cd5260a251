"""How likely a journey works as planned."""

from dataclasses import replace

import pytest

from routing.multimodal.reliability import journey_reliability, transfer_probability
from tests.builders.itineraries import itinerary, parking


def test_more_slack_is_never_less_reliable() -> None:
    """Probability rises with slack, stays within 0..1, and a prediction beats a mere schedule."""
    values = [transfer_probability(s, realtime=False) for s in range(-10, 900, 10)]
    assert values == sorted(values)
    assert values[0] == 0.0
    assert 0.99 < values[-1] < 1.0
    assert transfer_probability(60, realtime=True) > transfer_probability(60, realtime=False)


def test_walking_between_vehicles_uses_up_slack() -> None:
    """The walk of a transfer is not slack."""
    tight = itinerary("T 10:00 transit 600 walk 290 wait 10 transit 300")
    loose = itinerary("T 10:00 transit 600 walk 10 wait 290 transit 300")
    assert journey_reliability(tight.legs) == transfer_probability(10, realtime=False)
    assert journey_reliability(loose.legs) == transfer_probability(290, realtime=False)


def test_car_park_counts() -> None:
    """A car park that is free half of the time halves reliability."""
    drive, walk, ride = itinerary("P 10:00 car 600 walk 60 transit 600").legs
    legs = (replace(drive, parking=parking(0.5)), walk, ride)
    assert journey_reliability(legs) == pytest.approx(0.5)
