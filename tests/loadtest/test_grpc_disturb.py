"""Under load, while streets are closed and the city is swapped: no call fails, and answers come from old and new values."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from traboule.traffic.v1 import traffic_service_pb2, traffic_service_pb2_grpc

from loadtest import grpc, grpc_scenarios
from loadtest.grpc_disturb import TWIN, twin_snapshot
from services.city.errors import CityBuildBusyError
from services.city.layout import CityHome
from services.common.channel import development_tokens, open_channel
from tests.builders.cities import draw_city
from tests.builders.servers import state_servers
from tests.builders.swapping import Service, build, served_with

STREETS = ((41.1500, -8.6190), (41.1500, -8.6170), (41.1510, -8.6180), (41.1490, -8.6180))


async def known_city(_stub: Any) -> grpc_scenarios.City:
    """Places of the drawn city: too small for the names that are usually asked for."""
    return grpc_scenarios.City(STREETS, ("bus:W1",))


async def load(home: Path, service: Service, scenario: str, *more: str) -> tuple[int, list[dict[str, Any]]]:
    """Run the benchmark for some seconds; exit status and raw answers."""
    out = home / f"{scenario}.jsonl"
    arguments = ["--target", service.address, "--scenario", scenario, "--out", str(out), *more]
    status = await asyncio.to_thread(grpc.main, arguments)
    return status, [json.loads(line) for line in out.read_text().splitlines()]


async def until(check: Callable[[], Awaitable[bool]]) -> None:
    """Wait for something that comes by itself."""
    async with asyncio.timeout(60):
        while not await check():
            await asyncio.sleep(0.1)


@pytest.mark.slow
@pytest.mark.usefixtures("compiled_kernels")
async def test_no_call_fails_while_traffic_and_the_city_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Routes, matrices and isochrones all the time: all answered, by several snapshots and states of traffic, one at a time."""
    monkeypatch.setenv("TRABOULE_HOME", str(tmp_path))
    monkeypatch.setenv("TRABOULE_CITIES", "drawn")
    monkeypatch.setattr(grpc, "read_city", known_city)
    monkeypatch.setattr(grpc_scenarios, "STREAM_SIDE", 50)
    own = build(draw_city(tmp_path / "drawn"), tmp_path).name
    with state_servers(tmp_path) as servers:
        async with (
            served_with(tmp_path, "ingest", servers) as ingest,
            served_with(tmp_path, "journeys", servers) as journeys,
            open_channel(ingest.address, development_tokens(tmp_path)) as channel,
        ):
            bounds = ("--seconds", "12", "--calls", "20000", "--concurrency", "3")
            status, rows = await load(tmp_path, journeys, "street", *bounds, "--closure-every", "0.5", "--swap-every", "4")
            streamed = await load(tmp_path, journeys, "stream", "--seconds", "30", "--calls", "3")
            traffic: Any = traffic_service_pb2_grpc.TrafficServiceStub(channel)

            async def open_again() -> bool:
                listed = await traffic.ListIncidents(traffic_service_pb2.ListIncidentsRequest())
                return not listed.incidents

            await until(open_again)
    assert (status, streamed[0]) == (0, 0)
    failed = [row for row in rows + streamed[1] if row["code"] != "OK" and "there is no way" not in row.get("error", "")]
    assert failed == []
    stamps = [row["response"]["stamp"] for row in rows if row["code"] == "OK"]
    assert {row["method"] for row in rows} == {"PlanRoute", "GetMatrix", "GetIsochrone"}
    assert len({stamp["snapshot_epoch"] for stamp in stamps}) > 1, "or no swap was seen"
    assert len({stamp.get("traffic_epoch", 0) for stamp in stamps}) > 2, "or no closure was seen"
    assert all(len(row["response"]) == 1 and row["response"][0]["row_count"] == 50 for row in streamed[1])
    printed = capsys.readouterr().out
    assert "swaps of the snapshot meanwhile" in printed
    places = CityHome.of(tmp_path, "drawn")
    assert places.get_pointer().snapshot == own
    assert [folder.name for folder in places.snapshots.iterdir()] == [own]


def test_a_twin_keeps_builders_out_and_leaves_nothing(tmp_path: Path) -> None:
    """The same files under another name, gone at the end, whatever happens."""
    own = build(draw_city(tmp_path / "drawn"), tmp_path).name
    places = CityHome.of(tmp_path, "drawn")

    def fail() -> None:
        with twin_snapshot(places) as name:
            assert name == own
            places.swap(TWIN)
            assert (places.snapshots / TWIN / "manifest.json").samefile(places.snapshots / own / "manifest.json")
            with pytest.raises(CityBuildBusyError), places.lock():
                pass
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert places.get_pointer().snapshot == own
    assert not (places.snapshots / TWIN).exists()


@pytest.mark.parametrize("wrong", [["--swap-every", "0.01"], ["--closure-every", "-1"]])
def test_disturbances_without_pause_are_refused(tmp_path: Path, wrong: list[str]) -> None:
    """Both are bounded."""
    right = ["--target", "127.0.0.1:1", "--scenario", "street", "--seconds", "1", "--out", str(tmp_path / "a")]
    with pytest.raises(SystemExit) as caught:
        grpc.main([*right, *wrong])
    assert caught.value.code == 2
