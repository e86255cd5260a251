"""A map of streets with lines and markers on it."""

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from routing.model.street_graph import ROAD_CLASSES, StreetGraph
from services.demo.pictures import svg

LatLon = tuple[float, float]

_CLASS_WIDTH = {
    "motorway": 2.4, "trunk": 2.4, "primary": 2.0, "secondary": 1.6, "tertiary": 1.2, "motorway_link": 1.2, "trunk_link": 1.2,
    "primary_link": 1.0, "secondary_link": 1.0, "tertiary_link": 0.8, "unclassified": 0.6, "residential": 0.5,
    "pedestrian": 0.5,
}  # fmt: skip
_SMALL_STREETS_BELOW_M = 6000
_MARGIN = 0.06
_counter = itertools.count()


@dataclass(frozen=True, slots=True)
class Line:
    """A line on the map; `tip` shows on hover; `dashed` for walks."""

    points: Sequence[LatLon]
    color: str
    width: float = 4.0
    dashed: bool = False
    tip: str = ""


@dataclass(frozen=True, slots=True)
class Marker:
    """A dot with an optional label."""

    at: LatLon
    color: str
    label: str = ""
    radius: float = 5.0
    tip: str = ""


@dataclass(frozen=True, slots=True)
class Area:
    """A filled area: rings (outer ones and holes alike) of (lat, lon), by the even-odd rule."""

    rings: Sequence[Sequence[LatLon]]
    color: str
    tip: str = ""


@dataclass(frozen=True, slots=True)
class Strokes:
    """Many lines of one colour, drawn as one element; they do not widen the frame."""

    lines: Sequence[Sequence[LatLon]]
    color: str
    width: float = 2.5


@dataclass(slots=True)
class StreetMap:
    """Collects what is drawn, then writes one SVG (pan by dragging, zoom by wheel in the page); without `graph`, no streets."""

    graph: StreetGraph | None
    width: int = 900
    height: int = 520
    lines: list[Line] = field(default_factory=list)
    markers: list[Marker] = field(default_factory=list)
    areas: list[Area] = field(default_factory=list)
    strokes: list[Strokes] = field(default_factory=list)

    def add_line(
        self, points: Iterable[LatLon], color: str, *, width: float = 4.0, dashed: bool = False, tip: str = ""
    ) -> None:
        """Add a line of (lat, lon) degrees."""
        self.lines.append(Line(tuple(points), color, width, dashed, tip))

    def add_marker(self, at: LatLon, color: str, *, label: str = "", radius: float = 5.0, tip: str = "") -> None:
        """Add a dot."""
        self.markers.append(Marker(at, color, label, radius, tip))

    def add_area(self, rings: Iterable[Iterable[LatLon]], color: str, *, tip: str = "") -> None:
        """Add a filled area; later ones lie over earlier ones."""
        self.areas.append(Area(tuple(tuple(ring) for ring in rings), color, tip))

    def add_strokes(self, lines: Iterable[Iterable[LatLon]], color: str, *, width: float = 2.5) -> None:
        """Add many lines of one colour below all others; they do not widen the frame."""
        self.strokes.append(Strokes(tuple(tuple(line) for line in lines), color, width))

    def draw(self) -> str:
        """The SVG element, framed round all lines, areas and markers (else round all strokes)."""
        framed = [p for line in self.lines for p in line.points] + [m.at for m in self.markers]
        framed += [p for area in self.areas for ring in area.rings for p in ring]
        framed = framed or [p for group in self.strokes for line in group.lines for p in line]
        frame = _Frame.around(framed, self.width, self.height)
        parts = [svg.tag("rect", width=self.width, height=self.height, class_="sea"), self._streets(frame)]
        for area in self.areas:
            data = "".join(svg.path_data(map(frame.place, ring)) + "z" for ring in area.rings)
            tip = svg.title(area.tip) if area.tip else ""
            parts.append(
                svg.tag("path", tip, d=data, fill=area.color, fill_opacity="0.28", fill_rule="evenodd", stroke=area.color)
            )
        for group in self.strokes:
            data = "".join(svg.path_data(map(frame.place, line)) for line in group.lines)
            parts.append(svg.tag("path", d=data, fill="none", stroke=group.color, stroke_width=group.width, opacity="0.9"))
        for line in self.lines:
            parts.append(
                svg.tag(
                    "path",
                    svg.title(line.tip) if line.tip else "",
                    d=svg.path_data(map(frame.place, line.points)),
                    fill="none",
                    stroke=line.color,
                    stroke_width=line.width,
                    stroke_linejoin="round",
                    stroke_linecap="round",
                    stroke_dasharray="1 7" if line.dashed else None,
                    opacity="0.9",
                )
            )
        parts += [self._marker(frame, marker) for marker in self.markers]
        parts.append(_scale_bar(frame, self.height))
        body = svg.tag("g", "".join(parts), class_="world")
        return svg.tag(
            "svg", body, viewBox=f"0 0 {self.width} {self.height}", class_="map", role="img", id=f"map{next(_counter)}"
        )

    def _streets(self, frame: "_Frame") -> str:
        graph = self.graph
        if graph is None:
            return ""
        small = frame.width_m < _SMALL_STREETS_BELOW_M
        lat, lon = graph.node_lat_e7[graph.arc_tail] * 1e-7, graph.node_lon_e7[graph.arc_tail] * 1e-7
        inside = (lat > frame.south) & (lat < frame.north) & (lon > frame.west) & (lon < frame.east)
        one_of_two = (graph.arc_reverse < 0) | (np.arange(graph.arc_count) < graph.arc_reverse)
        groups: list[str] = []
        for name, width in sorted(_CLASS_WIDTH.items(), key=lambda item: item[1]):
            if width < 0.8 and not small:
                continue
            arcs = np.flatnonzero(inside & one_of_two & (graph.arc_road_class == ROAD_CLASSES.index(name)))
            data = "".join(svg.path_data(map(frame.place, _shape(graph, int(arc), small))) for arc in arcs)
            if data:
                groups.append(svg.tag("path", d=data, class_="street", stroke_width=svg.number(width * (1.8 if small else 1))))
        return "".join(groups)

    @staticmethod
    def _marker(frame: "_Frame", marker: Marker) -> str:
        x, y = frame.place(marker.at)
        dot = svg.tag(
            "circle",
            svg.title(marker.tip) if marker.tip else "",
            cx=svg.number(x),
            cy=svg.number(y),
            r=marker.radius,
            fill=marker.color,
            class_="dot",
        )
        if not marker.label:
            return dot
        if x + marker.radius + 9 * len(marker.label) > frame.width:  # it would be cut off
            return dot + svg.text(x - marker.radius - 3, y + 4, marker.label, class_="label", text_anchor="end")
        return dot + svg.text(x + marker.radius + 3, y + 4, marker.label, class_="label")


@dataclass(frozen=True, slots=True)
class _Frame:
    """Equirectangular frame, true to scale in its middle."""

    south: float
    west: float
    north: float
    east: float
    width: int
    height: int

    @classmethod
    def around(cls, points: Sequence[LatLon], width: int, height: int) -> "_Frame":
        lats, lons = [p[0] for p in points], [p[1] for p in points]
        middle_lat, middle_lon = (min(lats) + max(lats)) / 2, (min(lons) + max(lons)) / 2
        squeeze = math.cos(math.radians(middle_lat))
        tall = max(max(lats) - min(lats), 0.004) * (1 + 2 * _MARGIN)
        wide = max((max(lons) - min(lons)) * squeeze, 0.004) * (1 + 2 * _MARGIN)
        tall = max(tall, wide * height / width)
        wide = tall * width / height
        half_lon = wide / squeeze / 2
        return cls(middle_lat - tall / 2, middle_lon - half_lon, middle_lat + tall / 2, middle_lon + half_lon, width, height)

    @property
    def width_m(self) -> float:
        """Metres from edge to edge."""
        return (self.east - self.west) * 111_320 * math.cos(math.radians((self.north + self.south) / 2))

    def place(self, point: LatLon) -> tuple[float, float]:
        """Pixel of a (lat, lon)."""
        x = (point[1] - self.west) / (self.east - self.west) * self.width
        y = (self.north - point[0]) / (self.north - self.south) * self.height
        return x, y


def _shape(graph: StreetGraph, arc: int, small: bool) -> list[LatLon]:
    rows = slice(int(graph.first_shape[arc]), int(graph.first_shape[arc + 1]))
    lat, lon = graph.shape_lat_e7[rows] * 1e-7, graph.shape_lon_e7[rows] * 1e-7
    points = list(zip(lat.tolist(), lon.tolist(), strict=True))
    return points if small or len(points) <= 3 else [points[0], *points[1:-1:2], points[-1]]


def _scale_bar(frame: _Frame, height: int) -> str:
    length_m = 10 ** math.floor(math.log10(frame.width_m / 4))
    length_m *= next((k for k in (5, 2) if length_m * k <= frame.width_m / 4), 1)
    pixels = length_m / frame.width_m * frame.width
    name = f"{length_m // 1000} km" if length_m >= 1000 else f"{length_m} m"
    bar = svg.tag("path", d=f"M12 {height - 16}v6h{svg.number(pixels)}v-6", class_="scale")
    return bar + svg.text(16, height - 18, name, class_="label")
