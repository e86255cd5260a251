"""A location that joins rounds: the times and distances that rounds built with it at once have, for all hours to come."""

import numpy as np
import pytest

from routing.rounds.growing import GrowingTimes
from routing.street.api import StreetEngine
from services.city.snapshot import CitySnapshot
from services.common.clock import CityClock
from services.rounds.city import RoundsCity
from services.rounds.mapping import problem_from_proto
from tests.builders.carriers import MORNING, drawn_problem, shipment


@pytest.mark.slow
def test_a_location_that_joins_has_the_times_and_lengths_of_one_that_was_there(
    porto_snapshot: CitySnapshot, engine: StreetEngine
) -> None:
    """Two hours into the shifts: from the present slot on within a few seconds, exact where slots were looked at."""
    city = RoundsCity(porto_snapshot, CityClock(MORNING + 7200.0, 0.0, 0.0), engine)
    message = drawn_problem(5)
    for vehicle in message.vehicles:
        vehicle.cost.per_km = 0.5
    few = problem_from_proto(message, city.resolve)
    message.shipments.append(shipment(99, 41.1550, -8.6200))
    more = problem_from_proto(message, city.resolve)
    assert few.needs_lengths
    base, wanted, n = city.build_times(few), city.build_times(more), len(more.points)
    growing = GrowingTimes(base.travel_times, 2, len(few.points))
    grown = city.grow_times(growing, base, more)
    assert growing.used == n
    arrays, expected = grown.travel_times.arrays, wanted.travel_times.arrays
    np.testing.assert_array_equal(arrays.length_m[:, :n, :n], expected.length_m)
    present = 7200 // 900
    found, right = arrays.slot_s[:, present:, :n, :n].astype(float), expected.slot_s[:, present:].astype(float)
    assert np.abs(found - right).max() <= 0.03 * right.max()
    np.testing.assert_array_equal(found[:, -1], right[:, -1])
    np.testing.assert_array_equal(found[:, :, : n - 1, : n - 1], right[:, :, : n - 1, : n - 1])
    for own, other in zip(grown.snaps, wanted.snaps, strict=True):
        np.testing.assert_array_equal(own.arc, other.arc)
        np.testing.assert_array_equal(own.fraction, other.fraction)
