"""An independent check of a plan against its problem; shares no code with the planner."""

from traboule.rounds.v1 import plan_pb2, problem_pb2

Stop = plan_pb2.RoundStop
TOLERANCE_S = 1


def list_violations(problem: problem_pb2.Problem, plan: plan_pb2.Plan) -> list[str]:
    """Sentences for all that is wrong: shipments missing or twice, windows, shifts, capacities, breaks, times going back."""
    wrong = _coverage(problem, plan)
    vehicles = {vehicle.vehicle_id: vehicle for vehicle in problem.vehicles}
    shipments = {shipment.shipment_id: shipment for shipment in problem.shipments}
    for row in plan.rounds:
        vehicle = vehicles.get(row.vehicle_id)
        if vehicle is None:
            wrong.append(f"{row.vehicle_id} is no vehicle of the problem")
            continue
        wrong += _times(row, vehicle) + _loads(row, vehicle, shipments) + _visits(row, shipments) + _breaks(row, vehicle)
    return wrong


def _coverage(problem: problem_pb2.Problem, plan: plan_pb2.Plan) -> list[str]:
    visited = [s.shipment_id for row in plan.rounds for s in row.stops if s.kind == Stop.KIND_DELIVERY]
    left = [u.shipment_id for u in plan.unserved]
    wanted = sorted(s.shipment_id for s in problem.shipments if s.HasField("delivery"))
    return [] if sorted(visited + left) == wanted else ["orders are missing, or stand in the plan twice"]


def _times(row: plan_pb2.DeliveryRound, vehicle: problem_pb2.Vehicle) -> list[str]:
    wrong, name = [], row.vehicle_id
    if len(row.stops) < 3:
        return []
    if row.stops[0].departure_unix_s < vehicle.shift.start_unix_s - TOLERANCE_S:
        wrong.append(f"{name} leaves before its shift")
    if row.stops[-1].arrival_unix_s > vehicle.shift.end_unix_s + TOLERANCE_S:
        wrong.append(f"{name} returns after its shift")
    for a, b in zip(row.stops, row.stops[1:], strict=False):
        if b.arrival_unix_s < a.departure_unix_s + b.leg.duration_s - TOLERANCE_S:
            wrong.append(f"{name} travels faster than its leg to {b.shipment_id or 'the depot'} takes")
        if not b.arrival_unix_s <= b.start_unix_s <= max(b.departure_unix_s, b.start_unix_s):
            wrong.append(f"{name}: times go back at {b.shipment_id or 'the depot'}")
    return wrong


def _loads(row: plan_pb2.DeliveryRound, vehicle: problem_pb2.Vehicle, shipments: dict[str, problem_pb2.Shipment]) -> list[str]:
    totals = [0] * len(vehicle.capacities)
    for stop in row.stops:
        if stop.kind == Stop.KIND_DELIVERY:
            for k, load in enumerate(shipments[stop.shipment_id].loads[: len(totals)]):
                totals[k] += load
    over = any(total > capacity for total, capacity in zip(totals, vehicle.capacities, strict=True))
    return [f"{row.vehicle_id} carries {totals} of {list(vehicle.capacities)}"] if over else []


def _visits(row: plan_pb2.DeliveryRound, shipments: dict[str, problem_pb2.Shipment]) -> list[str]:
    wrong = []
    for stop in row.stops:
        if stop.kind != Stop.KIND_DELIVERY:
            continue
        task = shipments[stop.shipment_id].delivery
        inside = any(w.start_unix_s - TOLERANCE_S <= stop.start_unix_s <= w.end_unix_s + TOLERANCE_S for w in task.windows)
        if task.windows and not inside:
            wrong.append(f"{stop.shipment_id} is served outside its window")
        if stop.departure_unix_s - stop.start_unix_s < task.service_s - TOLERANCE_S:
            wrong.append(f"{stop.shipment_id} gets too little time")
    return wrong


def _breaks(row: plan_pb2.DeliveryRound, vehicle: problem_pb2.Vehicle) -> list[str]:
    taken = [s for s in row.stops if s.kind == Stop.KIND_BREAK and not s.by_driving_rules]
    if len(row.stops) < 3:
        return []
    wrong = []
    for pause in vehicle.breaks:
        window = pause.start_window
        due = row.stops[-1].arrival_unix_s > window.end_unix_s and row.stops[0].departure_unix_s < window.start_unix_s
        fits = any(
            window.start_unix_s - TOLERANCE_S <= s.start_unix_s <= window.end_unix_s + TOLERANCE_S
            and s.departure_unix_s - s.start_unix_s >= pause.duration_s - TOLERANCE_S
            for s in taken
        )
        if due and not fits:
            wrong.append(f"{row.vehicle_id} has no break within its window")
    return wrong
