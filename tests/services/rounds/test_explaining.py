"""Remedies, prices of constraints and comparisons over real gRPC."""

from typing import Any

import grpc
import pytest
from traboule.rounds.v1 import explain_pb2, plan_pb2
from traboule.rounds.v1 import rounds_service_pb2 as pb

from tests.builders.carriers import MORNING, delivered, drawn_problem, planned, shipment

pytestmark = pytest.mark.slow
Limit = explain_pb2.Relaxation


async def _submitted(stub: Any, problem: Any) -> str:
    request = pb.SubmitRoundsRequest(problem=problem, limits=pb.SolveLimits(max_iterations=60))
    rounds_id: str = (await stub.SubmitRounds(request)).rounds.rounds_id
    async for message in stub.WatchRounds(pb.WatchRoundsRequest(rounds_id=rounds_id)):
        assert message.rounds.state != pb.ROUNDS_STATE_FAILED, message.rounds.explanation
    return rounds_id


async def test_remedies_serve_when_they_are_applied(service: Any) -> None:
    """Too late a window and too heavy a load: the figures told make the order servable when the problem is sent again."""
    stub, *_ = service
    problem = drawn_problem()
    early = shipment(50, 41.1550, -8.6200, task={"windows": [{"start_unix_s": MORNING - 3600, "end_unix_s": MORNING + 1}]})
    heavy = shipment(51, 41.1550, -8.6300, priority=3)
    heavy.loads[:] = [60]
    problem.shipments.extend([early, heavy])
    rounds_id = await _submitted(stub, problem)
    answer = await stub.ExplainUnserved(pb.ExplainUnservedRequest(rounds_id=rounds_id))
    told = {one.shipment_id: one for one in answer.explanations}
    assert set(told) == {"o50", "o51"}
    assert all(one.complete and one.summary and one.remedies for one in told.values())
    [window] = [one for one in told["o50"].remedy_details if one.changes[0].limit == Limit.LIMIT_WINDOW_LATER]
    assert "instead of 08:00" in window.words
    [capacity] = [one for one in told["o51"].remedy_details if one.changes[0].limit == Limit.LIMIT_CAPACITY]
    assert capacity.changes[0].vehicle_id == "van"
    assert {one.vehicle_id for one in told["o51"].obstacles} == {"van", "bike"}
    late = problem.shipments[-2].delivery.windows[0]
    late.end_unix_s += round(window.changes[0].amount + 0.5)
    problem.vehicles[0].capacities[0] += round(capacity.changes[0].amount)
    request = pb.SolveRoundsRequest(problem=problem, limits=pb.SolveLimits(max_iterations=200))
    last = [message async for message in stub.SolveRounds(request)][-1]
    assert {"o50", "o51"} <= set(delivered(last.plan))
    only = await stub.ExplainUnserved(pb.ExplainUnservedRequest(rounds_id=rounds_id, shipment_ids=["o51"], max_remedies=1))
    assert [len(one.remedies) for one in only.explanations] == [1]


async def test_rounds_with_reloads_are_explained_without_remedies(service: Any) -> None:
    """Reasons are told; remedies, which nobody looked for, are not."""
    stub, *_ = service
    problem = drawn_problem()
    for vehicle in problem.vehicles:
        vehicle.may_reload, vehicle.capacities[:] = True, [4]
    heavy = shipment(51, 41.1550, -8.6300)
    heavy.loads[:] = [9]
    problem.shipments.append(heavy)
    rounds_id = await _submitted(stub, problem)
    [told] = (await stub.ExplainUnserved(pb.ExplainUnservedRequest(rounds_id=rounds_id))).explanations
    assert (told.shipment_id, told.reason) == ("o51", plan_pb2.UNSERVED_REASON_CAPACITY)
    assert told.summary
    assert not told.complete
    assert not told.remedies


async def test_prices_and_comparisons(service: Any) -> None:
    """Prices come one after the other; a plan compared with itself changes nothing, with another it says what."""
    stub, *_ = service
    rounds_id = await planned(stub)
    request = pb.PriceConstraintsRequest(rounds_id=rounds_id, constraints=["breaks", "capacities"], time_limit_s=2)
    messages = [message async for message in stub.PriceConstraints(request)]
    assert messages[-1].final
    assert [len(one.prices) for one in messages] == [0, 0, 1, 2]
    assert all(one.words and one.cost > -1.0 for one in messages[-1].prices)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in stub.PriceConstraints(pb.PriceConstraintsRequest(rounds_id=rounds_id, constraints=["weather"])):
            pass
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    same = pb.PlanReference(rounds_id=rounds_id)
    compared = (await stub.ComparePlans(pb.ComparePlansRequest(before=same, after=same))).comparison
    assert list(compared.words) == ["the same orders with the same vehicles at the same times"]
    assert len(compared.orders) == 12
    plan = (await stub.GetRounds(pb.GetRoundsRequest(rounds_id=rounds_id))).rounds.plan
    plan.rounds[0].cost += 100.0
    other = pb.ComparePlansRequest(before=same, after=pb.PlanReference(plan=plan))
    compared = (await stub.ComparePlans(other)).comparison
    assert compared.total.after.cost - compared.total.before.cost == pytest.approx(100.0)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.ComparePlans(pb.ComparePlansRequest(before=same, after=pb.PlanReference(rounds_id="nobody's")))
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND


async def test_windows_are_planned_to_be_sure(service: Any) -> None:
    """With a wanted probability every stop's window is about that sure, or is named; too small a probability is refused."""
    stub, *_ = service
    problem = drawn_problem()
    for k, one in enumerate(problem.shipments):
        opens = MORNING + 3600 + 1800 * (k % 4)
        one.delivery.windows.add(start_unix_s=opens, end_unix_s=opens + 1800)
    limits = pb.SolveLimits(max_iterations=400, window_probability=0.95)
    last = [message async for message in stub.SolveRounds(pb.SolveRoundsRequest(problem=problem, limits=limits))][-1]
    chances = [stop.window_probability for one in last.plan.rounds for stop in one.stops if stop.HasField("window_probability")]
    assert len(delivered(last.plan)) == 12
    assert len(chances) == 12
    assert sum(chance < 0.92 for chance in chances) <= len(last.plan.warnings)
    limits.window_probability = 0.3
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in stub.SolveRounds(pb.SolveRoundsRequest(problem=problem, limits=limits)):
            pass
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("starts_s", [MORNING + 20 * 3600])
async def test_a_day_that_is_over_has_no_prices(service: Any) -> None:
    """What has been driven cannot be saved any more."""
    stub, *_ = service
    rounds_id = await planned(stub)
    request = pb.PriceConstraintsRequest(rounds_id=rounds_id, time_limit_s=2)
    last = [message async for message in stub.PriceConstraints(request)][-1]
    assert last.final
    assert last.prices
    assert all((one.cost, one.duration_s, one.served_count) == (0.0, 0.0, 0) for one in last.prices)
