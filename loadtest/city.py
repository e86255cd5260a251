"""``python -m loadtest city``: build, start, answer times and the way of a delay, on one city from nothing to running."""

import argparse
import asyncio
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from traboule.common.v1 import geo_pb2
from traboule.journeys.v1 import journeys_service_pb2_grpc, plan_pb2

from loadtest.city_delays import measure_delays
from loadtest.report import machine, show
from services.city.config import read_city
from services.common.config import load_config
from services.demo.running import RunningCity, running_city


def main(argv: list[str]) -> int:
    """Run the benchmark; raw figures go to ``--out`` as JSON."""
    parser = argparse.ArgumentParser(prog="python -m loadtest city", description=__doc__)
    parser.add_argument("--city", type=Path, default=Path("cities/porto"))
    parser.add_argument("--journeys", type=int, default=200, help="door-to-door questions")
    parser.add_argument("--delays", type=int, default=10, help="delays published and waited for")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="traboule-bench-") as home:
        os.environ["TRABOULE_HOME"] = home
        found: dict[str, Any] = {"build": _build(options.city)}
        found |= asyncio.run(_serve(options))
    found["about"] = machine(seed=options.seed)
    options.out.write_text(json.dumps(found, indent=1))
    _show(found)
    return 0


def _build(folder: Path) -> dict[str, Any]:
    """Build in a process of its own: seconds by step, and its peak memory."""
    began = time.monotonic()
    command = [sys.executable, "-m", "services.cli", "city", "build", str(folder), "--json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    steps: dict[str, float] = json.loads(done.stdout)["seconds"]
    return {"wall_s": time.monotonic() - began, "peak_mb": peak_mb, "steps_s": steps}


async def _serve(options: argparse.Namespace) -> dict[str, Any]:
    config = replace(load_config(), cities=(read_city(options.city).name,))
    began = time.monotonic()
    async with running_city(config, options.city, rate=1.0, live=False, say=lambda _text: None) as city:
        start_s = time.monotonic() - began
        processor_s = {name: _processor_s(part.child.pid) for name, part in city.supervisor.running.items()}
        await asyncio.sleep(5)
        async with city.channel("journeys") as channel:
            stub = journeys_service_pb2_grpc.JourneysServiceStub(channel)
            questions = list(_questions(city, options.journeys, options.seed))
            answers = [await _timed(stub, question) for question in questions]
            delays = await measure_delays(city, stub, questions, options.delays)
    return {"start_s": start_s, "start_processor_s": processor_s, "journeys": answers, "delays": delays}


def _questions(city: RunningCity, count: int, seed: int) -> "list[plan_pb2.PlanJourneysRequest]":
    """Pairs of stops drawn within the city, leaving at drawn moments of the next two hours."""
    rng, timetable = random.Random(seed), city.snapshot.timetable
    boarded = sorted(set(timetable.pattern_stops.tolist()))
    now = int(city.clock.now())

    def place(stop: int) -> geo_pb2.Location:
        lat, lon = float(timetable.stop_lat_deg[stop]), float(timetable.stop_lon_deg[stop])
        return geo_pb2.Location(point=geo_pb2.LatLng(lat_deg=lat, lon_deg=lon))

    return [
        plan_pb2.PlanJourneysRequest(
            origin=place(rng.choice(boarded)),
            destination=place(rng.choice(boarded)),
            depart_at_unix_s=now + rng.randrange(7200),
            window_s=3600,
        )
        for _ in range(count)
    ]


async def _timed(
    stub: journeys_service_pb2_grpc.JourneysServiceStub, question: plan_pb2.PlanJourneysRequest
) -> dict[str, float | int]:
    began = time.monotonic()
    answer = await stub.PlanJourneys(question)  # type: ignore[misc]
    return {"seconds": time.monotonic() - began, "itineraries": len(answer.itineraries)}


def _processor_s(pid: int) -> float:
    """Processor time a process has used, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _show(found: dict[str, Any]) -> None:
    times = sorted(row["seconds"] for row in found["journeys"])
    visible = [row["seconds"] for row in found["delays"] if row["seconds"] is not None]
    steps, parts = found["build"]["steps_s"], found["start_processor_s"]
    kernels = steps.get("kernels", 0.0)
    rows = [
        ("city build, kernels apart", f"{found['build']['wall_s'] - kernels:.1f} s"),
        ("compiling or loading kernels", f"{kernels:.1f} s"),
        ("peak memory of the build", f"{found['build']['peak_mb']} MB"),
        ("all services ready", f"{found['start_s']:.1f} s"),
        ("processor time of the parts till then", ", ".join(f"{name} {s:.1f}" for name, s in parts.items()) + " s"),
        ("PlanJourneys p50 / p95", f"{1000 * statistics.median(times):.0f} / {1000 * times[int(0.95 * len(times))]:.0f} ms"),
        ("questions without an answer", str(sum(row["itineraries"] == 0 for row in found["journeys"]))),
        ("delay visible, median / worst", f"{statistics.median(visible):.2f} / {max(visible):.2f} s" if visible else "never"),
        ("delays published, not seen in 10 s", f"{len(found['delays'])}, {len(found['delays']) - len(visible)}"),
        (
            "rides then as computed beforehand",
            f"{sum(row['as_computed'] for row in found['delays'])} of {len(found['delays'])}",
        ),
    ]
    show("city", ("what", "measured"), rows, found["about"])
