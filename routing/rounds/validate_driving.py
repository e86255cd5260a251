"""The part of the validator that looks at rests by the time driven. Shares no code with the kernels that made the plan."""

from collections.abc import Iterator

from routing.rounds.plan import DeliveryRound, PlannedBreak, PlannedReload, PlannedStop, RoadRest, resting_s
from routing.rounds.travel_times import TravelTimes
from routing.rounds.vehicle import DrivingRules, Vehicle

TOLERANCE_S = 1e-4


def drive_leg(
    travel_times: TravelTimes, profile: int, at: int, to: int, left_s: float, rests: tuple[RoadRest, ...]
) -> tuple[float, float]:
    """Arrival and time driven from `at` to `to` when leaving at `left_s` and resting on the road.

    After a rest what is left takes its share of the drive that would have left later by all rests so far.
    """
    lasts, share, driven, clock, late = travel_times.arrival_s(profile, at, to, left_s) - left_s, 1.0, 0.0, left_s, 0.0
    for rest in rests:
        stretch = rest.after_s - driven
        share -= stretch / lasts if lasts > 0.0 else 0.0
        driven, clock, late = rest.after_s, clock + stretch + rest.end_s - rest.start_s, late + rest.end_s - rest.start_s
        lasts = travel_times.arrival_s(profile, at, to, left_s + late) - left_s - late
    return clock + share * lasts, driven + share * lasts


def check_driving(vehicle: Vehicle, one: DeliveryRound) -> Iterator[str]:
    """Driving between two rests, in the day, and that rests lie where they may."""
    rules = vehicle.driving_rules
    all_rests = [(rest, stop) for stop in one.halts for rest in (*stop.breaks_before, *stop.breaks_after) if rest.by_rule]
    on_road = [rest for rests in (*(stop.road_rests for stop in one.halts), one.road_rests) for rest in rests]
    if rules is None:
        if all_rests or on_road:
            yield "rests by the time driven although it has no rules for that"
        return
    driver = _Driver(rules)
    left = one.departure_s
    for stop in one.halts:
        yield from driver.drive(stop.driven_s(left), left, stop.road_rests)
        yield from _waits(rules, stop)
        for rest in stop.breaks_before:
            driver.rest(rest)
        for rest in stop.breaks_after:
            driver.rest(rest)
        left = stop.left_s
    if vehicle.end_depot_idx is not None:
        yield from driver.drive(one.end_s - left - resting_s(one.road_rests), left, one.road_rests)
    if rules.max_daily_driving_s is not None and driver.today_s > rules.max_daily_driving_s + TOLERANCE_S:
        yield f"drives for {driver.today_s:g} s in the day, more than {rules.max_daily_driving_s:g} s"


def _waits(rules: DrivingRules, stop: PlannedStop | PlannedReload) -> Iterator[str]:
    """Rests by rule before a service last until it begins, unless they may lie in waits."""
    by_rule = [rest for rest in stop.breaks_before if rest.by_rule]
    if by_rule and not rules.waiting_rests and stop.start_s > stop.breaks_before[-1].end_s + TOLERANCE_S:
        yield f"rests at {by_rule[-1].start_s:g} while it waits for a service at {stop.start_s:g}"


class _Driver:
    """Time driven since the last rest, and what rests do to it."""

    def __init__(self, rules: DrivingRules) -> None:
        self.rules, self.driven_s, self.today_s = rules, rules.driven_s, rules.driven_today_s
        self.part_taken = rules.part_taken

    def drive(self, lasts_s: float, left_s: float, rests: tuple[RoadRest, ...]) -> Iterator[str]:
        """Drive, resting on the road."""
        done, rested = 0.0, 0.0
        for rest in rests:
            if abs(rest.start_s - left_s - rest.after_s - rested) > TOLERANCE_S:
                yield f"rests on the road at {rest.start_s:g}, not after {rest.after_s:g} s of driving"
            yield from self._at_the_wheel(rest.after_s - done)
            self.rest(PlannedBreak(rest.start_s, rest.end_s, True))
            done, rested = rest.after_s, rested + rest.end_s - rest.start_s
        yield from self._at_the_wheel(lasts_s - done)

    def rest(self, rest: PlannedBreak) -> None:
        """Rest for as long as planned."""
        self.driven_s, self.part_taken = self.rules.after_rest(rest.end_s - rest.start_s, self.driven_s, self.part_taken)

    def _at_the_wheel(self, lasts_s: float) -> Iterator[str]:
        self.driven_s, self.today_s = self.driven_s + lasts_s, self.today_s + lasts_s
        if lasts_s < -TOLERANCE_S:
            yield "rests on the road after the end of the drive"
        if self.driven_s > self.rules.max_driving_s + TOLERANCE_S:
            yield f"drives for {self.driven_s:g} s without a rest, more than {self.rules.max_driving_s:g} s"
