"""Bytes between the service and its solver processes: msgpack, no pickle."""

from typing import Any, cast

import msgspec
import numpy as np

from routing.kernels.rounds_times import TimesArrays
from routing.rounds.api import Depot, Plan, Problem, Shipment, TravelTimes, Vehicle


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


class SolveOrder(msgspec.Struct, frozen=True, tag=True):
    """Service → solver: what to solve and for how long; the time limit holds beside `iterations` too."""

    problem: ProblemParts
    times: tuple[int, tuple[ArrayBytes, ...]]
    time_limit_s: float
    iterations: int | None
    seed: int


class Improvement(msgspec.Struct, frozen=True, tag=True):
    """Solver → service: a better plan; the last one has `final` set."""

    plan: Plan
    elapsed_s: float
    final: bool


class Failure(msgspec.Struct, frozen=True, tag=True):
    """Solver → service: an error the engine raised on purpose."""

    kind: str
    message: str
    field: str = ""


class Ready(msgspec.Struct, frozen=True, tag=True):
    """Solver → service: kernels are loaded."""

    pid: int


Message = SolveOrder | Improvement | Failure | Ready
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
    return ProblemParts(problem.location_count, problem.depots, problem.vehicles, problem.shipments)


def build_problem(parts: ProblemParts) -> Problem:
    """Problem from its parts, validated."""
    return Problem(parts.location_count, parts.depots, parts.vehicles, parts.shipments)


def pack_times(travel_times: TravelTimes) -> tuple[int, tuple[ArrayBytes, ...]]:
    """Arrays of travel times as bytes."""
    kind, arrays = travel_times.arrays.kind, cast("tuple[np.ndarray[Any, Any], ...]", travel_times.arrays[1:])
    return int(kind), tuple(ArrayBytes(array.dtype.str, array.shape, array.tobytes()) for array in arrays)


def unpack_times(packed: tuple[int, tuple[ArrayBytes, ...]]) -> TravelTimes:
    """Travel times from bytes (copied: kernels are compiled for writable arrays)."""
    kind, parts = packed
    arrays: list[Any] = [np.frombuffer(part.data, part.dtype).reshape(part.shape).copy() for part in parts]
    return TravelTimes(TimesArrays(kind, *arrays))
