"""The grpc benchmark loads a real server, counts what it answers, and keeps to its bounds."""

import asyncio
import json
from pathlib import Path

import pytest

from loadtest import grpc
from services.city.snapshot import CitySnapshot
from services.common.channel import development_tokens, open_channel
from services.journeys.keeper import ViewKeeper
from tests.builders.journeys import journeys_server, standing_clock


async def run(
    home: Path, address: str, monkeypatch: pytest.MonkeyPatch, *arguments: str
) -> tuple[int, list[dict[str, object]]]:
    """Run the benchmark against a server; exit status and raw answers."""
    monkeypatch.setenv("TRABOULE_HOME", str(home))
    out = home / "answers.jsonl"
    status = await asyncio.to_thread(grpc.main, ["--target", address, "--out", str(out), *arguments])
    return status, [json.loads(line) for line in out.read_text().splitlines()]


@pytest.mark.slow
async def test_every_scenario_is_answered_and_written_down(
    porto_snapshot: CitySnapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A few calls each: all answered OK, all raw answers there, the table says so; the same seed asks the same."""
    clock = standing_clock()
    keeper = ViewKeeper(porto_snapshot, clock)
    async with journeys_server(keeper, clock, tmp_path) as server:
        methods = {"journeys": "PlanJourneys", "places": "SearchPlaces", "matrix": "GetMatrix", "departures": "ListDepartures"}
        for scenario, method in methods.items():
            arguments = ("--scenario", scenario, "--seconds", "300", "--calls", "6")
            status, rows = await run(tmp_path, server.address, monkeypatch, *arguments)
            assert status == 0
            assert [row["code"] for row in rows] == ["OK"] * 6
            assert {row["method"] for row in rows} == {method}
            assert all(row["response"] and row["took_ms"] for row in rows)
        mixed = ("--scenario", "mixed", "--seconds", "300", "--calls", "8", "--concurrency", "1", "--seed", "5")
        first = (await run(tmp_path, server.address, monkeypatch, *mixed))[1]
        again = (await run(tmp_path, server.address, monkeypatch, *mixed))[1]
        assert [row["request"] for row in first] == [row["request"] for row in again]
        assert len({row["method"] for row in first}) > 1
        printed = capsys.readouterr().out
        assert "p50 ms" in printed
        assert "errors" in printed


@pytest.mark.slow
async def test_a_refused_token_is_said(
    porto_snapshot: CitySnapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A token that nobody signed: one sentence, exit status 2."""
    clock = standing_clock()
    async with journeys_server(ViewKeeper(porto_snapshot, clock), clock, tmp_path) as server:
        async with open_channel(server.address, development_tokens(tmp_path)) as channel:
            await channel.channel_ready()
        monkeypatch.setenv("TRABOULE_HOME", str(tmp_path))
        out = tmp_path / "answers.jsonl"
        arguments = ["--target", server.address, "--scenario", "places", "--seconds", "1", "--out", str(out), "--token", "no"]
        assert await asyncio.to_thread(grpc.main, arguments) == 2
        assert "does not answer" in capsys.readouterr().err


def test_other_machines_are_not_loaded_by_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only loopback addresses, unless one says so."""
    arguments = ["--target", "192.0.2.1:7000", "--scenario", "places", "--seconds", "1", "--out", str(tmp_path / "a")]
    assert grpc.main(arguments) == 2
    assert "--any-host" in capsys.readouterr().err
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    "wrong",
    [["--seconds", "0"], ["--seconds", "9999"], ["--concurrency", "0"], ["--scenario", "none"], ["--target", "nowhere"]],
)
def test_wrong_arguments_are_refused(tmp_path: Path, wrong: list[str]) -> None:
    """Time and concurrency are bounded."""
    right = ["--target", "127.0.0.1:1", "--scenario", "places", "--seconds", "1", "--out", str(tmp_path / "a")]
    with pytest.raises(SystemExit) as caught:
        grpc.main([*right, *wrong])
    assert caught.value.code == 2


def test_errors_are_counted_by_code(capsys: pytest.CaptureFixture[str]) -> None:
    """Percentiles are of what was answered OK; the rest is counted by its code."""
    options = grpc.parse_arguments(["--target", "127.0.0.1:1", "--scenario", "mixed", "--seconds", "1", "--out", "x"])
    took = [0.010, 0.020, 0.030, 5.0, 6.0]
    codes = ["OK", "OK", "OK", "UNAVAILABLE", "UNAVAILABLE"]
    answers = [grpc.Answer("GetMatrix", code, 0.1, seconds) for code, seconds in zip(codes, took, strict=True)]
    grpc.report(options, answers)
    printed = capsys.readouterr().out
    assert "UNAVAILABLE 2" in printed
    assert "20.0" in printed, "the median of the three answered"


def test_a_server_that_is_not_there_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence, exit status 2, at once."""
    monkeypatch.setenv("TRABOULE_HOME", str(tmp_path))
    out = str(tmp_path / "a")
    arguments = ["--target", "127.0.0.1:9", "--scenario", "places", "--seconds", "1", "--out", out, "--token", "x"]
    assert grpc.main(arguments) == 2
    assert "127.0.0.1:9 does not answer" in capsys.readouterr().err
