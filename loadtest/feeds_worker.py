"""Decodes one file in a process of its own: a `Task` as JSON on standard input, the answer on standard output."""

import sys
import time
from pathlib import Path

import msgspec

from services.ingest.sources import decode
from services.ingest.sources.base import Site, SourceContext, sha256_hex
from services.ingest.sources.gtfs_index import GtfsIndex


class Task(msgspec.Struct, frozen=True, array_like=True):
    """One file to decode: path, kind, clock (unix seconds), zone, static GTFS zip, known sites."""

    path: str
    kind: str
    now: int
    timezone: str
    static: str
    sites: list[str] | None


def run(task: Task) -> dict[str, object]:
    """Decode and answer verdict, codes, seconds and peak memory."""
    needs_static = task.static and task.kind in {"gtfs-rt", "siri-et"}
    static = GtfsIndex.build(Path(task.static).read_bytes(), task.now) if needs_static else None
    body = Path(task.path).read_bytes()
    started = time.perf_counter()
    sites = {site: Site(site) for site in task.sites} if task.sites is not None else None
    context = SourceContext(
        feed="manifest", now=task.now, timezone=task.timezone, sha256=sha256_hex(body), static_feed="static", static=static,
        sites=sites,
    )  # fmt: skip
    decoded = decode(task.kind, body, context)
    seconds = time.perf_counter() - started
    entities = sorted({record.entity for record in decoded.records})
    return {
        "verdict": decoded.verdict, "codes": list(decoded.codes), "seconds": round(seconds, 6), "peak_bytes": _peak_bytes(),
        "baseline": task.kind == "datex2" and decoded.verdict == "accept" and bool(entities), "entities": entities,
    }  # fmt: skip


def _peak_bytes() -> int:
    """Peak resident memory of this process alone (`ru_maxrss` would count the parent's before exec)."""
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(run(msgspec.json.decode(sys.stdin.buffer.read(), type=Task))))
