"""StreamMatrix gives the rows of GetMatrix in messages, of one epoch, as long as somebody waits for them."""

import asyncio
from dataclasses import replace
from typing import Any

import grpc
import numpy as np
import pytest
from traboule.journeys.v1 import itinerary_pb2 as pb
from traboule.journeys.v1 import matrix_pb2

from routing.multimodal import travel_matrix
from services.common.status import read_problem
from services.journeys import matrices
from services.journeys.keeper import ViewKeeper
from tests.builders.journeys import TRINDADE, at, point, problem_of

PARIS = (48.8566, 2.3522)
SEA = (41.15, -8.80)


def places(count: int, seed: int) -> list[Any]:
    """Points in the middle of Porto."""
    rng = np.random.default_rng(seed)
    lat, lon = rng.uniform(41.145, 41.17, count), rng.uniform(-8.65, -8.59, count)
    return [point((float(a), float(b))) for a, b in zip(lat, lon, strict=True)]


@pytest.mark.parametrize(
    ("mode", "rows"), [(pb.MODE_CAR, 7), (pb.MODE_TRUCK, 1), (pb.MODE_WALK, 0), (pb.MODE_TRANSIT, 2), (pb.MODE_BICYCLE, 100)]
)
async def test_messages_are_the_rows_of_the_matrix(stub: Any, mode: pb.Mode.ValueType, rows: int) -> None:
    """In order, each once, as many as asked for at a time, all with one stamp."""
    count = 3 if mode == pb.MODE_TRANSIT else 20
    fields: dict[str, Any] = {
        "origins": places(count, 1), "destinations": places(5, 2), "mode": mode, "depart_at_unix_s": at("08:30"),
    }  # fmt: skip
    whole = await stub.GetMatrix(matrix_pb2.GetMatrixRequest(**fields))
    messages = [m async for m in stub.StreamMatrix(matrix_pb2.StreamMatrixRequest(**fields, max_row_count=rows))]
    assert [message.first_row_index for message in messages] == list(range(0, count, rows or count))
    assert all(len(message.durations_s) == message.row_count * message.destination_count for message in messages)
    assert [seconds for message in messages for seconds in message.durations_s] == list(whole.durations_s)
    assert sum(message.unreachable_count for message in messages) == whole.unreachable_count
    assert {message.stamp.SerializeToString(deterministic=True) for message in messages} == {
        messages[0].stamp.SerializeToString(deterministic=True)
    }
    assert messages[0].stamp.snapshot_id == whole.stamp.snapshot_id != ""


async def test_every_place_far_from_streets_is_named(stub: Any) -> None:
    """All of them at once, by the path of their field; the sentence says what to do."""
    request = matrix_pb2.StreamMatrixRequest(
        origins=[point(TRINDADE), point(SEA), point(TRINDADE), point(PARIS)], destinations=[point(TRINDADE)]
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await anext(aiter(stub.StreamMatrix(request)))
    problem = read_problem(caught.value)
    assert problem.code == grpc.StatusCode.INVALID_ARGUMENT
    assert [field for field, _ in problem.violations] == ["origins[1]", "origins[3]"]
    assert all("inside the city" in sentence for _, sentence in problem.violations)


async def test_pairs_without_a_way_are_said(keeper: ViewKeeper) -> None:
    """-1, and how many: never a large number."""
    request = matrix_pb2.GetMatrixRequest(origins=places(3, 1), destinations=places(4, 2), mode=pb.MODE_CAR)
    engine, times = keeper.view.network.street, []

    class Cut:
        """Streets of which one destination and one pair are cut off."""

        def __getattr__(self, name: str) -> Any:
            return getattr(engine, name)

        def many_to_many_blocks(self, *arguments: Any) -> Any:
            for table in engine.many_to_many_blocks(*arguments):
                table[:, 2], table[0, 0] = travel_matrix.UNREACHABLE_MS, travel_matrix.UNREACHABLE_MS
                times.append(table)
                yield table

    cut: Any = Cut()
    view = replace(keeper.view, network=replace(keeper.view.network, street=cut))
    answer = matrices.get_matrix(view, request, at("08:30"))
    table = np.array(answer.durations_s).reshape(3, 4)
    assert len(times) == 1
    assert (table[:, 2] == -1).all()
    assert table[0, 0] == -1
    assert answer.unreachable_count == np.count_nonzero(table == -1) == 4
    assert (np.delete(table, 2, axis=1).ravel()[1:] >= 0).all()


async def test_rows_nobody_waits_for_are_not_computed(stub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller leaves after the first message of a hundred: soon no block is computed any more."""
    computed, real = [], travel_matrix._whole_seconds

    def counted(times: Any, factor: float) -> Any:
        computed.append(len(times))
        return real(times, factor)

    monkeypatch.setattr(travel_matrix, "_whole_seconds", counted)
    many = places(2000, 3)
    call = stub.StreamMatrix(matrix_pb2.StreamMatrixRequest(origins=many, destinations=many, max_row_count=20))
    assert (await anext(aiter(call))).row_count == 20
    call.cancel()
    before = -1
    async with asyncio.timeout(60):
        while before != len(computed):
            before = len(computed)
            await asyncio.sleep(0.5)
    assert len(computed) < 100


async def test_time_used_up_ends_the_stream(stub: Any) -> None:
    """A deadline is looked at between blocks."""
    many = places(3000, 4)
    request = matrix_pb2.StreamMatrixRequest(origins=many, destinations=many, max_row_count=5)
    got: list[int] = []

    async def read() -> None:
        async for message in stub.StreamMatrix(request, timeout=1.0):
            got.append(message.row_count)

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await read()
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert len(got) < 600


async def test_too_many_pairs_for_one_answer_are_refused(stub: Any) -> None:
    """GetMatrix names its sibling."""
    many = places(1001, 5)
    problem = await problem_of(stub.GetMatrix(matrix_pb2.GetMatrixRequest(origins=many, destinations=many)))
    assert problem.code == grpc.StatusCode.INVALID_ARGUMENT
    assert "StreamMatrix" in problem.message
