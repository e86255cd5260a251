"""The command explains itself, and says in one sentence what is wrong, with a status that scripts can use."""

import json
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import click
import pytest
from click.testing import CliRunner, Result
from traboule.rounds.v1 import plan_pb2

from services.cli.root import root
from services.cli.rounds_export import check_targets, plan_geojson, plan_rows
from services.cli.rounds_files import read_rounds_file
from services.common.clock import CityClock
from services.common.polyline import encode
from tests.builders.shared_data import ROOT

UTC = ZoneInfo("UTC")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder: no city is built, none runs."""
    monkeypatch.setenv("TRABOULE_HOME", str(tmp_path))
    monkeypatch.delenv("TRABOULE_CITIES", raising=False)
    monkeypatch.delenv("TRABOULE_CLOCK", raising=False)
    return tmp_path


def run(*arguments: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(root, arguments, prog_name="traboule")


def commands(group: click.Command = root, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command, as one types it."""
    yield path
    if isinstance(group, click.Group):
        context = click.Context(group)
        for name in group.list_commands(context):
            yield from commands(group.get_command(context, name) or group, (*path, name))


@pytest.mark.parametrize("path", list(commands()), ids=" ".join)
def test_every_command_explains_itself(home: Path, path: tuple[str, ...]) -> None:
    """--help works without a city, says what the command does and what each option means."""
    answer = run(*path, "--help")
    assert answer.exit_code == 0, answer.output
    assert answer.output.startswith("Usage: traboule")
    command: click.Command = root
    for name in path:
        assert isinstance(command, click.Group)
        command = command.get_command(click.Context(command), name) or command
    assert command.help or command.callback is None or command.callback.__doc__
    if command is not root:
        options = [option for option in command.params if isinstance(option, click.Option)]
        assert all(option.help for option in options), f"{' '.join(path)}: an option says nothing"
    assert list(home.iterdir()) == [], "asking for help changes nothing"


def test_the_commands_promised_are_there() -> None:
    """What the documents name."""
    known = {" ".join(path) for path in commands()}
    promised = {
        "demo", "serve", "city build", "city list", "city show", "city add", "journey", "tour", "rounds solve", "signals",
        "parking", "places", "feeds status",
    }  # fmt: skip
    assert promised <= known


CALLS = [
    ("journey", "41.15,-8.61", "41.16,-8.62"), ("places", "trindade"), ("departures", "metro:5726"), ("feeds", "status"),
    ("parking",), ("signals", "list"), ("signals", "audit"), ("signals", "performance"), ("rounds", "list"),
    ("tour", "41.15,-8.61", "41.16,-8.62"),
]  # fmt: skip


@pytest.mark.parametrize("call", CALLS, ids=" ".join)
@pytest.mark.usefixtures("home")
def test_without_a_running_city_one_sentence_says_what_to_do(call: tuple[str, ...]) -> None:
    """No traceback; status 1; the way to start a city."""
    answer = run(*call)
    assert answer.exit_code == 1, answer.output
    assert isinstance(answer.exception, SystemExit)
    assert "Error:" in answer.output
    assert "traboule" in answer.output
    assert "Traceback" not in answer.output


@pytest.mark.usefixtures("home")
def test_a_city_that_is_not_built_is_named() -> None:
    """And how to build it."""
    answer = run("city", "show", "porto")
    assert answer.exit_code != 0
    assert "porto" in answer.output
    assert "traboule city build" in answer.output


@pytest.mark.usefixtures("home")
def test_a_folder_without_city_toml_is_refused(tmp_path: Path) -> None:
    """The file that is missing is named."""
    answer = run("city", "build", str(tmp_path / "nowhere"))
    assert answer.exit_code != 0
    assert "city.toml" in answer.output
    assert "Traceback" not in answer.output


@pytest.mark.usefixtures("home")
def test_an_unknown_service_is_refused_before_anything_starts() -> None:
    """With the names there are."""
    answer = run("serve", "jurneys")
    assert answer.exit_code == 2
    assert "choose among all, ingest, journeys" in answer.output


@pytest.mark.usefixtures("home")
def test_a_wrong_setting_stops_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port of 70 000."""
    monkeypatch.setenv("TRABOULE_SERVER_PORT", "70000")
    answer = run("feeds", "status")
    assert answer.exit_code != 0
    assert "70000" in answer.output
    assert "Traceback" not in answer.output


@pytest.mark.usefixtures("home")
def test_a_misspelt_setting_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The nearest known name is suggested; the command goes on."""
    monkeypatch.setenv("TRABOULE_SERVER_PROT", "7001")
    answer = run("city", "list", "--json")
    assert answer.exit_code == 0
    assert "did you mean TRABOULE_SERVER_PORT?" in answer.stderr
    assert {row["name"] for row in json.loads(answer.stdout)} >= {"porto"}


@pytest.mark.usefixtures("home")
def test_depart_and_arrive_exclude_each_other() -> None:
    """Status 2: wrongly called."""
    answer = run("journey", "41.15,-8.61", "41.16,-8.62", "--depart", "08:00", "--arrive", "09:00")
    assert answer.exit_code == 2
    assert "not both" in answer.output


def test_a_time_that_is_none_shows_the_forms(home: Path) -> None:
    """Before anything is sent."""
    (home / "run").mkdir()
    (home / "run" / "clock").write_text(CityClock(1785223800.0, 0.0, 0.0).setting())
    answer = run("tour", "41.15,-8.61", "41.16,-8.62", "--depart", "half past eight")
    assert answer.exit_code != 0
    assert "Traceback" not in answer.output


@pytest.mark.usefixtures("home")
def test_rounds_files_that_cannot_be_read_name_the_place(tmp_path: Path) -> None:
    """Line and column of broken JSON; the field that is no field; the file that is none."""
    broken = tmp_path / "broken.json"
    broken.write_text('{\n  "shipments": [\n    {"shipment_id": "a",}\n  ]\n}')
    answer = run("rounds", "solve", str(broken))
    assert answer.exit_code == 1
    assert "line 3, column 25" in answer.output
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"shipmentz": []}')
    answer = run("rounds", "solve", str(wrong))
    assert answer.exit_code == 1
    assert "shipmentz" in answer.output
    assert "deliveries.json" in answer.output
    for content in ("[]", '{"vehicles": 3}', '{"vehicles": [{"shift": "now"}]}'):
        wrong.write_text(content)
        with pytest.raises(click.ClickException, match="is not a rounds problem"):
            read_rounds_file(wrong)
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(click.ClickException, match="cannot be read"):
        read_rounds_file(tmp_path / "binary.json")
    assert run("rounds", "solve", str(tmp_path / "absent.json")).exit_code == 2


def test_the_example_that_help_names_is_a_problem() -> None:
    """With orders and vans, bare or within `problem`."""
    problem = read_rounds_file(ROOT / "cities" / "porto" / "examples" / "deliveries.json").message
    assert problem is not None
    assert (len(problem.shipments), len(problem.vehicles)) == (60, 3)
    hubs = read_rounds_file(ROOT / "cities" / "porto" / "examples" / "deliveries_hubs.json").message
    assert hubs is not None
    assert {one.hub_id for one in hubs.vehicles} == {"", *(hub.hub_id for hub in hubs.hubs)}


def drawn_plan() -> plan_pb2.Plan:
    """Two stops of one van, with names that a spreadsheet would run and a map would have to escape."""
    plan = plan_pb2.Plan()
    row = plan.rounds.add(vehicle_id="=HYPERLINK(1)", departure_unix_s=1000)
    start = row.stops.add(kind=plan_pb2.RoundStop.KIND_START)
    start.location.lat_deg, start.location.lon_deg = 41.15, -8.61
    stop = row.stops.add(kind=plan_pb2.RoundStop.KIND_DELIVERY, shipment_id="@SUM(A1)", arrival_unix_s=1100, start_unix_s=1100)
    stop.location.lat_deg, stop.location.lon_deg = 41.16, -8.62
    stop.leg.polyline.encoded = encode([(41.15, -8.61), (41.155, -8.615), (41.16, -8.62)])
    return plan


def test_csv_cells_are_never_formulas() -> None:
    """Whatever an order is called; numbers stay numbers."""
    plan = drawn_plan()
    for name in ("=1+1", "+1", "-1", "@x", "\t=1", "\r=1"):
        plan.rounds[0].stops[1].shipment_id = name
        header, _, delivery = plan_rows(plan, UTC)
        assert header[3] == "shipment"
        assert delivery[3] == f"'{name}"
        assert delivery[0] == "'=HYPERLINK(1)"
        assert delivery[4:6] == [41.16, -8.62]
    plan.rounds[0].stops[1].shipment_id = "01 Rua -x"
    assert plan_rows(plan, UTC)[2][3] == "01 Rua -x"


def test_csv_has_times_that_people_read() -> None:
    """By the city's clock, summer time included; none where the file has no dates."""
    plan = drawn_plan()
    assert dict(zip(*plan_rows(plan, UTC)[::2], strict=True))["arrival_local"] == ""
    stop = plan.rounds[0].stops[1]
    stop.arrival_unix_s, stop.leg.duration_s, stop.hub_id, stop.loads[:] = 1_785_223_800, 90, "=hub", [3, 4]
    row = dict(zip(*plan_rows(plan, ZoneInfo("Europe/Lisbon"))[::2], strict=True))
    assert row["arrival"] == 1_785_223_800
    assert (row["arrival_local"], row["drive_s"], row["hub"], row["loads"]) == ("2026-07-28 08:30:00", 90, "'=hub", "3 4")


def test_geojson_has_lines_and_points_in_lon_lat() -> None:
    """RFC 7946: longitude first; a feature for each stop and one for the line."""
    document = json.loads(json.dumps(plan_geojson(drawn_plan())))
    assert document["type"] == "FeatureCollection"
    line, *points = document["features"]
    assert line["geometry"]["type"] == "LineString"
    assert line["geometry"]["coordinates"] == [[-8.61, 41.15], [-8.615, 41.155], [-8.62, 41.16]]
    assert line["properties"] == {"vehicle": "=HYPERLINK(1)"}
    assert [point["geometry"]["coordinates"] for point in points] == [[-8.61, 41.15], [-8.62, 41.16]]
    assert points[1]["properties"]["shipment_id"] == "@SUM(A1)"


def test_a_folder_that_is_not_there_is_told_before_the_work(tmp_path: Path) -> None:
    """The option and the folder are named; a file in a folder that exists passes."""
    check_targets(picture=tmp_path / "rounds.html", csv=None)
    with pytest.raises(click.ClickException, match=r"--picture .*there is no folder .*gone"):
        check_targets(picture=tmp_path / "gone" / "rounds.html")


def test_an_empty_feed_file_is_told_by_name(tmp_path: Path) -> None:
    """Before any server is asked."""
    (tmp_path / "empty.json").touch()
    answer = run("feeds", "push", "porto-parking", str(tmp_path / "empty.json"))
    assert answer.exit_code == 1
    assert "empty.json is empty" in answer.output


@pytest.mark.parametrize("minutes", ["-5", "100000"])
def test_parking_is_predicted_for_the_week_to_come(minutes: str) -> None:
    """Neither the past nor months ahead."""
    answer = run("parking", "--in", minutes)
    assert answer.exit_code == 2
    assert "0<=x<=10080" in answer.output
