"""A day of deliveries: 60 orders, three vans."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from google.protobuf.json_format import ParseDict
from traboule.rounds.v1 import plan_pb2, problem_pb2, rounds_service_pb2, rounds_service_pb2_grpc

from services.demo.check_plan import list_violations
from services.demo.pictures.page import paragraph, table
from services.demo.plan_pictures import plan_facts, plan_gantt, plan_map, plan_table

if TYPE_CHECKING:
    from services.demo.tour import Tour

EXAMPLE = Path("examples") / "deliveries.json"
SECONDS = 12.0


async def run(tour: "Tour") -> None:
    """Stream improving plans, then check the last one independently of the planner."""
    path = Path("cities") / tour.city.config.city / EXAMPLE
    problem = ParseDict(json.loads(path.read_text(encoding="utf-8")), problem_pb2.Problem())
    limits = rounds_service_pb2.SolveLimits(time_limit_s=SECONDS, with_polylines=True)
    plan, plans = plan_pb2.Plan(), 0
    async with tour.city.channel("rounds") as channel:
        stub = rounds_service_pb2_grpc.RoundsServiceStub(channel)
        async for message in stub.SolveRounds(rounds_service_pb2.SolveRoundsRequest(problem=problem, limits=limits)):
            if not message.HasField("plan"):
                continue
            if not plans or message.plan.cost < plan.cost - 1e-9 or message.plan.served_count > plan.served_count:
                plans += 1
                road_h, drive_h = message.plan.duration_s / 3600, message.plan.drive_s / 3600
                served = f"{message.plan.served_count} orders"
                tour.say(f"  after {message.elapsed_s:4.1f} s: {served}, {road_h:.2f} h on the road, {drive_h:.2f} h driving")
            plan = message.plan
    violations = list_violations(problem, plan)
    tour.expect(not violations, f"the plan breaks constraints: {'; '.join(violations[:3])}")
    tour.expect(
        plan.served_count == len(problem.shipments),
        f"of {len(problem.shipments)} orders {len(plan.unserved)} are not served: "
        f"{'; '.join(left.explanation or left.shipment_id for left in plan.unserved[:3])}",
    )
    tour.say(f"  {plan.served_count} orders, {len(problem.vehicles)} vans, {plan.distance_m / 1000:.0f} km; "
             f"checked independently: {'nothing broken' if not violations else violations[0]}")  # fmt: skip
    extra = []
    if plan.unserved:
        extra.append(table(("not served", "why"), [(u.shipment_id, u.explanation) for u in plan.unserved]))
    tour.page.add(
        "rounds",
        "A day of deliveries",
        paragraph(f"{len(problem.shipments)} orders, {len(problem.vehicles)} vans that rest around noon (on the round, or "
                  f"before they leave), a third of the orders with a time window, planned in {SECONDS:.0f} s under "
                  "predicted travel times."),
        plan_facts(plan), plan_map(plan, tour.city.snapshot), plan_gantt(plan, tour.timezone), plan_table(plan), *extra,
    )  # fmt: skip
