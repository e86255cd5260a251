"""Maps and charts are well-formed, self-contained, and escape what they are given."""

import datetime as dt
import re
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from lxml import etree, html
from traboule.common.v1 import geo_pb2
from traboule.rounds.v1 import plan_pb2

from services.city.snapshot import CitySnapshot
from services.common.polyline import encode
from services.demo.pictures import svg
from services.demo.pictures.charts import Bar, Series, gantt, line_chart
from services.demo.pictures.page import Page, facts, paragraph, table
from services.demo.pictures.street_map import StreetMap
from services.demo.plan_pictures import COLOURS, plan_facts, plan_gantt, plan_map, plan_table, round_colour
from tests.builders.streets import Drawn, draw

NASTY = "<b>Zé & \"Filhos\"</b> 'x'"
PORTO = ZoneInfo("Europe/Lisbon")
EIGHT = int(dt.datetime(2026, 7, 28, 8, tzinfo=PORTO).timestamp())


def parse(picture: str) -> etree._Element:
    """The picture as XML; fails unless it is well-formed."""
    return etree.fromstring(picture.encode())


def words(picture: str) -> str:
    """All text in a picture, unescaped."""
    return " ".join(str(part) for part in parse(picture).itertext())


@pytest.fixture(scope="module")
def streets() -> Drawn:
    """A cross of streets."""
    return draw("  A  \nB C D\n  E  \n---\nACE highway=primary\nBCD")


def numbers(element: etree._Element, *names: str) -> list[float]:
    """Attributes as numbers."""
    return [float(element.get(name, "nan")) for name in names]


def test_a_map_draws_streets_lines_and_names(streets: Drawn) -> None:
    """All within its frame, with every name escaped."""
    picture = StreetMap(streets.graph)
    ends = [(41.15, -8.61), (41.148, -8.606)]
    picture.add_line(ends, "#0b6e99", tip=NASTY, dashed=True)
    picture.add_marker(ends[0], "#ff0000", label=NASTY, tip="tip")
    text = picture.draw()
    root = parse(text)
    width, height = (float(v) for v in root.get("viewBox", "").split()[2:])
    assert words(text).count(NASTY) == 2
    (dot,) = list(root.iter("circle"))
    x, y = numbers(dot, "cx", "cy")
    assert 0 <= x <= width
    assert 0 <= y <= height
    streets_drawn = [element for element in root.iter("path") if element.get("class") == "street"]
    assert streets_drawn, "the streets are there"
    (line,) = [element for element in root.iter("path") if element.get("stroke") == "#0b6e99"]
    assert line.get("stroke-dasharray")


def test_north_is_up_and_east_is_right(streets: Drawn) -> None:
    """Or every map would mislead."""
    picture = StreetMap(streets.graph)
    for at in ((41.15, -8.61), (41.14, -8.60)):
        picture.add_marker(at, "#000000")
    north_west, south_east = (numbers(dot, "cx", "cy") for dot in parse(picture.draw()).iter("circle"))
    assert north_west[0] < south_east[0]
    assert north_west[1] < south_east[1]


def test_a_line_chart_scales_its_values() -> None:
    """Zero at the bottom, the largest at the top, names in the legend; nothing measured is said."""
    text = line_chart([Series(NASTY, [0, 1, 2], [0, 5, 10]), Series("b", [0, 2], [2, 2])], x_label="minutes", y_label=NASTY)
    assert words(text).count(NASTY) == 3
    first, second = (element for element in parse(text).iter("path") if element.get("fill") == "none")
    moves = re.findall(r"[Ml](-?[\d.]+) (-?[\d.]+)", first.get("d", ""))
    assert [float(y) < 0 for _, y in moves[1:]] == [True, True], "larger values lie higher"
    assert second.get("stroke-dasharray"), "told apart without colours"
    assert "Nothing was measured" in line_chart([], x_label="x", y_label="y")
    flat = line_chart([Series("zero", [3], [0])], x_label="x", y_label="y")
    assert "nan" not in flat
    assert "inf" not in flat


def test_a_gantt_chart_has_a_bar_for_each_part_of_the_day() -> None:
    """In local time, in order, as wide as it is long."""
    bars = [Bar(EIGHT, EIGHT + 1800, "driving"), Bar(EIGHT + 1800, EIGHT + 5400, "service", NASTY)]
    text = gantt([(NASTY, bars)], PORTO, COLOURS)
    root = parse(text)
    drawn = [element for element in root.iter("rect") if element.get("rx") == "1.5"]
    (x1, w1), (x2, w2) = (numbers(element, "x", "width") for element in drawn)
    assert x2 == pytest.approx(x1 + w1, abs=0.2)
    assert w2 == pytest.approx(2 * w1, abs=0.2)
    assert "08:00" in words(text)
    assert words(text).count(NASTY) == 2
    assert "Nothing was planned" in gantt([("van", [])], PORTO, COLOURS)


def test_a_page_is_one_file_that_asks_nobody() -> None:
    """No address outside is loaded; every text is escaped; each section is linked."""
    page = Page(NASTY, NASTY)
    page.add("one", NASTY, paragraph(NASTY), facts([("1", NASTY)]), table(("a", NASTY), [(NASTY, 1), (2.5, 1000)]))
    text = page.html()
    assert not re.search(r"(src|href)=[\"'](https?:)?//", text)
    document: Any = html.document_fromstring(text)
    assert NASTY not in text
    assert document.text_content().count(NASTY) == 9, "title, h1, lead, link, h2, paragraph, fact, column, cell"
    assert [link.get("href") for link in document.iter("a")] == ["#one"]
    assert [cell.text for cell in document.iter("td") if cell.get("class") == "n"] == ["1", "2.5", "1,000"]
    assert len(list(document.iter("b"))) == 1, "names are text, never tags"


def test_svg_pieces() -> None:
    """Short numbers, dashes in attribute names, nothing where nothing is given, lines without doubled points."""
    assert [svg.number(value) for value in (1, 1.0, 1.25, -0.5)] == ["1", "1", "1.2", "-0.5"]
    assert svg.tag("path", stroke_width=2, class_="x", fill=None) == '<path stroke-width="2" class="x"/>'
    assert svg.path_data([(0, 0), (0.01, 0), (3, 4)]) == "M0 0l3 4"


def test_a_plan_is_drawn_on_the_real_city(porto_snapshot: CitySnapshot) -> None:
    """Every stop is a dot, every leg a line, every bar where its time is."""
    plan = plan_pb2.Plan(served_count=1)
    row = plan.rounds.add(vehicle_id=NASTY)
    places = [(41.17, -8.65), (41.16, -8.63), (41.17, -8.65)]
    kinds = (plan_pb2.RoundStop.KIND_START, plan_pb2.RoundStop.KIND_DELIVERY, plan_pb2.RoundStop.KIND_END)
    for k, (place, kind) in enumerate(zip(places, kinds, strict=True)):
        stop = row.stops.add(kind=kind, shipment_id=NASTY if k == 1 else "", arrival_unix_s=EIGHT + 900 * k)
        stop.location.lat_deg, stop.location.lon_deg = place
        stop.start_unix_s, stop.departure_unix_s = stop.arrival_unix_s, stop.arrival_unix_s + 300 * (k == 1)
        if k:
            stop.leg.duration_s = 600
            stop.leg.polyline.encoded = encode(places[k - 1 : k + 1])
    text = plan_map(plan, porto_snapshot)
    root = parse(text)
    assert len(list(root.iter("circle"))) == 3
    assert f"stop 1: {NASTY}" in words(text)
    assert len(text) < 3_000_000
    bars = [element for element in parse(plan_gantt(plan, PORTO)).iter("rect") if element.get("rx") == "1.5"]
    assert [bar.get("fill") for bar in bars] == [COLOURS["driving"], COLOURS["service"], COLOURS["driving"]]
    fragment = html.fragment_fromstring(plan_facts(plan) + plan_table(plan), create_parent="div")
    assert NASTY in fragment.text_content()


def test_headings_of_numbers_stand_over_them() -> None:
    """Set right as the numbers below; a column with text in it stays left."""
    drawn = html.fromstring(table(("park", "free", "of"), [("Silo", 3, 40), ("Alfândega", 12, "unknown")]))
    assert [cell.get("class") for cell in drawn.iter("th")] == [None, "n", None]


def test_names_of_the_day_have_the_colours_of_the_map() -> None:
    """Also where a round without stops comes in between; the last hour is not cut off."""
    plan = plan_pb2.Plan()
    for k in range(3):
        row = plan.rounds.add(vehicle_id=f"van {k}", departure_unix_s=3600, arrival_unix_s=7200)
        if k != 1:
            at = geo_pb2.LatLng(lat_deg=41.15, lon_deg=-8.61 + 0.001 * k)
            row.stops.add(kind=plan_pb2.RoundStop.KIND_START, location=at)
            stop = row.stops.add(kind=plan_pb2.RoundStop.KIND_DELIVERY, location=at, arrival_unix_s=7200, start_unix_s=7200)
            stop.leg.duration_s, stop.departure_unix_s = 600, 7200
    day = parse(plan_gantt(plan, PORTO))
    assert [dot.get("fill") for dot in day.iter("circle")] == [round_colour(0), round_colour(2)]
    assert round_colour(2) in plan_map(plan, None)
    assert max(float(text.get("x") or 0) for text in day.iter("text")) <= 884
