"""Who plans a file with its own travel times: threads of the command or Ray, and what is refused."""

import os

import click
import numpy as np
import pytest

from routing.rounds.formats.instance import Instance
from routing.rounds.parts import ThreadWorkers
from services.cli.rounds_local import workers_of
from tests.builders.rounds import random_problem, random_times


def _instance(stops: int) -> Instance:
    rng = np.random.default_rng(1)
    return Instance("drawn", random_problem(rng, stops, 3), random_times(rng, stops + 1, 1), tuple(range(stops)))


def test_small_files_have_one_worker_and_large_ones_all_cores() -> None:
    """As the service has it."""
    assert workers_of(_instance(20), 0, None, 10.0) is None
    large = workers_of(_instance(500), 0, "threads", 10.0)
    assert isinstance(large, ThreadWorkers) == ((os.cpu_count() or 1) > 1)


@pytest.mark.parametrize(("seconds", "sure", "words"), [(10.0, None, "--seconds 60"), (90.0, 0.95, "--sure")])
def test_ray_is_refused_where_it_does_not_help(seconds: float, sure: float | None, words: str) -> None:
    """Too short a time, or plans that one worker makes."""
    with pytest.raises(click.ClickException, match=words):
        workers_of(_instance(20), 0, "ray", seconds, sure)
