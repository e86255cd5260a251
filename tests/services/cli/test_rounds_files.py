"""``traboule rounds solve`` reads many formats by their content, and every file it writes can be read again."""

import csv
import datetime as dt
import gzip
import io
import json
from contextlib import suppress
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import click
import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from traboule.common.v1 import geo_pb2
from traboule.rounds.v1 import plan_pb2, problem_pb2

from services.cli.root import root
from services.cli.rounds import orders_named
from services.cli.rounds_export import GPX, write_gpx
from services.cli.rounds_files import read_rounds_file
from services.cli.rounds_local import request_of
from services.cli.rounds_orders import FleetOptions, looks_like_orders, read_orders
from services.rounds.mapping import problem_from_proto
from tests.routing.rounds.test_formats import ARCS, LI_LIM, MAMUT, SOLOMON, VROOM
from tests.services.cli.test_commands import drawn_plan

LISBON = ZoneInfo("Europe/Lisbon")
DAY = dt.date(2026, 7, 28)
FLEET = FleetOptions("depot", 2, 40, "08:00-18:00")
PLACES = {"depot": (41.17, -8.65), "Rua A 1": (41.15, -8.61)}
ORDERS = """Order ID;Latitude;Longitude;Address;Demand;Service;Opens;Closes;Skills;Remark
a;41,15;-8,62;;3;5;09:00;10:30;cold lift;ring twice
b;;;Rua A 1;1;;;;;
"""
AT_PLACES = {
    **VROOM,
    "vehicles": [{"id": 1, "start": [-8.65, 41.17], "end": [-8.65, 41.17], "start_index": 0, "end_index": 0, "profile": "van"}],
    "jobs": [
        {"id": 1, "location_index": 1, "location": [-8.61, 41.15]}, {"id": 2, "location_index": 2, "location": [-8.6, 41.16]},
    ],
    "shipments": [],
}  # fmt: skip


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No city is built, none runs."""
    monkeypatch.setenv("TRABOULE_HOME", str(tmp_path / "home"))
    return tmp_path


def run(*arguments: object) -> Result:
    """Run ``traboule rounds``."""
    return CliRunner().invoke(root, ["rounds", *map(str, arguments)], prog_name="traboule")


def resolve(text: str) -> geo_pb2.Location:
    """Addresses of `PLACES`."""
    if text not in PLACES:
        raise click.ClickException(f"no place called {text!r}")
    lat, lon = PLACES[text]
    return geo_pb2.Location(point=geo_pb2.LatLng(lat_deg=lat, lon_deg=lon))


def orders(text: str, fleet: FleetOptions = FLEET) -> problem_pb2.Problem:
    """Problem of a text of orders."""
    return read_orders(text, "orders.csv", fleet, DAY, LISBON, resolve)[0]


def test_formats_are_told_by_content(tmp_path: Path) -> None:
    """Not by the file's name; packed files are unpacked, second files found beside the first."""
    (tmp_path / "drawn.atf.json.gz").write_bytes(gzip.compress(json.dumps(ARCS).encode()))
    contents = {
        "MAMUT": json.dumps(MAMUT), "VROOM": json.dumps(VROOM), "Solomon or Li & Lim": SOLOMON, "orders": ORDERS,
        "rounds problem": '{"vehicles": [], "shipments": []}',
    }  # fmt: skip
    for k, (name, content) in enumerate(contents.items()):
        file = tmp_path / f"file{k}"
        file.write_bytes(gzip.compress(content.encode()) if k % 2 else content.encode())
        assert read_rounds_file(file).format == name
    (tmp_path / "li").write_text(LI_LIM)
    instance = read_rounds_file(tmp_path / "li").instance
    assert instance is not None
    assert len(instance.problem.shipments) == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "in no format"), (b"hello", "in no format"), (b"7", "in no format"), (b"\x1f\x8bxx", "cannot be read"),
     (b"\xff\xfea", "cannot be read"), (b"[" * 100_000, "nested too deeply"), (b"{", "line 1, column 2"),
     (json.dumps({**VROOM, "jobs": [{"id": 1}]}).encode(), "jobs[0].location_index"),
     (json.dumps({**MAMUT, "td": {"model": "x", "atf_path": "../../gone"}}).encode(), "gone")],
)  # fmt: skip
def test_what_cannot_be_read_is_told(tmp_path: Path, content: bytes, said: str) -> None:
    """In one sentence, without a stack of calls."""
    file = tmp_path / "file"
    file.write_bytes(content)
    answer = run("solve", file)
    assert answer.exit_code == 1
    assert isinstance(answer.exception, SystemExit)
    assert said in answer.output


def test_benchmark_files_are_planned_without_a_city(tmp_path: Path) -> None:
    """Table, page with a Gantt chart, CSV without places; GeoJSON and GPX are refused before the work."""
    file, page, table = tmp_path / "c.txt", tmp_path / "c.html", tmp_path / "c.csv"
    file.write_text(SOLOMON)
    answer = run("solve", file, "--seconds", "0.3", "--picture", page, "--csv", table)
    assert answer.exit_code == 0, answer.output
    assert "2 served" in answer.output
    assert all(word in page.read_text() for word in ("driving", "service", "there is no map"))
    rows = list(csv.DictReader(io.StringIO(table.read_text())))
    assert [row["shipment"] for row in rows if row["kind"] == "delivery"].count("1") == 1
    assert {row["lat"] for row in rows} == {""}
    refused = run("solve", file, "--gpx", tmp_path / "drivers")
    assert refused.exit_code == 1
    assert "no coordinates" in refused.output
    assert "brings its own travel times" in run("submit", file).output


def test_every_export_of_a_plan_can_be_read_again(tmp_path: Path) -> None:
    """JSON, CSV, GeoJSON, GPX and the page's map agree on stops and places."""
    file, geojson, table, page, drivers = (tmp_path / name for name in ("v.json", "v.geojson", "v.csv", "v.html", "drivers"))
    file.write_text(json.dumps(AT_PLACES))
    outs = ("--geojson", geojson, "--csv", table, "--gpx", drivers, "--picture", page, "--json")
    answer = run("solve", file, "--seconds", "0.3", *outs)
    assert answer.exit_code == 0, answer.output
    plan = json.loads(answer.stdout)
    assert plan["served_count"] == 2
    stops = [stop for row in plan["rounds"] for stop in row["stops"]]
    places = [(stop["location"]["lat_deg"], stop["location"]["lon_deg"]) for stop in stops]
    assert [(float(r["lat"]), float(r["lon"])) for r in csv.DictReader(io.StringIO(table.read_text()))] == places
    features = json.loads(geojson.read_text())["features"]
    points = [f["geometry"]["coordinates"] for f in features if f["geometry"]["type"] == "Point"]
    assert [(lat, lon) for lon, lat in points] == places
    (gpx,) = drivers.iterdir()
    waypoints = ElementTree.parse(gpx).getroot().findall(f"{{{GPX}}}wpt")
    assert [(float(at.attrib["lat"]), float(at.attrib["lon"])) for at in waypoints] == places
    assert 'class="map"' in page.read_text()


def test_gpx_files_have_safe_names_and_whole_names_inside(tmp_path: Path) -> None:
    """One for each driver, even where ids differ only in what no file name may hold."""
    plan = plan_pb2.Plan()
    for name in ("../a", "a", "A", "\x00<&>"):
        plan.rounds.add().CopyFrom(drawn_plan().rounds[0])
        plan.rounds[-1].vehicle_id = name
    written = write_gpx(plan, tmp_path / "out")
    assert len({path.name.casefold() for path in written}) == 4
    assert all(path.parent == tmp_path / "out" for path in written)
    roots = [ElementTree.parse(path).getroot() for path in written]
    assert [one.findtext(f"{{{GPX}}}trk/{{{GPX}}}name") for one in roots] == ["../a", "a", "A", "<&>"]
    assert len(roots[0].findall(f".//{{{GPX}}}trkpt")) == 3
    assert roots[0].findtext(f"{{{GPX}}}wpt/{{{GPX}}}time") == "1970-01-01T00:00:00Z"


def test_gpx_files_lead_to_bays(tmp_path: Path) -> None:
    """A waypoint where the van stops comes before that of the door."""
    plan = drawn_plan()
    plan.rounds[0].stops[1].MergeFrom(
        plan_pb2.RoundStop(bay_id="Rua X", bay_location=geo_pb2.LatLng(lat_deg=41.5, lon_deg=-8.5), walk_s=40)
    )
    root = ElementTree.parse(write_gpx(plan, tmp_path)[0]).getroot()
    waypoints = root.findall(f"{{{GPX}}}wpt")
    assert len(waypoints) == len(plan.rounds[0].stops) + 1
    assert waypoints[1].attrib == {"lat": "41.500000", "lon": "-8.500000"}
    assert waypoints[1].findtext(f"{{{GPX}}}name") == "1 Rua X, 40 s on foot"


def test_orders_are_read_by_the_names_of_their_columns() -> None:
    """Semicolons and decimal commas, minutes, local hours of the day, skills; a row without coordinates by its address."""
    assert looks_like_orders(ORDERS)
    message, notes = read_orders(ORDERS, "orders.csv", FLEET, DAY, LISBON, resolve)
    assert notes == ("columns that are not read: Remark",)
    first, second = message.shipments
    assert (first.shipment_id, list(first.loads), first.delivery.service_s, list(first.skills)) == (
        "a",
        [3],
        300,
        ["cold", "lift"],
    )
    assert (first.delivery.location.point.lat_deg, first.delivery.location.point.lon_deg) == (41.15, -8.62)
    (window,) = first.delivery.windows
    assert dt.datetime.fromtimestamp(window.start_unix_s, LISBON) == dt.datetime(2026, 7, 28, 9, 0, tzinfo=LISBON)
    assert window.end_unix_s - window.start_unix_s == 5400
    assert second.delivery.location.point.lat_deg == 41.15
    assert not second.delivery.windows
    assert [vehicle.vehicle_id for vehicle in message.vehicles] == ["vehicle-1", "vehicle-2"]
    assert list(message.vehicles[0].capacities) == [40]


def test_pickups_and_locks_of_orders() -> None:
    """A pickup's place, a prize, a vehicle of its own; rows without an id are called by their line."""
    text = "address,pickup_lat,pickup_lng,prize,vehicle\nRua A 1,41.16,-8.6,20,vehicle-2\n"
    (order,) = orders(text).shipments
    assert order.pickup.location.point.lat_deg == 41.16
    assert (order.shipment_id, order.prize, order.locked_vehicle_id) == ("line 2", 20, "vehicle-2")


@pytest.mark.parametrize(
    ("text", "said"),
    [("lat,lon\n91,0\n", "line 2: lat is '91'"), ("lat,lon\n1,\n", "line 2: lat and lon belong together"),
     ("address\n\nnowhere\n", "line 3: address: no place called 'nowhere'"), ("address,id\n,x\n", "line 2: address is empty"),
     ("lat,lon,load\n1,1,two\n", "line 2: load is 'two'"), ("lat,lon,load\n1,1,2.5\n", "line 2: load is 2.5"),
     ("lat,lon,opens\n1,1,soon\n", "line 2: opens is no time"), ("lat,lon,opens,closes\n1,1,9:00,8:00\n", "line 2: closes"),
     ("lat,lon\n1,1,1\n", "line 2: 3 cells"), ("id,lat,lon\na,1,1\na,1,1\n", "line 3: the id 'a' is already in line 2"),
     ("lat,lon\n", "has no orders"), ("lat,lon,latitude\n1,1,1\n", "line 1: two columns mean 'lat'"),
     ('lat,lon\n"1,1\n', "line")],
)  # fmt: skip
def test_wrong_cells_of_orders_are_named(text: str, said: str) -> None:
    """By file, line and column."""
    with pytest.raises(click.ClickException) as caught:
        orders(text)
    assert "orders.csv" in caught.value.message
    assert said in caught.value.message


def test_all_wrong_lines_are_told_at_once() -> None:
    """Up to a number of them."""
    with pytest.raises(click.ClickException) as caught:
        orders("lat,lon\n91,0\n1,1\n1,\n" + "99,0\n" * 30)
    told = caught.value.message.splitlines()
    assert told[0] == "orders.csv, line 2: lat is '91'; expected a number from -90 to 90"
    assert told[1].startswith("orders.csv, line 4: lat and lon belong together")
    assert told[-1] == "and 12 more lines"


def test_orders_without_a_place_are_told_which_columns_would_do() -> None:
    """The head line is what is wrong, not the format."""
    text = "id,place name,kg\n1,Trindade,3\n"
    assert looks_like_orders(text)
    with pytest.raises(click.ClickException, match="line 1: no column says where orders go; expected address, place"):
        orders(text)
    assert not looks_like_orders("hello\nworld\n")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_orders_as_spreadsheets_write_them(tmp_path: Path, encoding: str) -> None:
    """Old ones write the code page of western Europe, others UTF-16."""
    file = tmp_path / "orders.csv"
    file.write_bytes("id;address\n1;Campanhã\n".encode(encoding))
    assert read_rounds_file(file).orders == "id;address\n1;Campanhã\n"


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    """Programs are no orders, and JSON in another encoding is not guessed."""
    for data in (b"\x7fELF\xd0\x00\x01", '{"a": "ã"}'.encode("latin-1")):
        file = tmp_path / "file"
        file.write_bytes(data)
        with pytest.raises(click.ClickException, match="cannot be read"):
            read_rounds_file(file)


def test_errors_that_count_orders_name_them() -> None:
    """A number says little about a line of a file."""
    problem = problem_pb2.Problem(shipments=[problem_pb2.Shipment(shipment_id="a"), problem_pb2.Shipment(shipment_id="b")])
    for given_words, told in (
        ("shipments[1].delivery.location: far", "shipments[1].delivery.location (order 'b'): far"),
        ("shipments[0].loads: order 'a' is heavy", "shipments[0].loads: order 'a' is heavy"),
        ("shipments[7].x: no", "shipments[7].x: no"),
    ):
        with pytest.raises(click.ClickException) as caught, orders_named(problem):
            raise click.ClickException(given_words)
        assert caught.value.message == told


def test_orders_need_a_depot_and_a_shift() -> None:
    """And say which option gives them."""
    with pytest.raises(click.ClickException, match="--depot"):
        orders(ORDERS, FleetOptions(None, 1, None, "08:00-18:00"))
    with pytest.raises(click.ClickException, match="--shift 18:00-08:00"):
        orders(ORDERS, FleetOptions("depot", 1, None, "18:00-08:00"))


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, len(ORDERS)), cut=st.integers(0, 8), put=st.text(max_size=6))
def test_whatever_stands_in_a_file_of_orders_is_read_or_named(at: int, cut: int, put: str) -> None:
    """A few characters are replaced by any others."""
    text = ORDERS[:at] + put + ORDERS[at + cut :]
    looks_like_orders(text)
    with suppress(click.ClickException):
        assert orders(text).shipments


def test_vroom_places_go_to_the_service_as_they_are(tmp_path: Path) -> None:
    """Times below a billion are of the day; the service's own mapping reads the same problem back."""
    table: dict[str, Any] = {
        "vehicles": [{"id": 1, "profile": "bike", "start": [-8.65, 41.17], "capacity": [4], "time_window": [28800, 36000],
                      "breaks": [{"id": 1, "time_windows": [[30000, 32000]], "service": 600}]}],
        "jobs": [{"id": 5, "location": [-8.61, 41.15], "service": 120, "pickup": [2], "time_windows": [[29000, 30000]]}],
    }  # fmt: skip
    file = tmp_path / "places.json"
    file.write_text(json.dumps(table))
    instance = read_rounds_file(file).instance
    assert instance is not None
    mapped = problem_from_proto(
        request_of(instance, DAY, LISBON), lambda location, _: (location.point.lat_deg, location.point.lon_deg)
    )
    midnight = dt.datetime.combine(DAY, dt.time(), LISBON).timestamp()
    (job,), (bike,) = mapped.problem.shipments, mapped.problem.vehicles
    assert job.pickup is not None
    assert job.pickup.windows[0].start_s + mapped.zero_s - midnight == 29000
    assert job.pickup.windows[0].end_s + mapped.zero_s - midnight == 30000
    assert (job.load, job.pickup.service_s) == ((2,), 120)
    assert (bike.capacity, bike.end_depot_idx, bike.breaks[0].duration_s) == ((4,), None, 600)
    assert bike.shift.end_s - bike.shift.start_s == 7200
    table["vehicles"][0]["profile"] = "rocket"
    file.write_text(json.dumps(table))
    instance = read_rounds_file(file).instance
    assert instance is not None
    with pytest.raises(click.ClickException, match=r"vehicles\[0\]\.profile: 'rocket'"):
        request_of(instance, DAY, LISBON)


def test_the_value_of_prediction_of_a_file(tmp_path: Path) -> None:
    """Table, page and JSON for a file with its own times: static times have nothing to predict, nothing is saved."""
    file, page = tmp_path / "c.txt", tmp_path / "value.html"
    file.write_text(SOLOMON)
    answer = run("value", file, "--seconds", "0.1", "--json", "--picture", page)
    assert answer.exit_code == 0, answer.output
    told = json.loads(answer.stdout)
    assert told["median"]["as_planned"]["free flow"]["driving_saved"] == 0
    assert set(told["instances"][0]["views"]) >= {"free flow", "snapshot +2 h", "day's mean", "full prediction"}
    assert all(view["as_planned"]["late_stops"] == 0 for view in told["instances"][0]["views"].values())
    assert "Driving time saved" in page.read_text()
    shown = run("value", file, "--seconds", "0.1")
    assert "vehicles leave at the best moment for their order" in shown.output
