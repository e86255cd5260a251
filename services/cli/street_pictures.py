"""The page of ``traboule street show``: a map of streets with ways, areas and live speeds."""

from collections.abc import Iterable, Sequence
from html import escape
from zoneinfo import ZoneInfo

from traboule.journeys.v1 import matrix_pb2, route_pb2
from traboule.traffic.v1 import traffic_service_pb2

from routing.model.access_zones import AccessZones
from routing.model.street_graph import StreetGraph
from services.city.show import describe_zones
from services.cli.output import clock, distance, duration
from services.common.polyline import decode
from services.demo.pictures import svg
from services.demo.pictures.page import Page, note, table
from services.demo.pictures.street_map import StreetMap

SPEED_CLASSES = (
    (0.25, "#7f0000", "standing: below a quarter of the free speed"),
    (0.5, "#d7301f", "slow: up to a half"),
    (0.75, "#fc8d59", "dense: up to three quarters"),
    (float("inf"), "#1a9850", "free"),
)
"""Upper bound of the share of the free-flow speed, colour, words."""

CLOSED = "#17202a"
ZONE = "#2e8b57"
MOST_DOTS = 2_000
"""A trace with more positions is drawn as a line only."""

Line = Sequence[tuple[float, float]]
"""Latitudes and longitudes."""

REACH_COLOURS = ("#08519c", "#3182bd", "#6baed6", "#9ecae1", "#c6dbef")


class StreetPicture:
    """Collects what is drawn, then writes one page.

    Attributes
    ----------
    drawn : dict
        What is on the map, in figures, for programs.
    """

    def __init__(self, graph: StreetGraph, title: str, timezone: ZoneInfo) -> None:
        self._map = StreetMap(graph, width=940, height=620)
        self._title, self._timezone = title, timezone
        self._below: list[str] = []
        self._key: list[tuple[str, str]] = []
        self.drawn: dict[str, object] = {}

    def add_zones(self, zones: AccessZones) -> None:
        """Outlines of the city's zones, and what they say."""
        rings = [ring for row in range(len(zones)) for ring in zones.outlines_of(row)]
        if rings:
            self._map.add_strokes([[*ring, ring[0]] for ring in rings], ZONE, width=2.0)
            self._key.append((ZONE, "zones closed to some vehicles"))
            self._below.append(table(("zones",), [(words,) for words in describe_zones(zones, self._timezone)]))
            self.drawn["zones"] = sorted(set(zones.ids))

    def add_speeds(self, links: Sequence[traffic_service_pb2.LinkState]) -> None:
        """Live speeds by their share of the free-flow speed; closed streets."""
        open_links = [link for link in links if not link.closed]
        lower, counts = 0.0, []
        for upper, colour, words in SPEED_CLASSES:
            mine = [link for link in open_links if lower <= _share(link) < upper]
            counts.append((words, len(mine)))
            self._add_links(mine, colour, words, 2.5)
            lower = upper
        closed = [link for link in links if link.closed]
        self._add_links(closed, CLOSED, "closed", 5.0)
        rows = [*counts, ("closed", len(closed))]
        self._below.append(table(("live speeds", "links"), rows))
        if not links:
            self._below.append(note("No street has a live speed now: no traffic feed is read, or all its values are too old."))
        self.drawn["links"] = dict(rows)

    def _add_links(self, links: Iterable[traffic_service_pb2.LinkState], colour: str, words: str, width: float) -> None:
        lines = [decode(link.polyline.encoded) for link in links]
        if lines:
            self._map.add_strokes(lines, colour, width=width)
            self._key.append((colour, words))

    def add_reach(
        self, answer: matrix_pb2.GetIsochroneResponse, origin: str, mode: str, at: tuple[float, float] | None = None
    ) -> None:
        """Areas reached within times, the largest at the bottom; a marker where they begin, if that is known."""
        rows = []
        for k, area in reversed(list(enumerate(answer.isochrones))):
            colour = REACH_COLOURS[min(k, len(REACH_COLOURS) - 1)]
            words = f"within {duration(area.limit_s)} by {mode}"
            rings = [decode(ring.encoded) for polygon in area.area.polygons for ring in (polygon.outer, *polygon.holes)]
            self._map.add_area(rings, colour, tip=words)
            self._key.append((colour, words))
            rows.append((words, f"{area.area_m2 / 1e6:.1f} km²"))
        self._below.append(table((f"reached from {origin}", "area"), rows[::-1]))
        self.drawn["areas_m2"] = {str(area.limit_s): round(area.area_m2) for area in answer.isochrones}
        if at is not None:
            self._map.add_marker(at, CLOSED, label=origin, radius=6.0)

    def add_routes(self, answer: route_pb2.PlanRouteResponse, names: Sequence[str], mode: str) -> None:
        """Ways, the best one on top; their ends and via points; streets and times in a table."""
        rows, listed = [], list(enumerate(answer.routes))
        for number, found in reversed(listed):
            colour = svg.PALETTE[number % len(svg.PALETTE)]
            name = "best way" if not number else f"other way {number}"
            length_m = sum(leg.distance_m for leg in found.legs)
            words = f"{name}: {duration(found.duration_s)}, {distance(length_m)}"
            for leg in found.legs:
                self._map.add_line(
                    decode(leg.polyline.encoded), colour, width=5.0 if not number else 4.0, dashed=bool(number), tip=words
                )
            self._key.append((colour, words))
            streets = dict.fromkeys(step.street_name for leg in found.legs for step in leg.steps if step.street_name)
            arrival = clock(found.arrival_unix_s, self._timezone)
            rows.append((name, duration(found.duration_s), distance(length_m), arrival, " · ".join(list(streets)[:8])))
        ends = [answer.routes[0].legs[0], *answer.routes[0].legs]
        for k, (name, leg) in enumerate(zip(names, ends, strict=False)):
            line = decode(leg.polyline.encoded)
            self._map.add_marker(line[0] if k == 0 else line[-1], CLOSED, label=name, radius=6.0)
        self._below.append(table(("way", "time", "length", "arrival", "streets"), rows[::-1]))
        self.drawn["routes"] = [
            {"duration_s": r.duration_s, "length_m": round(sum(leg.distance_m for leg in r.legs))} for r in answer.routes
        ]
        self.drawn["mode"] = mode

    def add_traces(self, traces: Sequence[tuple[str, Line]], ways: Sequence[Sequence[Line]], total: int) -> None:
        """Traces as positions and thin lines, the ways they took in colour; `total` may be more than are drawn."""
        for k, ((name, positions), parts) in enumerate(zip(traces, ways, strict=True)):
            colour = svg.PALETTE[k % len(svg.PALETTE)]
            for line in parts:
                self._map.add_line(line, colour, width=5.0, tip=name)
            self._map.add_line(positions, CLOSED, width=1.0, dashed=True, tip=f"{name}, as recorded")
            for position in positions if len(positions) <= MOST_DOTS else ():
                self._map.add_marker(position, CLOSED, radius=2.0)
        self._key += [(svg.PALETTE[0], "ways on streets, a colour each"), (CLOSED, "positions as recorded")]
        if total > len(traces):
            self._below.append(note(f"{len(traces)} of {total} traces are drawn."))
        self.drawn["traces"] = len(traces)

    def html(self) -> str:
        """The page."""
        page = Page(f"Streets of {self._title}", "Drag to move, turn the wheel to zoom, point at a line to read what it is.")
        key = " ".join(  # with blanks, at which the browser breaks the line
            f'<span style="margin-right:1.2rem;white-space:nowrap"><b style="color:{colour}">&#9644;</b> {escape(words)}</span>'
            for colour, words in self._key
        )
        page.add("map", "Map", self._map.draw(), f"<p>{key}</p>", *self._below)
        return page.html()


def _share(link: traffic_service_pb2.LinkState) -> float:
    return link.speed_kmh / link.free_flow_kmh if link.free_flow_kmh > 0 else 1.0
