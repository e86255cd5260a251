"""Criteria order the answer."""

from typing import Any

import pytest
from traboule.journeys.v1 import itinerary_pb2 as pb

from tests.builders.journeys import at, plan_request

ALL = [pb.MODE_WALK, pb.MODE_TRANSIT, pb.MODE_CAR, pb.MODE_BICYCLE]


@pytest.mark.parametrize(
    ("criterion", "cost"),
    [
        (pb.CRITERION_CO2, lambda i: i.co2_g), (pb.CRITERION_WALK, lambda i: i.walk_duration_s),
        (pb.CRITERION_TRANSFERS, lambda i: i.transfer_count), (pb.CRITERION_TIME, lambda i: i.arrival_unix_s),
        (pb.CRITERION_RELIABILITY, lambda i: -i.reliability.success_probability),
    ],
)  # fmt: skip
async def test_the_first_criterion_orders_the_answer(stub: Any, criterion: "pb.Criterion.ValueType", cost: Any) -> None:
    """Best first by what was asked for; only that is said to be best at."""
    answer = await stub.PlanJourneys(plan_request(modes=ALL, criteria=[criterion], window_s=1800, max_itineraries=4))
    costs = [round(cost(itinerary), 6) for itinerary in answer.itineraries]
    assert 1 < len(costs) <= 4
    assert costs == sorted(costs)
    assert [best for itinerary in answer.itineraries for best in itinerary.best_at] == [criterion]


async def test_time_means_a_late_departure_where_the_arrival_is_given(stub: Any) -> None:
    """Who must be there at nine leaves as late as possible."""
    answer = await stub.PlanJourneys(plan_request(arrive_by_unix_s=at("09:30"), modes=ALL, criteria=[pb.CRITERION_TIME]))
    departures = [itinerary.departure_unix_s for itinerary in answer.itineraries]
    assert len(departures) > 1
    assert departures == sorted(departures, reverse=True)
