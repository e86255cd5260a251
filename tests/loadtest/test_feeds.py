"""``python -m loadtest feeds`` writes one answer per file, in order, and tells missed expectations by its exit status."""

import json
from pathlib import Path

import pytest

from loadtest.feeds import main
from tests.builders.feeds import parkapi, trip_updates


@pytest.mark.slow
def test_answers_have_verdict_codes_seconds_and_peak(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each file runs in a fresh process; wrong expectations give status 1."""
    (tmp_path / "good.pb").write_bytes(trip_updates(("T", 60)))
    (tmp_path / "old.json").write_bytes(parkapi(5, "2026-03-09T06:59:00"))
    rows = [
        {"file": "good.pb", "kind": "gtfs-rt", "expect": "accept", "code": ""},
        {"file": "old.json", "kind": "parking-parkapi", "expect": "reject", "code": "stale"},
    ]
    manifest, out = tmp_path / "m.jsonl", tmp_path / "a.jsonl"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    arguments = ["--manifest", str(manifest), "--clock", "2026-03-10T08:00", "--out", str(out)]
    assert main(arguments) == 0
    answers = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(a["file"], a["verdict"], a["codes"]) for a in answers] == [
        ("good.pb", "accept", []), ("old.json", "reject", ["stale"]),
    ]  # fmt: skip
    assert all(set(a) == {"file", "verdict", "codes", "seconds", "peak_bytes"} for a in answers)
    assert all(a["seconds"] > 0 and (10 << 20) < a["peak_bytes"] < (300 << 20) for a in answers)
    manifest.write_text(json.dumps({**rows[0], "expect": "reject"}) + "\n")
    assert main(arguments) == 1
    assert "not as expected" in capsys.readouterr().out
