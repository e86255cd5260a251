"""Depots, and vehicles with their drivers."""

import math
from dataclasses import dataclass

from routing.rounds.checks import TimeWindow, check_cost, check_time
from routing.rounds.errors import InvalidProblemError


@dataclass(frozen=True, slots=True)
class Depot:
    """Where rounds start or end; vehicles leave and return within `window`."""

    id: str
    location_idx: int
    window: TimeWindow


@dataclass(frozen=True, slots=True)
class Break:
    """A rest of `duration_s` that starts within [earliest_s, latest_s], at a stop or outside the round, never while driving."""

    earliest_s: float
    latest_s: float
    duration_s: float

    def __post_init__(self) -> None:
        check_time("earliest_s", self.earliest_s)
        check_time("latest_s", self.latest_s)
        check_time("duration_s", self.duration_s, 0.0)
        if self.latest_s < self.earliest_s:
            raise InvalidProblemError.of("latest_s", "the break's latest start is before its earliest start")


@dataclass(frozen=True, slots=True)
class DrivingRules:
    """Rests by the time driven; the defaults are Regulation (EC) No 561/2006, articles 6 and 7, within a day.

    A driver rests `rest_s` after at most `max_driving_s` at the wheel, or in two parts in this order, `split_s`, the second of
    which ends the span. Rests lie after services, before them too in rides with a longest duration, and on the road where a
    single drive is longer than `max_driving_s`. A break of the vehicle counts for what it is long enough for. Daily and weekly
    rests, weekly driving and working time are not looked at.

    Attributes
    ----------
    max_daily_driving_s : float, optional
        Longest time driven in the shift (9 h; the regulation allows 10 h twice a week).
    waiting_rests : bool
        Whether a rest may lie in the wait before a service. Without it such a wait is a period of availability: the driver
        has to be ready and does not rest.
    driven_s, driven_today_s, part_taken : float, float, bool
        What is behind the driver when the round begins: time driven since the last rest and today, the first part of a rest.
    """

    max_driving_s: float = 16_200.0
    rest_s: float = 2_700.0
    split_s: tuple[float, float] | None = (900.0, 1_800.0)
    max_daily_driving_s: float | None = 32_400.0
    waiting_rests: bool = False
    driven_s: float = 0.0
    driven_today_s: float = 0.0
    part_taken: bool = False

    def __post_init__(self) -> None:
        for name in ("max_driving_s", "rest_s"):
            if not getattr(self, name) > 0:
                raise InvalidProblemError.of(name, f"must be a number of seconds above 0, not {getattr(self, name)}")
            check_time(name, getattr(self, name))
        for k, part in enumerate(self.split_s or ()):
            check_time(f"split_s[{k}]", part, 0.0)
            if part > self.rest_s:
                raise InvalidProblemError.of(f"split_s[{k}]", f"a part of {part:g} s is longer than the whole rest")
        if self.max_daily_driving_s is not None:
            check_time("max_daily_driving_s", self.max_daily_driving_s, 0.0)
        check_time("driven_s", self.driven_s, 0.0)
        check_time("driven_today_s", self.driven_today_s, 0.0)

    def after_rest(self, rested_s: float, driven_s: float, part_taken: bool) -> tuple[float, bool]:
        """Time driven since the last whole rest, and whether a first part is behind, after a rest of `rested_s`.

        A first part needs some driving before it.
        """
        second = math.inf if self.split_s is None or not part_taken else self.split_s[1]
        if rested_s >= min(self.rest_s, second) - 1e-6:
            return 0.0, False
        first = self.split_s is not None and driven_s > 0.0 and rested_s >= self.split_s[0] - 1e-6
        return driven_s, part_taken or first


@dataclass(frozen=True, slots=True)
class Vehicle:
    """A vehicle with its driver for one day; `profile` selects its travel times (van, cargo bike, …).

    `end_depot_idx` None is an open end: the round is over after the last visit. Capacities are whole numbers, one per
    load dimension. Costs: once when used, per second between departure and return, per metre, and per second at the wheel on
    top (`cost_per_driving_s`): then it holds at stops where driving later is quicker. Its service takes
    `service_factor` times as long as a visit says, after what the visit says for its `service_class`. Every second of a round
    beyond `overtime_after_s` costs `overtime_cost_per_s` on top. The squared duration of a round costs `balance_cost_per_s2`:
    every second costs the more the longer the round is, which spreads work over drivers.

    It may come back up to `max_reloads` times to one of `reload_depot_idxs` (none = its start) within the depot's opening
    hours: there it unloads what it has picked up for a depot and loads the deliveries of its next trip, all within `reload_s`.
    """

    id: str
    start_depot_idx: int
    end_depot_idx: int | None
    capacity: tuple[int, ...]
    shift: TimeWindow
    max_duration_s: float | None = None
    max_length_m: float | None = None
    max_stops: int | None = None
    profile: int = 0
    skills: frozenset[str] = frozenset()
    breaks: tuple[Break, ...] = ()
    fixed_cost: float = 0.0
    cost_per_s: float = 1.0
    cost_per_m: float = 0.0
    cost_per_driving_s: float = 0.0
    service_factor: float = 1.0
    service_class: str = ""
    co2_g_per_m: float = 0.0
    overtime_after_s: float | None = None
    overtime_cost_per_s: float = 0.0
    balance_cost_per_s2: float = 0.0
    driving_rules: DrivingRules | None = None
    max_reloads: int = 0
    reload_depot_idxs: tuple[int, ...] = ()
    reload_s: float = 0.0

    def __post_init__(self) -> None:
        for k, amount in enumerate(self.capacity):
            if amount < 0:
                raise InvalidProblemError.of(f"capacity[{k}]", f"must be at least 0, not {amount}")
        if self.max_duration_s is not None:
            check_time("max_duration_s", self.max_duration_s, 0.0)
        if self.max_length_m is not None and not self.max_length_m >= 0:
            raise InvalidProblemError.of("max_length_m", f"must be at least 0, not {self.max_length_m}")
        if self.max_stops is not None and self.max_stops < 0:
            raise InvalidProblemError.of("max_stops", f"must be at least 0, not {self.max_stops}")
        check_cost("fixed_cost", self.fixed_cost)
        check_cost("cost_per_s", self.cost_per_s)
        check_cost("cost_per_m", self.cost_per_m)
        check_cost("cost_per_driving_s", self.cost_per_driving_s)
        check_cost("co2_g_per_m", self.co2_g_per_m)
        check_cost("overtime_cost_per_s", self.overtime_cost_per_s)
        check_time("reload_s", self.reload_s, 0.0)
        if self.max_reloads < 0:
            raise InvalidProblemError.of("max_reloads", f"must be at least 0, not {self.max_reloads}")
        if (self.reload_depot_idxs or self.reload_s) and not self.max_reloads:
            raise InvalidProblemError.of("max_reloads", "depots or a time to reload need the number of reloads")
        check_cost("balance_cost_per_s2", self.balance_cost_per_s2)
        if self.overtime_after_s is not None:
            check_time("overtime_after_s", self.overtime_after_s, 0.0)
        elif self.overtime_cost_per_s:
            raise InvalidProblemError.of("overtime_after_s", "a cost of overtime needs the duration after which it begins")
        if not (math.isfinite(self.service_factor) and self.service_factor >= 0):
            raise InvalidProblemError.of("service_factor", f"must be a finite number of at least 0, not {self.service_factor}")
        for k, (one, two) in enumerate(zip(self.breaks, self.breaks[1:], strict=False)):
            if two.earliest_s < one.earliest_s or two.latest_s < one.latest_s:
                raise InvalidProblemError.of(f"breaks[{k + 1}]", "breaks must be listed in the order of the day")

    @property
    def reload_depots(self) -> tuple[int, ...]:
        """Depots where it may reload, each once; empty = it may not."""
        return tuple(dict.fromkeys(self.reload_depot_idxs or (self.start_depot_idx,))) if self.max_reloads else ()
