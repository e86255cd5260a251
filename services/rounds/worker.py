"""A solver process: reads one order at a time from its socket, sends better plans back, dies with the service.

OR-Tools' routing library holds the GIL for a whole solve, hence a process of its own. Cancelling is killing it.
Run as ``python -m services.rounds.worker <file descriptor>`` by `services.rounds.pool`.
"""

import os
import socket
import struct
import sys
import time
from functools import partial

from routing.errors import RoutingError
from routing.rounds.api import Plan, solve
from routing.rounds.earliest import solve_earliest
from routing.rounds.hub_search import solve_hubs
from routing.rounds.polish import polish, visits_of, whole_routes
from routing.rounds.replan import residual
from routing.rounds.stability import Stability
from routing.rounds.sure import solve_surely
from routing.rounds.warm import warm
from services.common.compiling import compile_once
from services.rounds.codec import (
    Failure,
    Improvement,
    Message,
    Polished,
    PolishOrder,
    Ready,
    SolveOrder,
    Study,
    build_problem,
    decode,
    encode,
    map_times,
    unpack_times,
)
from services.rounds.ray_workers import RayWorkers
from services.rounds.studies import study

HEADER = struct.Struct("!Q")
LARGEST_FRAME = 1 << 32
MIN_INTERVAL_S = 0.2
"""Better plans are sent at most this often (the first and the last always)."""


def main(arguments: list[str]) -> int:
    """Serve orders until the other end closes the socket."""
    with socket.socket(fileno=int(arguments[0])) as channel:
        compile_once()
        warm()
        _send(channel, Ready(os.getpid()))
        while (data := _receive(channel)) is not None:
            order = decode(data)
            if isinstance(order, SolveOrder):
                _serve(channel, order)
            elif isinstance(order, PolishOrder):
                _polish(channel, order)
            elif isinstance(order, Study):
                _study(channel, order)
            del order
    return 0


def _serve(channel: socket.socket, order: SolveOrder) -> None:
    began, sent = time.monotonic(), 0.0

    def on_improvement(plan: Plan) -> None:
        nonlocal sent
        now = time.monotonic()
        if now - sent >= MIN_INTERVAL_S:
            sent = now
            _send(channel, Improvement(plan, now - began, final=False))

    def is_over() -> bool:
        return time.monotonic() - began >= order.time_limit_s

    plainly = solve if order.ray_address is None else partial(solve, workers=_ray(order, order.ray_address))
    surely = partial(solve_surely, probability=order.window_probability)
    try:
        problem = build_problem(order.problem)
        wanted = solve_earliest if order.earliest else surely if order.window_probability else plainly
        planned = solve_hubs if problem.hubs else wanted
        plan = planned(
            problem,
            unpack_times(order.times),
            iterations=order.iterations,
            time_limit_s=order.time_limit_s if order.iterations is None else None,
            elapsed_s=time.monotonic,
            seed=order.seed,
            threads=order.threads,
            on_improvement=on_improvement,
            should_stop=None if order.iterations is None else is_over,
        )
    except RoutingError as error:
        _send(channel, Failure(error.kind, str(error), error.field or ""))
        return
    _send(channel, Improvement(plan, time.monotonic() - began, final=True))


def _ray(order: SolveOrder, address: str) -> RayWorkers:
    return RayWorkers(order.threads, address, order.time_limit_s if order.iterations is None else None)


def _polish(channel: socket.socket, order: PolishOrder) -> None:
    """Improve what is left of a plan; answer the rounds that changed."""
    began: float | None = None

    def progress() -> float:
        nonlocal began
        began = time.monotonic() if began is None else began  # what prepares the search does not count
        return (time.monotonic() - began) / order.time_limit_s

    try:
        problem, times = build_problem(order.problem), map_times(order.times)
        rest = residual(
            problem,
            order.plan,
            order.cut_s,
            held_until_s=order.held_until_s,
            without_vehicles=frozenset(order.broken),
            without_shipments=frozenset(order.refused),
            length_m=times.length_m,
        )
        found = polish(
            rest,
            times,
            stability=Stability(order.move_cost),
            progress=progress,
            seed=order.seed,
        )
    except RoutingError as error:
        _send(channel, Failure(error.kind, str(error), error.field or ""))
        return
    visits = visits_of(rest, problem.visits)
    was, now = (whole_routes(rest, routes, visits) for routes in (rest.routes, found.routes))
    changed = {r: tuple(now[r]) for r in range(len(now)) if now[r] != was[r]}
    _send(channel, Polished(changed, found.saved, found.iterations))


def _study(channel: socket.socket, order: Study) -> None:
    try:
        for answer in study(order, time.monotonic):
            _send(channel, answer)
    except RoutingError as error:
        _send(channel, Failure(error.kind, str(error), error.field or ""))


def _send(channel: socket.socket, message: Message) -> None:
    data = encode(message)
    channel.sendall(HEADER.pack(len(data)) + data)


def _receive(channel: socket.socket) -> bytes | None:
    header = _exactly(channel, HEADER.size)
    if header is None:
        return None
    (length,) = HEADER.unpack(header)
    if length > LARGEST_FRAME:
        raise ValueError(f"a frame of {length} bytes: the two ends speak different versions")
    return _exactly(channel, length)


def _exactly(channel: socket.socket, count: int) -> bytes | None:
    parts, left = [], count
    while left:
        part = channel.recv(min(left, 1 << 20))
        if not part:
            return None
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
