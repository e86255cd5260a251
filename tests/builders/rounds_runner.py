"""A process that works on queued rounds with drawn problems: ``python -m tests.builders.rounds_runner CITY LEASE_S``.

The state servers come from the environment, as the service reads them. Made to be killed.
"""

import asyncio
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np

from services.common.config import load_config
from services.common.state import State
from services.rounds import runner
from services.rounds.pool import SolverPool
from services.rounds.runner import JobRunner
from tests.builders.rounds import random_problem, random_times

CITY: Any = SimpleNamespace(kept=SimpleNamespace(put=lambda *_: None), now=lambda: 0)


async def prepare(_city: object, _request: object) -> Any:
    """Instead of a city: a drawn problem with drawn times."""
    rng = np.random.default_rng(1)
    mapped = SimpleNamespace(problem=random_problem(rng, 12, 4), points=[])
    return mapped, SimpleNamespace(travel_times=random_times(rng, 13))


async def work(city: str, lease_s: float) -> None:
    """Work on jobs for ever."""
    runner.prepare = prepare
    runner.LEASE_S = lease_s
    async with State.connect(load_config(), city) as state, SolverPool(1) as pool:
        await JobRunner(state, lambda: CITY, pool).work()


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], float(sys.argv[2])))
