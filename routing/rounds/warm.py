"""Compile and load every kernel of the rounds engine, so that no carrier waits for a compiler."""

from dataclasses import replace

import numpy as np

from routing.rounds.api import Break, Depot, Problem, Shipment, TimeWindow, TravelTimes, Vehicle, Visit, solve
from routing.rounds.live import LivePlan


def warm() -> int:
    """Solve tiny problems with one and several slots of travel times, a break, a due, a ride, dear driving; answer how many.

    One plan changes in memory too.
    """
    day = TimeWindow(0, 1000)
    shipments = (Shipment("a", (1,), delivery=Visit(1, 1, (day,))), Shipment("b", (1,), Visit(1), Visit(0)))
    problem = Problem(2, (Depot("d", 0, day),), (Vehicle("v", 0, 0, (2,), day),), shipments)
    rested = replace(problem, vehicles=(Vehicle("v", 0, 0, (2,), day, breaks=(Break(0, 400, 10),)),))
    hurried = Shipment("c", (1,), Visit(1), Visit(0, due_s=3, late_cost_per_s=1.0), max_ride_s=50)
    special = replace(problem, shipments=(*shipments, hurried))
    table = [[0, 5], [5, 0]]
    times = (TravelTimes.slots([0], [table]), TravelTimes.slots([0, 500], [table, [[0, 9], [9, 0]]]))
    for one in (problem, rested, special):
        for travel_times in times:
            solve(one, travel_times, iterations=2)
    held = replace(problem, vehicles=(Vehicle("v", 0, 0, (2,), day, cost_per_driving_s=1.0),))
    solve(held, times[1], iterations=2)
    live = LivePlan(problem, times[1], solve(problem, times[1], iterations=2), -1.0)
    at = live.times.add(np.full((1, 2, 3), 5), np.full((1, 2, 3), 5))
    live.insert(Shipment("e", (1,), Visit(at)))
    live.times_changed()
    live.evaluate()
    return 3 * len(times) + 1
