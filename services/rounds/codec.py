"""Bytes between the service and its solver processes: msgpack, no pickle."""

import mmap
import os
from typing import Any, cast

import msgspec
import numpy as np

from routing.kernels.rounds_times import SLOTS, TimesArrays
from routing.rounds.api import Depot, Plan, Problem, Shipment, TravelTimes, Vehicle
from routing.rounds.hub import Hub
from routing.rounds.prices import Prices
from routing.rounds.remedies import Advice


class ArrayBytes(msgspec.Struct, frozen=True):
    """One array."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes


class ProblemParts(msgspec.Struct, frozen=True):
    """What a `Problem` is made of; it is validated again where it is decoded."""

    location_count: int
    depots: tuple[Depot, ...]
    vehicles: tuple[Vehicle, ...]
    shipments: tuple[Shipment, ...]
    hubs: tuple[Hub, ...] = ()


class SolveOrder(msgspec.Struct, frozen=True, tag=True):
    """Service → solver: what to solve and for how long; the time limit holds beside `iterations` too.

    With `earliest` the latest return is made small. `threads` are workers of Ray where
    `ray_address` says which cluster ("" = one of its own).
    """

    problem: ProblemParts
    times: tuple[int, tuple[ArrayBytes, ...]]
    time_limit_s: float
    iterations: int | None
    seed: int
    threads: int = 1
    window_probability: float = 0.0
    ray_address: str | None = None
    earliest: bool = False


class SharedTimes(msgspec.Struct, frozen=True):
    """Arrays of travel times that lie in memory the service shares: a file, and dtype, shape and offset of each."""

    kind: int
    path: str
    arrays: tuple[tuple[str, tuple[int, ...], int], ...]


class PolishOrder(msgspec.Struct, frozen=True, tag=True):
    """Service → solver: improve what is left of a plan at `cut_s` for some time.

    `held_until_s` (by vehicle), `broken` (vehicles) and `refused` (shipments) were reported of it.
    """

    problem: ProblemParts
    times: SharedTimes
    plan: Plan
    cut_s: float
    held_until_s: dict[int, float]
    broken: tuple[int, ...]
    refused: tuple[int, ...]
    move_cost: float
    time_limit_s: float
    seed: int = 0


class Polished(msgspec.Struct, frozen=True, tag=True):
    """Solver → service: rounds that changed (visits by vehicle, what is done at `cut_s` first) and the cost they save."""

    routes: dict[int, tuple[int, ...]]
    saved: float
    iterations: int


class Improvement(msgspec.Struct, frozen=True, tag=True):
    """Solver → service: a better plan; the last one has `final` set."""

    plan: Plan
    elapsed_s: float
    final: bool


class AdviseOrder(msgspec.Struct, frozen=True, tag=True):
    """Service → solver: for which orders to look for remedies, and who may serve each."""

    problem: ProblemParts
    times: tuple[int, tuple[ArrayBytes, ...]]
    time_limit_s: float
    routes: list[list[int]]
    shipments: tuple[int, ...]
    hosts: tuple[tuple[int, ...], ...]
    models: tuple[int, ...]
    most: int
    earliest_s: float


class Advised(msgspec.Struct, frozen=True, tag=True):
    """Solver → service: advice for the orders that were reached, and of how many of them the search came to its end."""

    advices: tuple[Advice, ...]
    complete: int
    final: bool = True


class Begun(msgspec.Struct, frozen=True):
    """A plan that is being driven at `cut_s`, and what was reported of it as in `PolishOrder`."""

    plan: Plan
    cut_s: float
    held_until_s: dict[int, float]
    broken: tuple[int, ...]
    refused: tuple[int, ...]


class PriceOrder(msgspec.Struct, frozen=True, tag=True):
    """Service → solver: which kinds of constraints to price (empty = all), in how much time together.

    Where the day has `begun` only what is left of it is planned.
    """

    problem: ProblemParts
    times: tuple[int, tuple[ArrayBytes, ...]]
    time_limit_s: float
    routes: list[list[int]]
    constraints: tuple[str, ...]
    seed: int
    begun: Begun | None = None


class Priced(msgspec.Struct, frozen=True, tag=True):
    """Solver → service: prices so far."""

    prices: Prices
    final: bool


class Failure(msgspec.Struct, frozen=True, tag=True):
    """Solver → service: an error the engine raised on purpose."""

    kind: str
    message: str
    field: str = ""


class Ready(msgspec.Struct, frozen=True, tag=True):
    """Solver → service: kernels are loaded."""

    pid: int


Study = AdviseOrder | PriceOrder
Order = SolveOrder | PolishOrder | Study
Answer = Improvement | Polished | Advised | Priced
Message = Order | Answer | Failure | Ready
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Message)


def encode(message: Message) -> bytes:
    """Pack a message."""
    return _encoder.encode(message)


def decode(data: bytes | memoryview) -> Message:
    """Unpack a message."""
    message: Message = _decoder.decode(data)
    return message


def encode_plan(plan: Plan) -> bytes:
    """Pack a plan."""
    return _encoder.encode(plan)


def decode_plan(data: bytes) -> Plan:
    """Unpack a plan."""
    return msgspec.msgpack.decode(data, type=Plan)


def parts_of(problem: Problem) -> ProblemParts:
    """What is sent of a problem."""
    return ProblemParts(problem.location_count, problem.depots, problem.vehicles, problem.shipments, problem.hubs)


def build_problem(parts: ProblemParts) -> Problem:
    """Problem from its parts, validated."""
    return Problem(parts.location_count, parts.depots, parts.vehicles, parts.shipments, parts.hubs)


def pack_times(travel_times: TravelTimes) -> tuple[int, tuple[ArrayBytes, ...]]:
    """Arrays of travel times as bytes."""
    kind, arrays = travel_times.arrays.kind, cast("tuple[np.ndarray[Any, Any], ...]", travel_times.arrays[1:])
    return int(kind), tuple(ArrayBytes(array.dtype.str, array.shape, array.tobytes()) for array in arrays)


def unpack_times(packed: tuple[int, tuple[ArrayBytes, ...]]) -> TravelTimes:
    """Travel times from bytes (copied: kernels are compiled for writable arrays)."""
    kind, parts = packed
    arrays: list[Any] = [np.frombuffer(part.data, part.dtype).reshape(part.shape).copy() for part in parts]
    return TravelTimes(TimesArrays(kind, *arrays))


def share_times(travel_times: TravelTimes, since_s: float, location_count: int) -> tuple[int, SharedTimes]:
    """Copy travel times into memory that other processes can map: its file descriptor, to be closed, and what they are told.

    Slots that are over at `since_s`, and room for locations to come, are left out.
    """
    arrays, n = travel_times.arrays, location_count
    cut: dict[str, Any] = {"matrix_s": arrays.matrix_s[:, :n, :n], "length_m": arrays.length_m}
    if arrays.length_m.ndim == 3 and arrays.length_m.shape[1] > n:
        cut["length_m"] = arrays.length_m[:, :n, :n]
    if arrays.kind == SLOTS:
        first = max(0, int(np.searchsorted(arrays.slot_start_s, since_s, "right")) - 1)
        cut |= {"slot_start_s": arrays.slot_start_s[first:], "slot_s": arrays.slot_s[:, first:, :n, :n]}
    parts: list[np.ndarray[Any, Any]] = list(arrays._replace(**cut)[1:])
    told, size = [], 0
    for part in parts:
        told.append((part.dtype.str, part.shape, size))
        size += -(-part.nbytes // 64) * 64
    file = os.memfd_create("traboule travel times")
    os.ftruncate(file, max(1, size))
    with mmap.mmap(file, max(1, size)) as memory:
        for part, (dtype, shape, offset) in zip(parts, told, strict=True):
            np.copyto(np.ndarray(shape, dtype, memory, offset), part)
    return file, SharedTimes(int(arrays.kind), f"/proc/{os.getpid()}/fd/{file}", tuple(told))


def map_times(shared: SharedTimes) -> TravelTimes:
    """Travel times that another process shares; what is written to them stays here."""
    with open(shared.path, "rb") as file:
        memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    arrays: list[Any] = [np.ndarray(shape, dtype, memory, offset) for dtype, shape, offset in shared.arrays]
    return TravelTimes(TimesArrays(shared.kind, *arrays))
