"""Tenants may ask for so many pairs of matrices a call and a minute; who asks for more is told when to come again."""

from pathlib import Path

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from traboule.journeys.v1 import journeys_service_pb2_grpc, matrix_pb2

from services.common.channel import development_tokens, open_channel
from services.common.config import load_section
from services.common.errors import ConfigError, ResourceExhausted
from services.common.status import read_problem
from services.journeys.budget import MatrixBudget
from services.journeys.config import JourneysConfig
from services.journeys.keeper import ViewKeeper
from services.journeys.main import SERVICE
from services.journeys.servicer import JourneysServicer
from tests.builders.journeys import CAMPANHA, MATOSINHOS, TRINDADE, point, problem_of, standing_clock
from tests.builders.servers import config_for, grpc_server

PARIS = (48.8566, 2.3522)


class Clock:
    """Seconds that a test lets pass."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        """Seconds passed."""
        return self.now_s


def budget_of(clock: Clock, **settings: int) -> MatrixBudget:
    """Budget with limits of its own."""
    return MatrixBudget(JourneysConfig(**settings), clock)


@given(st.lists(st.tuples(st.floats(0, 40), st.integers(1, 120)), max_size=60))
def test_nobody_gets_more_than_two_minutes_worth_within_one(calls: list[tuple[float, int]]) -> None:
    """A full bucket and what flows in; and whoever waits as told is let in."""
    clock = Clock()
    budget, granted = budget_of(clock, matrix_pairs_per_call=100, matrix_pairs_per_minute=100), []

    def ask(pairs: int) -> ResourceExhausted | None:
        try:
            with budget.spending("fleet", pairs) as spending:
                spending.done(pairs)
        except ResourceExhausted as error:
            return error
        granted.append((clock.now_s, pairs))
        return None

    for pause_s, pairs in calls:
        clock.now_s += pause_s
        refused = ask(pairs)
        if pairs > 100:
            assert refused is not None
            assert refused.retry_after_s is None, "waiting does not help"
        elif refused is not None:
            assert refused.retry_after_s is not None
            clock.now_s += refused.retry_after_s + 1e-6
            assert ask(pairs) is None
    for begin_s, _ in granted:
        assert sum(pairs for at_s, pairs in granted if begin_s <= at_s < begin_s + 60) <= 200


def test_tenants_have_buckets_of_their_own() -> None:
    """One that is empty does not keep another out; a tenant may have its own size."""
    config = JourneysConfig(matrix_pairs_per_minute=10, tenant_matrix_pairs_per_minute={"fleet": 50})
    budget = MatrixBudget(config, Clock())
    with budget.spending("app", 10):
        pass
    with budget.spending("fleet", 50):
        pass
    for tenant in ("app", "fleet"):
        with pytest.raises(ResourceExhausted, match=f"{tenant} may ask for (10|50) pairs"), budget.spending(tenant, 1):
            pass


def test_what_was_not_computed_is_given_back() -> None:
    """A call that is left half-way pays for its half."""
    budget = budget_of(Clock(), matrix_pairs_per_minute=100)

    def leave() -> None:
        with budget.spending("fleet", 80) as spending:
            spending.done(30)
            raise GeneratorExit

    with pytest.raises(GeneratorExit):
        leave()
    with budget.spending("fleet", 70):
        pass
    with pytest.raises(ResourceExhausted), budget.spending("fleet", 1):
        pass


async def test_the_limit_is_said_with_the_time_to_wait(keeper: ViewKeeper, tmp_path: Path) -> None:
    """On a real server: too much at once, then too much in a minute; a wrong request costs nothing."""
    clock = standing_clock()
    budget = budget_of(Clock(), matrix_pairs_per_call=4, matrix_pairs_per_minute=6)

    def register(server: grpc.aio.Server) -> list[str]:
        servicer = JourneysServicer(keeper, clock, budget)
        journeys_service_pb2_grpc.add_JourneysServiceServicer_to_server(servicer, server)
        return [SERVICE]

    ends = [point(place) for place in (TRINDADE, CAMPANHA, MATOSINHOS)]
    async with (
        grpc_server(config_for(tmp_path), register, "journeys") as server,
        open_channel(server.address, development_tokens(tmp_path)) as channel,
    ):
        stub = journeys_service_pb2_grpc.JourneysServiceStub(channel)
        much = await problem_of(stub.GetMatrix(matrix_pb2.GetMatrixRequest(origins=ends, destinations=ends)))
        wrong = [point(PARIS), ends[0]]
        for _ in range(3):
            await problem_of(stub.GetMatrix(matrix_pb2.GetMatrixRequest(origins=wrong, destinations=ends[:2])))
        request = matrix_pb2.StreamMatrixRequest(origins=ends[:2], destinations=ends[:2])
        assert [message.row_count async for message in stub.StreamMatrix(request)] == [2]
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await anext(aiter(stub.StreamMatrix(request)))
    often = read_problem(caught.value)
    assert much.code == often.code == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "4 at most" in much.message
    assert "journeys.matrix_pairs_per_call" in much.message
    assert much.retry_after_s is None, "waiting does not help"
    assert "6 pairs of matrices a minute" in often.message
    assert often.retry_after_s == pytest.approx(20.0, abs=0.2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"TRABOULE_JOURNEYS_MATRIX_PAIRS_PER_CALL": "0"}, {"TRABOULE_JOURNEYS_MATRIX_PAIRS_PER_MINUTE": "-1"},
        {"TRABOULE_JOURNEYS_TENANT_MATRIX_PAIRS_PER_MINUTE": "fleet=0"},
    ],
)  # fmt: skip
def test_limits_of_nothing_are_refused(wrong: dict[str, str]) -> None:
    """The sentence names the setting."""
    with pytest.raises(ConfigError, match="1 pair or more"):
        load_section("journeys", JourneysConfig, wrong)


def test_limits_are_settings() -> None:
    """By environment variables, like all others."""
    config = load_section("journeys", JourneysConfig, {"TRABOULE_JOURNEYS_TENANT_MATRIX_PAIRS_PER_MINUTE": "fleet=5,app=7"})
    assert (config.per_minute("fleet"), config.per_minute("app"), config.per_minute("other")) == (5, 7, 100_000_000)
    assert config.per_call("fleet") == 5
