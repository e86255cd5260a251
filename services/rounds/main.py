"""The rounds service: delivery rounds of one city, solved in processes of their own."""

import asyncio
import importlib.util
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import grpc
from traboule.rounds.v1 import rounds_service_pb2_grpc

from services.city.snapshot import CitySnapshot, open_snapshot
from services.city.swap import follow_snapshots
from services.common.config import Config, load_section
from services.common.current import Current, forwarding
from services.common.errors import ConfigError
from services.common.main import service_main
from services.common.server import serve
from services.common.state import State
from services.rounds.city import RoundsCity
from services.rounds.pool import Backend, SolverPool, backend_of
from services.rounds.runner import LEASE_S, JobRunner
from services.rounds.served import ServedCity

SERVICE = "traboule.rounds.v1.RoundsService"


FIRST_SOLVERS_AFTER_S = 5.0
MOST_POLISH_S = 60.0


@dataclass(frozen=True, slots=True)
class RoundsConfig:
    """Settings ``TRABOULE_ROUNDS_…``.

    Attributes
    ----------
    solvers : int
        Solver processes; 0 = one less than there are cores, at least two.
    polish_s : float
        Seconds for which a plan is improved after each change; 0 = not at all.
    threads : int
        Most threads of a solver that plans 500 tasks or more; 0 = as many as there are cores.
    backend : str
        Who improves the parts of problems of 1,000 tasks or more: ``threads`` of the solver process, or workers of ``ray``.
    ray_address : str
        ``host:port`` of a cluster of Ray; empty = Ray is started on this machine for every such problem.
    lease_s : float
        Seconds after which another process takes over the jobs of one that died.
    follow_s : float
        City seconds between two looks at the traffic ahead of plans that follow it; 0 = never.
    """

    solvers: int = 0
    lease_s: float = LEASE_S
    backend: Literal["threads", "ray"] = "threads"
    ray_address: str = ""
    threads: int = 0
    polish_s: float = 1.0
    follow_s: float = 60.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.polish_s <= MOST_POLISH_S:
            message = f"rounds.polish_s is {self.polish_s}; give a number of seconds from 0 to {MOST_POLISH_S:g}"
            raise ConfigError(message, field="rounds.polish_s")
        if not (self.follow_s == 0.0 or 5.0 <= self.follow_s <= 3600.0):
            message = f"rounds.follow_s is {self.follow_s}; give 0 or a number of seconds from 5 to 3600"
            raise ConfigError(message, field="rounds.follow_s")
        if not 1.0 <= self.lease_s <= 3600.0:
            message = f"rounds.lease_s is {self.lease_s}; give a number of seconds from 1 to 3600"
            raise ConfigError(message, field="rounds.lease_s")
        for name in ("solvers", "threads"):
            if not 0 <= getattr(self, name) <= 256:
                message = f"rounds.{name} is {getattr(self, name)}; give a number from 0 to 256"
                raise ConfigError(message, field=f"rounds.{name}")

        if self.ray_address and self.backend != "ray":
            message = "rounds.ray_address is given, but rounds.backend is not ray; set both or neither"
            raise ConfigError(message, field="rounds.ray_address")
        if self.backend == "ray" and importlib.util.find_spec("ray") is None:
            message = "rounds.backend is ray, which needs the extra: pip install 'traboule[ray]'"
            raise ConfigError(message, field="rounds.backend")

    @property
    def solver_backend(self) -> Backend:
        """Who improves the parts of large problems."""
        return backend_of(self.threads, self.ray_address if self.backend == "ray" else None)

    @property
    def pool_size(self) -> int:
        """Number of solver processes; a lone long solve must not make short ones wait, so at least two."""
        return self.solvers or max(2, (os.cpu_count() or 2) - 1)


def solver_pool(settings: RoundsConfig) -> SolverPool:
    """The solver processes that settings ask for."""
    return SolverPool(settings.pool_size, FIRST_SOLVERS_AFTER_S, settings.solver_backend)


async def run(config: Config) -> None:
    """Serve until told to stop."""
    settings = load_section("rounds", RoundsConfig)
    clock = config.city_clock()
    async with State.connect(config) as state, solver_pool(settings) as pool:
        city = RoundsCity(open_snapshot(config.home, config.city), clock)
        current = Current(ServedCity(city, clock, state, pool, polish_s=settings.polish_s, follow_s=settings.follow_s))
        del city  # nothing here may refer to a snapshot, or its maps would be kept after a swap

        def register(server: grpc.aio.Server) -> Sequence[str]:
            servicer = forwarding(rounds_service_pb2_grpc.RoundsServiceServicer, current, "servicer", restart=False)
            rounds_service_pb2_grpc.add_RoundsServiceServicer_to_server(servicer, server)
            return [SERVICE]

        async def state_ready() -> str | None:
            await state.ping()
            return None

        async def build_next(snapshot: CitySnapshot, before: ServedCity) -> ServedCity:
            next_city = await asyncio.to_thread(RoundsCity, snapshot, clock)
            return ServedCity(next_city, clock, state, pool, before.live, settings.polish_s, settings.follow_s)

        async def follow() -> None:
            await follow_snapshots(config.home, config.city, current, build_next)

        def prepare(rounds_id: str, tenant: str) -> None:
            current.take().servicer.prepare(rounds_id, tenant)

        runner = JobRunner(state, lambda: current.take().city, pool, settings.lease_s, prepare)
        background = [follow, *(runner.work for _ in range(settings.pool_size))]
        await serve(config, "rounds", register, readiness={"state": state_ready}, background=background)


def main() -> int:
    """Entry point of ``python -m services.rounds.main``."""
    return service_main("rounds", run)


if __name__ == "__main__":
    sys.exit(main())
