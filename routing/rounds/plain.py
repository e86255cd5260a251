"""Which problems a plan in memory (`live`) can hold; the others are cut and planned anew at every change (`replan`)."""

from collections.abc import Sequence

from routing.rounds.errors import InvalidProblemError
from routing.rounds.problem import Problem, Shipment, Vehicle

NOT_PLAIN = (
    "dues, longest rides, bonds, preferred vehicles, service by vehicle, overtime, balance, a cost of driving, driving rules "
    "and reloads cannot change in place: use `replan` instead"
)


def is_plain(problem: Problem, parking_s: Sequence[float] = ()) -> bool:
    """Whether all rounds can change in place.

    Not with dues, longest rides, orders that ride together or apart, preferred vehicles, service by vehicle, overtime, balance,
    a cost of driving, driving rules or reloads; nor with times to find a place to stop (`parking_s`, seconds by location),
    which a new order can make longer for others.
    """
    if any(parking_s) or not all(is_plain_shipment(one) for one in problem.shipments):
        return False
    return all(is_plain_vehicle(one) for one in problem.vehicles)


def is_plain_vehicle(vehicle: Vehicle) -> bool:
    """Whether a vehicle has nothing that keeps its round from changing in place."""
    paid = vehicle.overtime_cost_per_s or vehicle.balance_cost_per_s2 or vehicle.cost_per_driving_s
    return not paid and vehicle.service_factor == 1.0 and vehicle.driving_rules is None and not vehicle.max_reloads


def is_plain_shipment(shipment: Shipment) -> bool:
    """Whether a shipment asks for nothing that keeps its round from changing in place."""
    visits = [visit for visit in (shipment.pickup, shipment.delivery) if visit is not None]
    wishes = shipment.together or shipment.apart or shipment.preferred_vehicle_ids or shipment.max_ride_s is not None
    return not wishes and not any(visit.late_cost_per_s or visit.service_by_class for visit in visits)


def require_plain(problem: Problem) -> None:
    """Check that a problem is plain.

    Raises
    ------
    InvalidProblemError
        It is not.
    """
    if not is_plain(problem):
        raise InvalidProblemError.of("problem", NOT_PLAIN)


def require_plain_shipment(shipment: Shipment) -> None:
    """Check that a shipment is plain.

    Raises
    ------
    InvalidProblemError
        It is not.
    """
    if not is_plain_shipment(shipment):
        raise InvalidProblemError.of("shipments[0]", NOT_PLAIN)
