"""``traboule street match``: traces from files, ways out of them, bad files told with their line."""

import json
from pathlib import Path
from zoneinfo import ZoneInfo

import click
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from routing.model.modes import StreetMode
from services.city.build import build_snapshot
from services.city.config import read_city
from services.city.steps import STEPS
from services.cli.root import root
from services.cli.street_match import MatchedTrace, match_trace, to_geojson
from services.cli.street_traces import Trace, read_traces
from tests.builders.cities import draw_city
from tests.builders.streets import Drawn, draw

LISBON = ZoneInfo("Europe/Lisbon")
GPX = """<?xml version="1.0" encoding="UTF-8"?>
<gpx version="1.1" creator="drawn" xmlns="http://www.topografix.com/GPX/1/1"><metadata><name>all</name></metadata>
<trk><name>van 7</name><trkseg>{}</trkseg><trkseg><trkpt lat="41.15" lon="-8.61"/></trkseg></trk>
<rte><rtept lat="41.16" lon="-8.62"><name>stop</name></rtept></rte></gpx>
"""
POINT = '<trkpt lat="41.15" lon="-8.62"><ele>80</ele><time>2026-07-28T08:30:00Z</time></trkpt>'
STREETS = "A B C D\n    E\n---\nAB name=Rua_Um\nBC name=Rua_Um\nCD name=Rua_Dois\nCE\n"


def read(folder: Path, name: str, content: str) -> list[Trace]:
    """Read a file of this content."""
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return read_traces(path, LISBON)


def test_csv_with_traces_and_times(tmp_path: Path) -> None:
    """Rows of one name are one trace wherever they stand; times are unix seconds or ISO 8601, of the city's zone by default."""
    rows = ["a,1785223800,41.15,-8.61", "b,2026-07-28T08:30:00Z,41.16,-8.62", "a,2026-07-28 08:30:10,41.151,-8.611"]
    a, b = read(tmp_path, "t.csv", "trace,time,lat,lon\n" + "\n".join(rows))
    assert (a.name, a.lat_deg, a.lon_deg, a.time_s) == ("a", [41.15, 41.151], [-8.61, -8.611], [1785223800.0, 1785223810.0])
    assert (b.name, b.time_s) == ("b", [1785227400.0])
    (plain,) = read(tmp_path, "t.csv", "\ufefflat, lon\n41.15, -8.61\n")
    assert (plain.name, plain.lat_deg, plain.time_s) == ("1", [41.15], [])


def test_gpx_with_segments_and_routes(tmp_path: Path) -> None:
    """Every segment and every route is a trace of its own."""
    traces = read(tmp_path, "t.gpx", GPX.format(POINT * 2))
    assert [(trace.name, len(trace.lat_deg), len(trace.time_s)) for trace in traces] == [
        ("van 7 1", 2, 2),
        ("van 7 2", 1, 0),
        ("3", 1, 0),
    ]
    assert traces[0].time_s[0] == 1785227400.0


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.csv", "time,lat\n1,41\n", "lacks lon"),
        ("t.csv", "lat,lon\n", "has no positions"),
        ("t.csv", "", "lacks lat and lon"),
        ("t.csv", "lat,lon\n41,-8\n41,181\n", "line 3: lon is '181'"),
        ("t.csv", "lat,lon\nnan,-8\n", "line 2: lat is 'nan'"),
        ("t.csv", "lat,lon,time\n41,-8,noon\n", "line 2: time is 'noon'; expected unix seconds or a time such as"),
        ("t.csv", "lat,lon,time\n41,-8,1e300\n", "time is '1e300'"),
        ("t.csv", "lat,lon,time\n41,-8,-5\n", "time is '-5'"),
        ("t.csv", "lat,lon,time\n41,-8,1785223800\n41,-8,\n", "trace '1': 1 positions have no time"),
        ("t.gpx", "lat,lon\n41,-8\n", "is no GPX file"),
        ("t.gpx", "", "is no GPX file"),
        ("t.gpx", "<html><body/></html>", "is no GPX file: it begins with <html>"),
        ("t.gpx", GPX.format(POINT)[:-30], "is no GPX file"),
        ("t.gpx", GPX.format('<trkpt lat="91" lon="0"/>'), "line 3: lat is '91'"),
        ("t.gpx", GPX.format("<trkpt/>"), "lat is None"),
        ("t.gpx", '<gpx xmlns="http://www.topografix.com/GPX/1/1"/>', "has no positions"),
        ("t.gpx", '<!DOCTYPE gpx [<!ENTITY a SYSTEM "file:///etc/hosts">]><gpx><name>&a;</name></gpx>', "has no positions"),
    ],
)  # fmt: skip
def test_wrong_files_are_told_with_their_line(tmp_path: Path, name: str, content: str, said: str) -> None:
    """One sentence that names the file."""
    with pytest.raises(click.ClickException) as caught:
        read(tmp_path, name, content)
    assert said in caught.value.message
    assert str(tmp_path / name) in caught.value.message


@given(st.binary(max_size=300), st.sampled_from(["any.csv", "any.gpx"]), st.sampled_from([b"", b"lat,lon,time\n", b"<gpx>"]))
def test_any_bytes_are_traces_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, name: str, head: bytes
) -> None:
    """Whatever is in the file."""
    path = tmp_path_factory.mktemp("any") / name
    path.write_bytes(head + content)
    said, traces = str(path), []
    try:
        traces = read_traces(path, LISBON)
    except click.ClickException as error:
        said = error.message
    assert str(path) in said
    assert bool(traces) == (said == str(path))


def along(drawn: Drawn, *stretches: str) -> Trace:
    """Positions every tenth of the streets, without times, 3 m beside them."""
    trace = Trace("drawn")
    for letters in stretches:
        ends = [drawn.node(letter) for letter in letters]
        lats, lons = ([float(e7[n]) * 1e-7 for n in ends] for e7 in (drawn.graph.node_lat_e7, drawn.graph.node_lon_e7))
        for k in range(1, 10):
            trace.add(lats[0] + (lats[1] - lats[0]) * k / 10 + 3e-5, lons[0] + (lons[1] - lons[0]) * k / 10, None)
    return trace


def matched(drawn: Drawn, trace: Trace) -> MatchedTrace:
    """Match on a drawing."""
    return match_trace(drawn.graph, drawn.engine.matcher(drawn.engine.metric(StreetMode.CAR)), trace)


def test_ways_streets_and_lengths() -> None:
    """From a tenth into the first street to nine tenths of the last."""
    drawn = draw(STREETS)
    found = matched(drawn, along(drawn, "AB", "BC", "CD"))
    (part,) = found.parts
    assert drawn.letters(part.arcs) == "AB BC CD"
    assert part.length_m == pytest.approx(280.0, abs=1.0)
    (feature,) = to_geojson(drawn.graph, [found])["features"]
    assert feature["properties"]["osm_ways"] == [1, 2, 3]
    assert feature["properties"]["streets"] == ["Rua Um", "Rua Dois"]
    assert feature["geometry"]["coordinates"][0] == [pytest.approx(-8.60988, abs=1e-5), pytest.approx(41.15, abs=1e-6)]
    assert found.used == 27


def test_gaps_begin_another_part_and_lost_positions_are_counted() -> None:
    """A quarter of an hour without a position; one far away; one at the same second."""
    drawn = draw(STREETS)
    trace = along(drawn, "AB", "CD")
    trace.time_s = [1000.0 + 10 * k + (900 if k >= 9 else 0) for k in range(18)]
    trace.add(42.0, -8.0, 5000.0)
    trace.add(trace.lat_deg[-2], trace.lon_deg[-2], trace.time_s[17])
    found = matched(drawn, trace)
    assert [drawn.letters(part.arcs) for part in found.parts] == ["AB", "CD"]
    assert found.lost == {"far from any street": 1, "with the time of another": 1}
    assert [feature["properties"]["part"] for feature in to_geojson(drawn.graph, [found])["features"]] == [0, 1]


def test_positions_out_of_order_are_put_in_order() -> None:
    """The file may be sorted otherwise."""
    drawn = draw(STREETS)
    trace = along(drawn, "AB", "BC")
    trace.time_s = [1000.0 + 5 * k for k in range(18)]
    for column in (trace.lat_deg, trace.lon_deg, trace.time_s):
        column.reverse()
    assert [drawn.letters(part.arcs) for part in matched(drawn, trace).parts] == ["AB BC"]


def test_a_trace_on_no_street_is_a_feature_without_geometry() -> None:
    """Nothing is lost in silence."""
    drawn = draw(STREETS)
    found = matched(drawn, Trace("sea", [41.0], [-9.5]))
    (feature,) = to_geojson(drawn.graph, [found])["features"]
    assert feature["geometry"] is None
    assert feature["properties"] == {"trace": "sea", "positions": 1, "positions_matched": 0, "confidence": 0.0}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Home with the drawn city, streets only."""
    folder = tmp_path_factory.mktemp("match")
    build_snapshot(read_city(draw_city(folder / "drawn")), folder / "home", steps=STEPS[:2], warm=False)
    return folder / "home"


def run(home: Path, *arguments: str) -> Result:
    """Run the command on the drawn city."""
    return CliRunner().invoke(
        root, ["--home", str(home), "--city", "drawn", "street", "match", *arguments], prog_name="traboule"
    )


def test_the_whole_command(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table, GeoJSON, a page that loads nothing; the same for programs."""
    for name in ("TRABOULE_HOME", "TRABOULE_CITIES"):
        monkeypatch.setenv(name, "")
    file, out, page = tmp_path / "t.csv", tmp_path / "ways.geojson", tmp_path / "pages" / "ways.html"
    file.write_text("trace,lat,lon\n" + "".join(f"bus [1],41.15,{-8.6198 + k * 2e-4:.4f}\n" for k in range(15)) + "sea,40,-9\n")
    shown = run(home, str(file), "--out", str(out), "--picture", str(page))
    assert shown.exit_code == 0, shown.output
    assert "15 of 15" in shown.output
    assert "1 far from any street" in " ".join(shown.output.split())
    document = json.loads(out.read_text())
    assert [feature["properties"]["trace"] for feature in document["features"]] == ["bus [1]", "sea"]
    assert document["features"][0]["properties"]["osm_ways"] == [100, 103]
    html = page.read_text()
    assert "bus [1]" in html
    assert "http://" not in html.replace("http://www.w3.org", "")
    assert json.loads(run(home, str(file), "--json").output) == document


def test_bad_files_fail_the_command_in_one_sentence(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit status 1, or 2 for what was called wrongly; a file of another city is no error but is said."""
    for name in ("TRABOULE_HOME", "TRABOULE_CITIES"):
        monkeypatch.setenv(name, "")
    file = tmp_path / "t.csv"
    file.write_text("lat,lon\n41,x\n")
    assert run(home, str(file)).exit_code == 1
    assert run(home, str(tmp_path / "none.csv")).exit_code == 2
    assert run(home, str(file), "--sigma", "0").exit_code == 2
    file.write_text("lat,lon\n48,2\n")
    lost = run(home, str(file))
    assert lost.exit_code == 0
    assert "is it the right city" in lost.output
