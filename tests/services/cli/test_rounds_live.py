"""``traboule rounds insert|report`` say what is wrong with what was typed before anything is sent."""

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
import pytest
from click.testing import CliRunner
from traboule.rounds.v1 import plan_pb2
from traboule.rounds.v1 import rounds_service_pb2 as pb

from services.cli.client import CityClient
from services.cli.context import CommandContext
from services.cli.root import root
from services.cli.rounds_live import read_event, read_minutes, read_point, read_shipment
from services.common.clock import CityClock


def test_a_shipment_is_read(tmp_path: Path) -> None:
    """In the form of the contract."""
    file = tmp_path / "order.json"
    file.write_text(
        '{"shipmentId": "o1", "loads": [2], "delivery": {"location": {"point": {"latDeg": 41.15, "lonDeg": -8.61}}}}'
    )
    found = read_shipment(file)
    assert found.shipment_id == "o1"
    assert found.delivery.location.point.lat_deg == 41.15


@pytest.mark.parametrize("text", ["{", "[]", '{"nonsense": 1}', '"word"'])
def test_what_is_no_shipment_is_refused(tmp_path: Path, text: str) -> None:
    """The file is named."""
    file = tmp_path / "order.json"
    file.write_text(text)
    with pytest.raises(click.ClickException, match=r"order\.json"):
        read_shipment(file)


def test_coordinates_and_minutes() -> None:
    """Degrees with a comma between them; minutes of a day."""
    assert read_point("41.15,-8.61").lon_deg == -8.61
    assert read_minutes("2.5") == 150
    for text in ("41.15", "a,b", "1,2,3"):
        with pytest.raises(click.ClickException, match="LAT,LON"):
            read_point(text)
    for text in ("-1", "x", "nan", "9999"):
        with pytest.raises(click.ClickException, match="minutes"):
            read_minutes(text)


def test_one_event_at_a_time() -> None:
    """None or two of them are asked back."""
    for arguments in ([], ["--refused", "o1", "--broken-down", "van"]):
        answer = CliRunner().invoke(root, ["rounds", "report", "some-rounds", *arguments])
        assert answer.exit_code != 0
        assert "give one of" in answer.output


def test_events_are_read() -> None:
    """Each option is one event of the contract."""
    now_s = 1_785_222_000
    assert read_event({"done": "o1"}, now_s).completion.shipment_id == "o1"
    assert read_event({"picked_up": "o1"}, now_s).completion.pickup
    closed = read_event({"closed": "41.15,-8.61", "hours": 2.0, "name": "flood"}, now_s).incident
    assert (closed.closed, closed.incident_id, closed.until_unix_s) == (True, "flood", now_s + 7200)
    assert read_event({"slowed": ("41.15,-8.61", "40%")}, now_s).incident.speed_factor == pytest.approx(0.4)
    assert read_event({"lifted": "flood"}, now_s).incident.lifted
    assert read_event({"traffic": True}, now_s).WhichOneof("event") == "traffic_change"
    for wrong, why in (
        ({"slowed": ("41.15,-8.61", "0")}, "share"),
        ({"done": "o1", "hours": 1.0}, "--hours"),
        ({"done": "o1", "late": ("van", "5")}, "give one of"),
    ):
        with pytest.raises(click.ClickException, match=why):
            read_event(wrong, now_s)


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Requests sent to a city whose clock stands in July; it answers that one round is late."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "clock").write_text(CityClock(1_785_223_800.0, 0.0, 0.0).setting())
    monkeypatch.setenv("TRABOULE_HOME", str(tmp_path))
    monkeypatch.setattr(CommandContext, "timezone", ZoneInfo("Europe/Lisbon"))
    requests: list[Any] = []
    visit = plan_pb2.RoundStop(kind=plan_pb2.RoundStop.KIND_DELIVERY, shipment_id="o1")
    row = plan_pb2.DeliveryRound(vehicle_id="van-1", stops=[visit], departure_unix_s=1_785_224_000)
    answer = pb.ReportEventResponse(changes=["van-1 is late"], plan=plan_pb2.Plan(rounds=[row], served_count=61, drive_s=4200))

    def call(_self: CityClient, _service: str, _stub: Any, _method: str, request: Any) -> Any:
        requests.append(request)
        return answer

    monkeypatch.setattr(CityClient, "call", call)
    return requests


def test_an_incident_lasts_by_the_clock_of_the_city(asked: list[Any]) -> None:
    """Not by that of the machine that the command runs on."""
    run = CliRunner().invoke(root, ["rounds", "report", "r", "--closed", "41.1496,-8.6110", "--hours", "2"])
    assert run.exit_code == 0, run.output
    assert asked[0].incident.until_unix_s == 1_785_223_800 + 7200


def test_changed_rounds_are_not_taken_for_the_plan(asked: list[Any]) -> None:
    """Only they are answered, without lengths: no metres, and no sum that leaves out the others."""
    run = CliRunner().invoke(root, ["rounds", "report", "r", "--late", "van-1", "20"])
    assert len(asked) == 1
    assert "van-1" in run.output
    assert "61 served in all" in run.output
    assert "0 m" not in run.output.replace("0 min", "")
    assert "0.0 kg" not in run.output
