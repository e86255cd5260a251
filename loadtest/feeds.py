"""``python -m loadtest feeds``: every file of a manifest through its adapter, each in a fresh process (DESIGN section 8)."""

import argparse
import json
import subprocess
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from loadtest.feeds_worker import Task
from loadtest.report import machine, show

TIMEOUT_S = 120


def main(argv: list[str]) -> int:
    """Run the manifest; exit status 1 when an expected verdict or code (where the manifest has them) is missed."""
    parser = argparse.ArgumentParser(prog="loadtest feeds", description=__doc__)
    parser.add_argument("--manifest", required=True, type=Path, help="JSON lines with `file` (relative to it) and `kind`")
    parser.add_argument("--clock", required=True, help="ISO time of the city clock; without offset it is local to --timezone")
    parser.add_argument("--timezone", default="Europe/Paris", help="zone for times without one (default %(default)s)")
    parser.add_argument("--static", type=Path, help="GTFS zip the real-time files speak of")
    parser.add_argument("--out", required=True, type=Path, help="JSON lines written")
    options = parser.parse_args(argv)
    moment = datetime.fromisoformat(options.clock)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(options.timezone))
    static = options.static
    if static is not None and not static.exists():
        static = options.manifest.parent / static
    rows = [json.loads(line) for line in options.manifest.read_text("utf-8").splitlines() if line.strip()]
    answers = _run(rows, options.manifest.parent, int(moment.timestamp()), options.timezone, static)
    options.out.write_text("".join(json.dumps(answer) + "\n" for answer in answers), "utf-8")
    return _report(rows, answers)


def _run(rows: list[dict[str, str]], folder: Path, now: int, timezone: str, static: Path | None) -> list[dict[str, object]]:
    """One fresh process per file. The first accepted publication of a measurement site table is the baseline of its sites."""
    answers: list[dict[str, object]] = []
    sites: dict[str, list[str]] = {}
    for number, row in enumerate(rows, 1):
        kind = row["kind"]
        task = Task(str(folder / row["file"]), kind, now, timezone, str(static) if static else "", sites.get(kind))
        done = _worker(task)
        if kind not in sites and done.pop("baseline", None):
            sites[kind] = list(done["entities"])  # type: ignore[call-overload]
        done.pop("baseline", None)
        done.pop("entities", None)
        answers.append({"file": row["file"], **done})
        if sys.stderr.isatty() or number % 25 == 0:
            print(f"\r{number}/{len(rows)} {row['file']:<60}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return answers


def _worker(task: Task) -> dict[str, object]:
    try:
        process = subprocess.run(
            [sys.executable, "-m", "loadtest.feeds_worker"], input=msgspec.json.encode(task), capture_output=True,
            timeout=TIMEOUT_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {"verdict": "reject", "codes": ["timeout"], "seconds": float(TIMEOUT_S), "peak_bytes": 0}
    if process.returncode != 0:
        tail = process.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        return {"verdict": "crash", "codes": ["crash", *tail], "seconds": 0.0, "peak_bytes": 0}
    return dict(msgspec.json.decode(process.stdout))


def _report(rows: list[dict[str, str]], answers: list[dict[str, object]]) -> int:
    missed = []
    for row, answer in zip(rows, answers, strict=True):
        wanted = {code for code in row.get("code", "").split(",") if code}
        codes = set(answer["codes"])  # type: ignore[call-overload]
        if answer["verdict"] == "crash" or ("expect" in row and (answer["verdict"] != row["expect"] or not wanted <= codes)):
            missed.append(
                (row["file"], row.get("expect", ""), row.get("code", ""), answer["verdict"], ", ".join(sorted(codes)))
            )
    verdicts = Counter(str(answer["verdict"]) for answer in answers)
    table = [(verdict, count) for verdict, count in sorted(verdicts.items())]
    about = machine(("msgspec", "lxml", "protobuf"))
    about["slowest_s"] = max((float(a["seconds"]) for a in answers), default=0.0)  # type: ignore[arg-type]
    about["peak_mb"] = max((int(a["peak_bytes"]) for a in answers), default=0) >> 20  # type: ignore[call-overload]
    show(f"{len(rows)} feed files", ("verdict", "files"), table, about)
    if missed:
        show("not as expected", ("file", "expected", "code", "verdict", "codes"), missed)
    return 1 if missed else 0
