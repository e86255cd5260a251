"""The rounds service: delivery rounds of one city, solved in processes of their own."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import grpc
from traboule.rounds.v1 import rounds_service_pb2_grpc

from services.city.snapshot import open_snapshot
from services.common.config import Config, load_section
from services.common.errors import ConfigError
from services.common.live.state import LiveState, Topic
from services.common.main import service_main
from services.common.server import serve
from services.common.state import State
from services.rounds.city import RoundsCity
from services.rounds.pool import SolverPool
from services.rounds.runner import JobRunner
from services.rounds.servicer import RoundsServicer

SERVICE = "traboule.rounds.v1.RoundsService"


FIRST_SOLVERS_AFTER_S = 5.0


@dataclass(frozen=True, slots=True)
class RoundsConfig:
    """Settings ``TRABOULE_ROUNDS_…``: `solvers` is the number of solver processes, 0 = one less than there are cores."""

    solvers: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.solvers <= 256:
            raise ConfigError(f"rounds.solvers is {self.solvers}; give a number from 0 to 256", field="rounds.solvers")

    @property
    def pool_size(self) -> int:
        """Number of solver processes; a lone long solve must not make short ones wait, so at least two."""
        return self.solvers or max(2, (os.cpu_count() or 2) - 1)


async def run(config: Config) -> None:
    """Serve until told to stop."""
    settings = load_section("rounds", RoundsConfig)
    clock = config.city_clock()
    city = RoundsCity(open_snapshot(config.home, config.city), clock)
    async with (
        State.connect(config) as state,
        SolverPool(settings.pool_size, FIRST_SOLVERS_AFTER_S) as pool,
    ):
        live = LiveState(state, clock, street=city.street)

        def on_change(topic: Topic) -> None:
            if topic is Topic.TRAFFIC:
                city.traffic = live.traffic

        live.on_change(on_change)

        def register(server: grpc.aio.Server) -> Sequence[str]:
            rounds_service_pb2_grpc.add_RoundsServiceServicer_to_server(RoundsServicer(city, pool, state), server)
            return [SERVICE]

        async def state_ready() -> str | None:
            await state.ping()
            return None

        runner = JobRunner(state, city, pool)
        background = [live.follow, *(runner.work for _ in range(settings.pool_size))]
        await serve(config, "rounds", register, readiness={"state": state_ready}, background=background)


def main() -> int:
    """Entry point of ``python -m services.rounds.main``."""
    return service_main("rounds", run)


if __name__ == "__main__":
    sys.exit(main())
