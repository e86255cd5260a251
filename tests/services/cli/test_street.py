"""``traboule street``: places from files, matrices row by row, pages that need no internet."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from traboule.common.v1 import geo_pb2, vehicle_pb2
from traboule.journeys.v1 import itinerary_pb2, matrix_pb2, route_pb2
from traboule.traffic.v1 import traffic_service_pb2

from routing.model.access_zones import no_zones
from routing.street.access_rules import EmissionClass
from services.city.low_emission_zones import Zone, compile_zones
from services.cli.client import CityClient
from services.cli.context import CommandContext
from services.cli.root import root
from services.cli.street_files import read_places
from services.cli.street_pictures import StreetPicture
from services.common.polyline import encode
from tests.builders.streets import draw

PORTO = ZoneInfo("Europe/Lisbon")
FEW = "name,lat,lon\ndepot,41.16,-8.60\nshop [x],41.15,-8.61\n"


@pytest.fixture
def streamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Requests for matrices; each is answered row by row: 60 s times the column, no way back to the first place."""
    monkeypatch.setenv("TRABOULE_HOME", str(tmp_path))
    monkeypatch.delenv("TRABOULE_CITIES", raising=False)
    asked: list[Any] = []

    def stream(_self: CityClient, _service: str, _stub: Any, method: str, request: Any, each: Callable[[Any], bool]) -> None:
        assert method == "StreamMatrix"
        asked.append(request)
        width = len(request.destinations)
        for row in range(len(request.origins)):
            times = [-1 if row and not column else 60 * column for column in range(width)]
            each(matrix_pb2.StreamMatrixResponse(first_row_index=row, row_count=1, destination_count=width, durations_s=times))

    monkeypatch.setattr(CityClient, "stream", stream)
    return asked


def run(*arguments: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(root, ["street", *arguments], prog_name="traboule")


def test_a_matrix_is_shown_written_and_given_to_programs(tmp_path: Path, streamed: list[Any]) -> None:
    """The same times three ways; a pair without a way is a dash, an empty cell, null."""
    places, out = tmp_path / "places.csv", tmp_path / "times.csv"
    places.write_text(FEW)
    shown = run("matrix", str(places), "--out", str(out))
    assert shown.exit_code == 0
    assert "–" in shown.output
    assert "shop [x]" in shown.output
    assert "1 pairs have no way" in shown.output
    with out.open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[1:] == [
        ["depot", "depot", "0"],
        ["depot", "shop [x]", "60"],
        ["shop [x]", "depot", ""],
        ["shop [x]", "shop [x]", "60"],
    ]
    answer = json.loads(run("matrix", str(places), "--json").output)
    assert answer["durations_s"] == [[0, 60], [None, 60]]
    assert [(place.point.lat_deg, place.point.lon_deg) for place in streamed[0].origins] == [(41.16, -8.6), (41.15, -8.61)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("name,lat\na,41\n", "lacks lon"), ("lat,lon\n", "has no places"), ("lat,lon\n41,x\n", "line 2: lon is 'x'"),
        ("lat,lon\n41,-8\n91,0\n", "line 3: lat is '91'"), ("lat,lon\nnan,0\n", "lat is 'nan'"),
        ("lat,lon\n41\n", "lon is None"), ("", "lacks lat and lon"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_told_with_its_line(tmp_path: Path, streamed: list[Any], content: str, said: str) -> None:
    """One sentence, nothing asked."""
    path = tmp_path / "places.csv"
    path.write_text(content)
    result = run("matrix", str(path))
    assert result.exit_code == 1
    assert said in " ".join(result.output.split())
    assert streamed == []


@given(st.binary(max_size=200))
def test_any_bytes_are_places_or_a_sentence(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """Whatever is in the file."""
    path = tmp_path_factory.mktemp("any") / "places.csv"
    path.write_bytes(b"lat,lon\n" + content)
    said = str(path)
    try:
        places = read_places(path)
    except click.ClickException as error:
        said = error.message
        places = []
    assert str(path) in said
    assert bool(places) == (said == str(path))


@pytest.mark.parametrize("wrong", [[], ["A"], ["A", "--alternatives", "2", "--reach", "5"]])
def test_nothing_to_draw_is_said(wrong: list[str]) -> None:
    """Before anybody is asked."""
    result = run("show", *wrong)
    assert result.exit_code == 2
    assert "give ORIGIN" in result.output or "needs ORIGIN" in result.output


def test_a_page_has_all_that_is_drawn_and_loads_nothing() -> None:
    """Two ways, an area with a hole, speeds and a closure, over the streets; names are escaped, nothing is loaded."""
    drawn = draw("A B\n---\nAB")
    graph = drawn.graph
    ends = [
        (float(graph.node_lat_e7[n]) * 1e-7, float(graph.node_lon_e7[n]) * 1e-7) for n in (drawn.node("A"), drawn.node("B"))
    ]
    line = encode(ends)
    picture = StreetPicture(graph, "Drawn", ZoneInfo("Europe/Lisbon"))
    links = [
        traffic_service_pb2.LinkState(speed_kmh=10, free_flow_kmh=50),
        traffic_service_pb2.LinkState(closed=True, free_flow_kmh=50),
    ]
    for link in links:
        link.polyline.encoded = line
    picture.add_speeds(links)
    reach = matrix_pb2.GetIsochroneResponse()
    for limit_s in (300, 600):
        area = reach.isochrones.add(limit_s=limit_s, area_m2=2e6)
        polygon = area.area.polygons.add()
        polygon.outer.encoded = polygon.holes.add().encoded = line
    picture.add_reach(reach, "<A>", "car", ends[0])
    routes = route_pb2.PlanRouteResponse()
    for seconds in (600, 700):
        found = routes.routes.add(duration_s=seconds)
        leg = found.legs.add(mode=itinerary_pb2.MODE_CAR, distance_m=1234)
        leg.polyline.encoded = line
        leg.steps.add(street_name="Rua <b>")
    picture.add_routes(routes, ["<A>", "B & C"], "car")
    page = picture.html()
    assert picture.drawn["routes"] == [{"duration_s": 600, "length_m": 1234}, {"duration_s": 700, "length_m": 1234}]
    assert picture.drawn["areas_m2"] == {"300": 2_000_000, "600": 2_000_000}
    for words in (
        "best way: 10 min",
        "other way 1: 12 min",
        "within 5 min by car",
        "within 10 min by car",
        "closed",
        "standing",
    ):
        assert words in page
    assert "&lt;A&gt;" in page
    assert "B &amp; C" in page
    assert "Rua &lt;b&gt;" in page
    assert "<A>" not in page
    assert page.count('fill-rule="evenodd"') == 2
    assert 'class="street"' in page
    assert "src=" not in page
    assert "http" not in page.replace("http://www.w3.org", "")


def test_the_emission_class_is_asked_with(tmp_path: Path, streamed: list[Any]) -> None:
    """By its word; another is refused with the words there are."""
    places = tmp_path / "places.csv"
    places.write_text(FEW)
    assert run("matrix", str(places), "--emission-class", "class-4").exit_code == 0
    assert streamed[-1].preferences.emission_class == vehicle_pb2.EMISSION_CLASS_4
    assert run("matrix", str(places)).exit_code == 0
    assert streamed[-1].preferences.emission_class == vehicle_pb2.EMISSION_CLASS_UNSPECIFIED
    refused = run("matrix", str(places), "--emission-class", "euro-6")
    assert refused.exit_code != 0
    assert "unclassified" in refused.output


def test_zones_are_drawn() -> None:
    """Outline, key and words; nothing where there are none."""
    town = draw("A B\n---\nAB\n")
    ring = tuple((41.15 + lat, -8.61 + lon) for lat, lon in ((-1e-3, -1e-3), (-1e-3, 1e-3), (1e-3, 0.0)))
    zone = Zone("z1", (ring,), 1, EmissionClass.CLASS_4, "24/7", None, None, "Old <town>")
    pages = {}
    for name, zones in (("with", compile_zones(town.graph, [zone], PORTO)), ("without", no_zones())):
        picture = StreetPicture(town.graph, "Town", PORTO)
        picture.add_speeds([traffic_service_pb2.LinkState(polyline=geo_pb2.Polyline(encoded=encode(ring)))])
        picture.add_zones(zones)
        pages[name] = picture.html()
        assert picture.drawn.get("zones", []) == list(zones.ids)
    assert "zones closed to some vehicles" in pages["with"]
    assert "Old &lt;town&gt; (z1): closed to cars of class-4 and dirtier, 24/7" in pages["with"]
    assert "zones closed" not in pages["without"]


def test_a_way_that_arrives_in_time_says_what_it_stands_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The arrival goes to the service, not the departure; two times at once are refused before anybody is asked."""
    monkeypatch.setenv("TRABOULE_HOME", str(tmp_path))
    monkeypatch.delenv("TRABOULE_CITIES", raising=False)
    monkeypatch.setattr(CommandContext, "timezone", ZoneInfo("Europe/Lisbon"))
    monkeypatch.setattr(CommandContext, "now", lambda _self: 1_785_223_800)
    asked: list[route_pb2.PlanRouteRequest] = []

    def call(_self: CityClient, _service: str, _stub: Any, method: str, request: Any) -> Any:
        assert method == "PlanRoute"
        asked.append(request)
        leg = itinerary_pb2.Leg(
            mode=itinerary_pb2.MODE_CAR, duration_s=600, traffic_basis=itinerary_pb2.TRAFFIC_BASIS_PREDICTED
        )
        return route_pb2.PlanRouteResponse(routes=[itinerary_pb2.Itinerary(legs=[leg], duration_s=600)])

    monkeypatch.setattr(CityClient, "call", call)
    ends = ("41.16,-8.6", "41.15,-8.61")
    shown = run("route", *ends, "--arrive-by", "2026-07-28 09:00")
    assert shown.exit_code == 0, shown.output
    assert "predicted along the way" in shown.output
    assert (asked[0].depart_at_unix_s, asked[0].arrive_by_unix_s) == (0, 1_785_225_600)
    for wrong in (
        ("route", *ends, "--arrive", "9:00", "--depart", "8:00"),
        ("show", ends[0], "--reach", "5", "--arrive", "9:00"),
    ):
        refused = run(*wrong)
        assert refused.exit_code == 2
        assert "--arrive" in refused.output
    assert len(asked) == 1
