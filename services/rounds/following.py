"""Plans that follow live traffic by themselves while they are driven.

Every minute of the city's clock the driving ahead of each vehicle is compared with the traffic of now. Where a vehicle's
changed enough, times are built anew and the rounds repaired as after a reported change of traffic; otherwise the plan is left
in peace. What is followed is kept in the state server: of several processes the first that says so looks.
"""

import asyncio

import structlog
from traboule.rounds.v1 import rounds_service_pb2 as pb

from routing.errors import RoutingError
from services.common.deadline import Deadline, set_deadline
from services.common.errors import Aborted, FailedPrecondition, NotFound, ServiceError, Unimplemented
from services.rounds.city import RoundsCity
from services.rounds.live import LiveRounds
from services.rounds.store import Followed, RoundsStore

NOT_CHANGED = "rounds with {} cannot be changed while they are driven yet: leave it out"
SHORTEST_PAUSE_S = 1.0
"""Wall time between two looks, however quickly the city's clock runs."""

ELSEWHERE = 2.5
"""A plan that this process does not hold is left to one that does for so many looks: making it ready takes seconds."""

log = structlog.get_logger("rounds")


def require_followable(request: pb.SubmitRoundsRequest) -> None:
    """Check that rounds that are to follow the traffic can be changed; raises Unimplemented."""
    field = "traffic_following.when"
    if request.traffic_following.when == pb.FOLLOW_TRAFFIC_ALWAYS:
        if request.problem.hubs:
            raise Unimplemented(f"{field}: {NOT_CHANGED.format('hubs')}", field=field)
        if any(vehicle.may_reload for vehicle in request.problem.vehicles):
            raise Unimplemented(f"{field}: {NOT_CHANGED.format('may_reload')}", field=field)


class Follower:
    """Looks at the traffic ahead of all plans that follow it.

    Parameters
    ----------
    store, live, city
        Where plans are kept, what changes them, whose traffic it is.
    every_s : float
        City seconds between two looks at a plan; 0 = never.
    """

    def __init__(self, store: RoundsStore, live: LiveRounds, city: RoundsCity, every_s: float) -> None:
        self._store, self._live, self._city, self._every_s = store, live, city, every_s

    async def run(self) -> None:
        """Look for ever; what fails for one plan is logged and tried again later."""
        set_deadline(Deadline())
        while self._every_s > 0:
            await asyncio.sleep(max(SHORTEST_PAUSE_S, self._every_s / max(self._city.rate, 1.0)))
            try:
                await self.look()
            except ServiceError as error:
                log.info("traffic_not_looked_at", error=str(error))

    async def look(self) -> list[str]:
        """Look at every plan whose turn it is; ids of those that changed."""
        changed = []
        for rounds_id, version, one in await self._store.list_followed():
            wait_s = self._every_s * (1.0 if self._live.kept.holds(rounds_id) else ELSEWHERE)
            if self._city.now() < one.looked_s + wait_s or not await self._mine(rounds_id, version, one):
                continue
            try:
                if await self._look_at(rounds_id, one):
                    changed.append(rounds_id)
            except (ServiceError, RoutingError) as error:
                log.info("traffic_not_followed", job=rounds_id, error=str(error))
            except Exception as error:
                # One plan that nobody foresaw must not keep the others from being looked at.
                log.error("following_broke", job=rounds_id, exc_info=error)
        return changed

    async def _mine(self, rounds_id: str, version: int, one: Followed) -> bool:
        """Whether this process is the first to look."""
        try:
            await self._store.keep_followed(rounds_id, Followed(one.tenant, self._city.now()), version)
        except Aborted:
            return False
        return True

    async def _look_at(self, rounds_id: str, one: Followed) -> bool:
        try:
            found = await self._live.follow(rounds_id, one.tenant)
        except NotFound:  # forgotten
            await self._store.drop_followed(rounds_id)
            return False
        except FailedPrecondition:  # not planned yet, or never
            return False
        if found is None:
            await self._store.drop_followed(rounds_id)
            return False
        if found:
            log.info("traffic_followed", job=rounds_id, changes=len(found))
        return bool(found)
