"""What is wrong with a problem is told under the contract's names; loads are counted against capacities."""

from typing import Any

import pytest
from traboule.rounds.v1 import plan_pb2, problem_pb2
from traboule.rounds.v1 import rounds_service_pb2 as pb

from services.common.status import InvalidRequest
from services.rounds.contract_names import load_dimensions
from services.rounds.mapping import problem_from_proto
from tests.builders.carriers import MORNING, drawn_problem, shipment


def _violations(problem: problem_pb2.Problem) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        problem_from_proto(problem, lambda location, _path: (location.point.lat_deg, location.point.lon_deg))
    return dict(caught.value.violations)


def test_wrong_fields_have_the_names_of_the_contract() -> None:
    """Ids and vehicles of orders, each where the caller wrote it."""
    problem = drawn_problem(3)
    problem.shipments[1].shipment_id = "o0"
    problem.shipments[0].allowed_vehicle_ids.append("nobody")
    problem.shipments[2].locked_vehicle_id = "nobody"
    problem.vehicles[1].vehicle_id = "van"
    assert set(_violations(problem)) == {
        "shipments[1].shipment_id", "shipments[0].allowed_vehicle_ids", "shipments[2].locked_vehicle_id",
        "vehicles[1].vehicle_id",
    }  # fmt: skip


def test_a_load_without_a_capacity_beside_it_is_refused() -> None:
    """Two numbers where vehicles and units have one; a vehicle with fewer capacities than others."""
    problem = drawn_problem(2)
    problem.shipments[1].loads[:] = [1, 2]
    assert list(_violations(problem)) == ["shipments[1].loads"]
    problem.load_units[:] = ["parcels"]
    assert "1 load_units (parcels)" in _violations(problem)["shipments[1].loads"]
    problem.load_units[:] = ["parcels", "kg"]
    assert list(_violations(problem)) == ["vehicles[0].capacities", "vehicles[1].capacities"]
    problem.vehicles[0].capacities[:] = [40, 500]
    problem.vehicles[1].capacities[:] = []
    assert load_dimensions(problem) == 2
    problem_from_proto(problem, lambda location, _path: (location.point.lat_deg, location.point.lon_deg))


def test_loads_alone_bind_nothing() -> None:
    """Vehicles without capacities carry anything."""
    problem = drawn_problem(1)
    for vehicle in problem.vehicles:
        vehicle.capacities[:] = []
    problem.shipments[0].loads[:] = [3, 4, 5]
    assert load_dimensions(problem) == 3


@pytest.mark.slow
async def test_reasons_have_figures(service: Any) -> None:
    """Windows by the city's clock as the caller wrote them, what an order takes and what the largest vehicle carries."""
    stub, *_ = service
    problem = drawn_problem(2)
    early = {"windows": [{"start_unix_s": MORNING - 7200, "end_unix_s": MORNING - 5400}]}
    problem.shipments.append(shipment(7, 41.1550, -8.6200, task=early))
    problem.shipments.append(shipment(8, 41.1550, -8.6210))
    problem.shipments[-1].loads[:] = [5000]
    plan = plan_pb2.Plan()
    async for message in stub.SolveRounds(pb.SolveRoundsRequest(problem=problem, limits=pb.SolveLimits(max_iterations=10))):
        plan = message.plan
    told = {one.shipment_id: one.explanation for one in plan.unserved}
    assert told["o7"].endswith("within its time windows: 06:00–06:30")
    assert told["o8"].endswith("it takes 5000, the largest 40")
