"""Plans in memory with what belongs to them: taken from the state server, made ready for changes, written back."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from traboule.rounds.v1 import problem_pb2

from routing.rounds.api import Plan
from routing.rounds.live import LivePlan
from routing.rounds.plain import is_plain
from routing.rounds.stability import NO_STABILITY, Stability
from services.common.deadline import run_in_thread
from services.common.live.traffic import LiveTraffic
from services.rounds.city import BuiltTimes, RoundsCity
from services.rounds.events import Rounds
from services.rounds.hub_mapping import refuse_hubs
from services.rounds.incidents import RoadIncident
from services.rounds.mapping import MappedProblem, problem_from_proto
from services.rounds.store import Reported, RoundsStore, StoredRounds, planned

T = TypeVar("T")
KEPT_PLANS = 8
MOST_CAUSES = 3


@dataclass(frozen=True, slots=True)
class Changed:
    """A changed plan with what it belongs to."""

    plan: Plan
    mapped: MappedProblem
    built: BuiltTimes
    version: int
    reported: Reported


@dataclass(frozen=True, slots=True)
class Wish:
    """What a plan that changed may be improved for: whose it is, why it changed, what moves to other vehicles cost."""

    tenant: str
    cause: str
    stability: Stability = NO_STABILITY

    def and_then(self, later: "Wish") -> "Wish":
        """Both, with the last causes and the higher cost of moves."""
        cost = max(self.stability.move_cost, later.stability.move_cost)
        causes = dict.fromkeys((*self.cause.split("; "), *later.cause.split("; ")))
        return Wish(later.tenant, "; ".join(list(causes)[-MOST_CAUSES:]), Stability(cost))


@dataclass(slots=True)
class KeptPlan:
    """A plan in memory with what it belongs to.

    `vehicles` and `shipments` are indices by id. Without `live` the problem is not plain: it is planned anew at every change.
    `asked` says whether anybody has asked for it since it was made ready, `follows` whether it is known to follow the traffic,
    `followed` what traffic it followed last.
    """

    stored: StoredRounds
    mapped: MappedProblem
    built: BuiltTimes
    live: LivePlan | None
    vehicles: dict[str, int]
    shipments: dict[str, int]
    asked: bool = True
    follows: bool = False
    followed: LiveTraffic | None = None

    @property
    def rounds(self) -> Rounds:
        """What an event is about."""
        return Rounds(self.mapped, self.built, self.stored.reported, self.vehicles, self.shipments)

    def changed(self, plan: Plan, mapped: MappedProblem, built: BuiltTimes) -> Changed:
        """A plan as it is answered."""
        return Changed(plan, mapped, built, self.stored.version, self.stored.reported)


class KeptPlans:
    """The plans changed last, of one process. Who changes one holds the lock of its rounds (`LiveRounds.lock`)."""

    def __init__(self, store: RoundsStore, city: RoundsCity) -> None:
        self._store, self._city = store, city
        self._plans: OrderedDict[str, KeptPlan] = OrderedDict()

    async def times(
        self,
        rounds_id: str,
        problem: problem_pb2.Problem,
        incidents: tuple[RoadIncident, ...] = (),
        *,
        keep: bool = True,
    ) -> tuple[MappedProblem, BuiltTimes]:
        """Travel times of rounds: kept, extended by new locations, or built anew; what is only tried is not to be kept."""
        mapped = await run_in_thread(problem_from_proto, problem, self._city.resolve)
        kept = self._city.kept.find(rounds_id, mapped.points)
        if kept is not None and kept[1].incidents == incidents:
            built = await run_in_thread(self._city.extend_times, kept[1], kept[0], mapped)
        else:
            built = await run_in_thread(self._city.build_times, mapped, incidents)
        if keep:
            self._city.kept.put(rounds_id, mapped.points, built)
        return mapped, built

    async def take(self, rounds_id: str, tenant: str, until_s: int = 0) -> KeptPlan:
        """The plan of rounds in memory; made anew when it is not there, or when its clock is ahead of what is reported."""
        kept = self._plans.get(rounds_id)
        ahead = kept is not None and kept.live is not None and until_s and until_s - kept.mapped.zero_s < kept.live.now_s
        same = kept is not None and not ahead and kept.stored.job.tenant == tenant
        if same and kept is not None and kept.asked:
            self._plans.move_to_end(rounds_id)
            return kept
        stored = await self._store.get(rounds_id, tenant)
        if same and kept is not None and kept.stored.version == stored.version:  # nobody changed it since it was made ready
            self._plans.move_to_end(rounds_id)
            kept.asked = True
            return kept
        refuse_hubs(stored.problem)
        kept = await self._make(stored, until_s)
        if kept.live is not None:
            self._plans[rounds_id] = kept
            self._plans.move_to_end(rounds_id)
            while len(self._plans) > KEPT_PLANS:
                self._plans.pop(next((name for name, one in self._plans.items() if not one.asked), next(iter(self._plans))))
        return kept

    def holds(self, rounds_id: str) -> bool:
        """Whether a plan, or at least its travel times, are in memory."""
        return rounds_id in self._plans or rounds_id in self._city.kept

    async def prepare(self, rounds_id: str, tenant: str) -> None:
        """Make a plan ready for changes to come, unless it would take the place of one that somebody has asked for."""
        await run_in_thread(self._city.incidents.prepare)
        if rounds_id in self._plans or sum(one.asked for one in self._plans.values()) >= KEPT_PLANS:
            return
        kept = await self.take(rounds_id, tenant)
        kept.asked = False

    async def _make(self, stored: StoredRounds, until_s: int) -> KeptPlan:
        plan = planned(stored)
        mapped, built = await self.times(stored.job.id, stored.problem, stored.reported.incidents)
        now_s = float((until_s or self._city.now()) - mapped.zero_s)
        vehicles = {vehicle.vehicle_id: r for r, vehicle in enumerate(stored.problem.vehicles)}
        shipments = {one.shipment_id: s for s, one in enumerate(stored.problem.shipments)}
        reported = stored.reported
        live = None
        if not mapped.kerbs.at and is_plain(mapped.problem, mapped.parking_s):
            make = partial(
                LivePlan, mapped.problem, built.travel_times, plan, now_s,
                held_until_s={vehicles[name]: float(at - mapped.zero_s) for name, at in reported.held_until_s.items()},
                broken=[vehicles[name] for name in reported.broken], refused=[shipments[name] for name in reported.refused],
            )  # fmt: skip
            live = await run_in_thread(make)
        return KeptPlan(stored, mapped, built, live, vehicles, shipments)

    def drop(self, rounds_id: str) -> None:
        """Forget a plan; it is made anew from what is stored."""
        self._plans.pop(rounds_id, None)

    def forget(self, rounds_id: str) -> None:
        """Forget a plan, and travel times that may have been changed with it."""
        self.drop(rounds_id)
        self._city.kept.drop(rounds_id)

    def safely(self, rounds_id: str, work: Callable[[], T]) -> T:
        """Do `work` on a plan in memory; after an error the plan is forgotten."""
        try:
            return work()
        except BaseException:
            self.drop(rounds_id)
            raise

    async def keep(
        self,
        kept: KeptPlan,
        problem: problem_pb2.Problem,
        plan: Plan,
        reported: Reported,
        mapped: MappedProblem,
        built: BuiltTimes,
        words: Sequence[str],
    ) -> None:
        """Write a changed plan; if somebody else wrote meanwhile, or it cannot be written, what is in memory is forgotten."""
        now_s = self._city.now()
        try:
            version = await self._store.change(kept.stored, problem, plan, now_s, reported, words)
        except BaseException:
            self.drop(kept.stored.job.id)
            if built.incidents != kept.built.incidents or built.traffic is not kept.built.traffic:
                self.forget(kept.stored.job.id)
            raise
        kept.stored = replace(
            kept.stored, problem=problem, plan=plan, version=version, updated_s=now_s, reported=reported, changes=tuple(words)
        )
        kept.mapped, kept.built = mapped, built
