"""Work whose caller has gone ends, and leaves its thread to others."""

import asyncio
import threading
import time
from typing import Any

import numpy as np
import pytest
from traboule.journeys.v1 import itinerary_pb2 as pb
from traboule.journeys.v1 import matrix_pb2, tour_pb2

from services.common.deadline import Deadline, current_deadline, run_in_thread, set_deadline, threads_for_calls
from services.common.errors import DeadlineExceeded
from services.journeys.keeper import ViewKeeper
from services.journeys.matrices import get_matrix
from tests.builders.journeys import TRINDADE, at, point
from tests.builders.waiting import PATIENCE_S

RNG = np.random.default_rng(5)


def _points(count: int) -> list[tuple[float, float]]:
    places = zip(RNG.uniform(41.145, 41.17, count), RNG.uniform(-8.65, -8.59, count), strict=True)
    return [(float(lat), float(lon)) for lat, lon in places]


async def _until_no_thread(name: str) -> None:
    while any(thread.name == name for thread in threading.enumerate()):
        await asyncio.sleep(0.1)


async def test_a_tour_that_nobody_waits_for_is_not_thought_out(stub: Any) -> None:
    """The caller leaves while the order is searched for, with a minute to think: the search ends long before."""
    visits = [tour_pb2.Visit(visit_id=str(k), location=point(place), duration_s=60) for k, place in enumerate(_points(15))]
    request = tour_pb2.PlanTourRequest(
        start=point(TRINDADE), visits=visits, depart_at_unix_s=at("08:30"), modes=[pb.MODE_WALK], time_limit_s=60
    )
    call = asyncio.ensure_future(_awaited(stub.PlanTour(request)))
    while not any(thread.name == "visit order" for thread in threading.enumerate()):
        assert not call.done()
        await asyncio.sleep(0.02)
    call.cancel()
    began = time.monotonic()
    await _until_no_thread("visit order")
    assert time.monotonic() - began < 50


async def _awaited(call: Any) -> Any:
    return await call


async def test_a_matrix_that_nobody_waits_for_is_not_computed(keeper: ViewKeeper) -> None:
    """The time is looked at before each place."""
    places = [point(place) for place in _points(30)]
    request = matrix_pb2.GetMatrixRequest(
        origins=places, destinations=places, mode=pb.MODE_TRANSIT, depart_at_unix_s=at("08:30")
    )
    set_deadline(Deadline(0.0))
    with pytest.raises(DeadlineExceeded):
        get_matrix(keeper.view, request, at("08:30"))


async def test_calls_have_threads_of_their_own() -> None:
    """As many calls as there are threads keep nothing else from running in a thread; each knows its deadline."""
    release = threading.Event()
    with threads_for_calls(2, "test"):
        set_deadline(Deadline(123.0))
        waiting = [asyncio.create_task(run_in_thread(release.wait, 60)) for _ in range(2)]
        seen = asyncio.create_task(run_in_thread(lambda: current_deadline().remaining_s))
        await asyncio.sleep(0.1)
        assert await asyncio.wait_for(asyncio.to_thread(lambda: threading.current_thread().name), PATIENCE_S)
        assert not seen.done()
        release.set()
        assert await asyncio.gather(*waiting) == [True, True]
        assert 0 < await seen < 124
