"""``python -m loadtest grpc``: load on a running journeys server: answers a second, latency, errors by code.

Every worker sends one request after the other (closed loop). Requests are drawn from the places of the running city itself,
the same for the same seed and concurrency. Each answer is one JSON line in ``--out``.

With ``--closure-every`` and ``--swap-every`` the city changes meanwhile: streets are closed and opened (by reports to the
ingest service), and its snapshot is swapped for a copy of itself and back. The report counts the epochs that
answers came from.
"""

import argparse
import asyncio
import ipaddress
import itertools
import json
import os
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, TextIO

import grpc
import numpy as np
from google.protobuf.json_format import MessageToDict
from traboule.common.v1 import stamp_pb2
from traboule.journeys.v1 import journeys_service_pb2_grpc

from loadtest.grpc_disturb import disturbing
from loadtest.grpc_scenarios import SCENARIOS, Call, City, read_city
from loadtest.report import machine, show
from services.city.errors import CityError
from services.common.channel import development_tokens, open_channel

MAX_SECONDS = 600.0
MAX_CALLS = 1_000_000
CALL_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """One call: method, status code, seconds after the start, seconds it took, epochs of its stamp."""

    method: str
    code: str
    at_s: float
    took_s: float
    snapshot_epoch: int = 0
    traffic_epoch: int = 0


def main(argv: list[str]) -> int:
    """Run the benchmark; exit status 1 if no call was answered OK, 2 if wrongly called or the server cannot be used."""
    options = parse_arguments(argv)
    host = options.target.rpartition(":")[0].strip("[]")
    if not options.any_host and not _is_loopback(host):
        print(f"{options.target} is not this machine; say --any-host to load somebody else's server", file=sys.stderr)
        return 2
    try:
        with options.out.open("w", encoding="utf-8") as out:
            answers = asyncio.run(_run(options, out))
    except (LookupError, OSError, CityError) as error:
        print(error, file=sys.stderr)
        return 2
    except grpc.RpcError as error:
        print(f"{options.target} does not answer: {error.details()}", file=sys.stderr)
        return 2
    report(options, answers)
    return 0 if any(answer.code == "OK" for answer in answers) else 1


def parse_arguments(argv: list[str]) -> argparse.Namespace:
    """Options of a command line; leaves with status 2 if they are wrong."""
    parser = argparse.ArgumentParser(prog="python -m loadtest grpc", description=__doc__)
    parser.add_argument("--target", required=True, help="HOST:PORT of a journeys server")
    parser.add_argument("--scenario", required=True, choices=SCENARIOS)
    parser.add_argument("--seconds", type=float, required=True, help=f"how long, at most {MAX_SECONDS:g}")
    parser.add_argument("--out", type=Path, required=True, help="raw answers, JSON lines")
    parser.add_argument("--concurrency", type=int, default=2, help="calls at the same time (default 2)")
    parser.add_argument("--calls", type=int, default=MAX_CALLS, help="stop after so many calls")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--closure-every", type=float, default=0.0, metavar="S", help="close another street every S seconds")
    parser.add_argument("--swap-every", type=float, default=0.0, metavar="S", help="swap the city's snapshot every S seconds")
    parser.add_argument("--token", help="bearer token (default: development key of $TRABOULE_HOME)")
    parser.add_argument("--any-host", action="store_true", help="allow a target that is not this machine")
    options = parser.parse_args(argv)
    if not 0 < options.seconds <= MAX_SECONDS:
        parser.error(f"--seconds must be above 0 and at most {MAX_SECONDS:g}")
    if not 1 <= options.concurrency <= 64:
        parser.error("--concurrency must be from 1 to 64")
    if not 1 <= options.calls <= MAX_CALLS:
        parser.error(f"--calls must be from 1 to {MAX_CALLS}")
    if any(0 != every < 0.1 for every in (options.closure_every, options.swap_every)):
        parser.error("--closure-every and --swap-every must be 0 (never) or at least 0.1 seconds")
    if not options.target.rpartition(":")[2].isdigit():
        parser.error(f"--target {options.target!r} is not HOST:PORT")
    return options


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def _run(options: argparse.Namespace, out: TextIO) -> list[Answer]:
    home = Path(os.environ.get("TRABOULE_HOME", ".traboule")).absolute()
    answers: list[Answer] = []
    async with open_channel(options.target, options.token or development_tokens(home)) as channel:
        stub = journeys_service_pb2_grpc.JourneysServiceStub(channel)
        city = await read_city(stub)
        numbers, began = itertools.count(), time.perf_counter()

        async def work(worker: int) -> None:
            random = Random(f"{options.seed}/{worker}")
            while time.perf_counter() - began < options.seconds and next(numbers) < options.calls:
                call = _draw(options.scenario, city, random)
                answers.append(await _send(stub, call, began, out))

        progress = asyncio.ensure_future(_progress(options.seconds, began, answers))
        changes = (options.closure_every, options.swap_every)
        async with disturbing(home, os.environ.get("TRABOULE_CITIES", "porto"), city, Random(options.seed), *changes) as done:
            await asyncio.gather(*(work(worker) for worker in range(options.concurrency)))
        if any(changes):
            print(f"{done.closures} closures, {done.swaps} swaps of the snapshot meanwhile")
        progress.cancel()
        await asyncio.gather(progress, return_exceptions=True)
    return answers


def _draw(scenario: str, city: City, random: Random) -> Call:
    return SCENARIOS[scenario](city, random)


async def _send(stub: Any, call: Call, began: float, out: TextIO) -> Answer:
    sent = time.perf_counter()
    line: dict[str, Any] = {}
    stamp = stamp_pb2.AnswerStamp()
    try:
        asked = getattr(stub, call.method)(call.request, timeout=CALL_TIMEOUT_S)
        messages = [message async for message in asked] if call.streams else [await asked]
        code = "OK"
        took_s = time.perf_counter() - sent
        stamp = messages[0].stamp
        shown = [MessageToDict(message, preserving_proto_field_name=True) for message in messages]
        line["response"] = shown if call.streams else shown[0]
    except grpc.aio.AioRpcError as error:
        took_s = time.perf_counter() - sent
        code = error.code().name
        line["error"] = error.details()
    answer = Answer(call.method, code, sent - began, took_s, stamp.snapshot_epoch, stamp.traffic_epoch)
    head = {"method": call.method, "code": code, "at_s": round(answer.at_s, 4), "took_ms": round(1000 * took_s, 3)}
    request = MessageToDict(call.request, preserving_proto_field_name=True)
    out.write(json.dumps({**head, "request": request, **line}, ensure_ascii=False) + "\n")
    return answer


async def _progress(seconds: float, began: float, answers: list[Answer]) -> None:
    while True:
        await asyncio.sleep(2.0)
        print(f"  {time.perf_counter() - began:5.1f} of {seconds:g} s, {len(answers)} calls", file=sys.stderr)


def report(options: argparse.Namespace, answers: list[Answer]) -> None:
    """Print calls, rate, percentiles of what was answered OK, and errors by code."""
    span_s = max((answer.at_s + answer.took_s for answer in answers), default=0.0)
    rows = []
    methods = sorted({answer.method for answer in answers})
    for name in [*methods, *(["all"] if len(methods) > 1 else [])]:
        mine = [answer for answer in answers if name in ("all", answer.method)]
        took_ms = 1000 * np.array([answer.took_s for answer in mine if answer.code == "OK"])
        p50, p95, p99 = np.percentile(took_ms, (50, 95, 99)) if len(took_ms) else (np.nan,) * 3
        errors = Counter(answer.code for answer in mine if answer.code != "OK")
        words = ", ".join(f"{code} {count}" for code, count in sorted(errors.items())) or "none"
        rows.append((name, len(mine), f"{len(took_ms) / span_s:.1f}", f"{p50:.1f}", f"{p95:.1f}", f"{p99:.1f}", words))
    ok = [answer for answer in answers if answer.code == "OK"]
    snapshots, traffic = ({getattr(answer, name) for answer in ok} for name in ("snapshot_epoch", "traffic_epoch"))
    about = machine(("grpcio", "protobuf"), options.seed) | {"concurrency": options.concurrency, "seconds": round(span_s, 1)}
    about |= {"snapshot epochs": len(snapshots), "traffic epochs": len(traffic)}
    title = f"grpc: {options.scenario} at {options.target}"
    show(title, ("method", "calls", "OK a second", "p50 ms", "p95 ms", "p99 ms", "errors"), rows, about)
