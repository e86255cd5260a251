"""What a built city looks like: a summary in text, and a map as one self-contained HTML page."""

import html
import math
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from routing.model.access_zones import AccessZones
from routing.model.car_parks import CapacitySource
from routing.model.modes import StreetMode
from routing.model.street_graph import ROAD_CLASSES
from routing.street.access_rules import EmissionClass
from services.city.config import BoundingBox
from services.city.low_emission_zones import CLASSES, MODES
from services.city.snapshot import CitySnapshot

_WIDTH_PX = 1400.0
_CLASS_STROKE = (
    (("motorway", "trunk"), "#d9534f", 2.2),
    (("primary", "secondary"), "#e0a030", 1.4),
    (("tertiary", "unclassified"), "#8a8f98", 0.9),
    (("residential", "living_street", "pedestrian"), "#b9bec6", 0.5),
)


def describe(snapshot: CitySnapshot) -> list[tuple[str, str]]:
    """Rows (what, value) of a summary for people."""
    counts, box, city = snapshot.manifest.counts, snapshot.bbox, snapshot.city
    nodes, arcs, turns = (counts[key] for key in ("street_nodes", "street_arcs", "turn_restrictions"))
    rows = [
        ("city", f"{city.title} ({city.country}), {city.timezone}"),
        ("snapshot", f"{snapshot.id}, epoch {snapshot.epoch}"),
        ("area", f"{box.south:.3f} … {box.north:.3f} N, {box.west:.3f} … {box.east:.3f} E"),
        (
            "streets",
            f"{nodes:,} nodes, {arcs:,} arcs, {turns:,} turn restrictions",
        ),
        ("signals", f"{counts['signals']:,} signals at {counts['signal_sites']:,} junctions and crossings"),
        ("car parks", f"{counts['car_parks']:,}, capacity assumed at {counts['car_parks_assumed']:,}"),
        ("places", f"{counts['places']:,} names"),
    ]
    rows += [("zone", words) for words in describe_zones(snapshot.zones, ZoneInfo(city.timezone))]
    if snapshot.has_timetable:
        timetable = snapshot.timetable
        first, last = timetable.date_of_day(0), timetable.date_of_day(timetable.day_count - 1)
        rows.append(
            (
                "timetable",
                f"{counts['stops']:,} stops, {counts['routes']:,} routes, {counts['trips']:,} trips, {first} … {last}",
            )
        )
    for feed in city.gtfs:
        if feed.shift_days:
            rows.append((f"feed {feed.id}", f"moved by {feed.shift_days} days: {feed.shift_reason}"))
    rows += [
        (f"input {item.role}", f"{item.file}, {item.bytes / 1e6:.2f} MB, sha256 {item.sha256[:12]}…")
        for item in snapshot.manifest.inputs
    ]
    size = sum(about["bytes"] for about in snapshot.manifest.files.values())
    rows.append(("on disk", f"{size / 1e6:.1f} MB in {len(snapshot.manifest.files)} files, {snapshot.folder}"))
    if snapshot.timings:
        seconds = sum(snapshot.timings["seconds"].values())
        rows.append(("built in", f"{seconds:.1f} s, peak {snapshot.timings['peak_mb']} MB"))
    return rows + [("warning", warning) for warning in snapshot.manifest.warnings]


def describe_zones(zones: AccessZones, clock: ZoneInfo) -> list[str]:
    """One sentence for each rule of a zone: who may not enter, when, how many arcs it is."""
    words = {code: word for word, code in CLASSES.items()}
    rows = []
    for k in range(len(zones)):
        kinds = ", ".join(f"{word}s" for word, mode in MODES.items() if zones.modes[k] & mode.bit)
        code = EmissionClass(int(zones.from_class[k]))
        who = f"all {kinds}" if code is EmissionClass.ELECTRIC else f"{kinds} of {words[code]}{' and dirtier' * (code < 6)}"
        starts, ends = (None if at is None else datetime.fromtimestamp(at, clock) for at in (zones.starts(k), zones.ends(k)))
        days = f" from {starts:%Y-%m-%d}" if starts else ""
        days += f" to {ends - timedelta(days=1):%Y-%m-%d}" if ends else ""
        hours = zones.hours.texts[int(zones.hours_rule[k])]
        rows.append(f"{zones.names[k]} ({zones.ids[k]}): closed to {who}, {hours}{days}; {len(zones.arcs_of(k)):,} arcs")
    return rows


class _Frame:
    """From degrees to the picture."""

    def __init__(self, box: BoundingBox) -> None:
        self._box = box
        self._scale = _WIDTH_PX / (box.east - box.west)
        self._stretch = self._scale / math.cos(math.radians((box.south + box.north) / 2))
        self.height = (box.north - box.south) * self._stretch

    def points(self, lat_deg: npt.ArrayLike, lon_deg: npt.ArrayLike) -> list[tuple[float, float]]:
        """Pixels (x, y) of positions."""
        x = np.round((np.asarray(lon_deg, np.float64) - self._box.west) * self._scale, 1)
        y = np.round((self._box.north - np.asarray(lat_deg, np.float64)) * self._stretch, 1)
        return list(zip(x.tolist(), y.tolist(), strict=True))


def draw_map(snapshot: CitySnapshot) -> str:
    """Map of streets, stops, signals and car parks as an SVG element."""
    frame = _Frame(snapshot.bbox)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH_PX:.0f} {frame.height:.0f}" role="img">']
    parts += [f"<title>{html.escape(snapshot.city.title)}</title>", '<rect width="100%" height="100%" fill="#fbfbf8"/>']
    parts += _streets(snapshot, frame)
    parts += _zones(snapshot, frame)
    if snapshot.has_timetable:
        table = snapshot.timetable
        shown = ~np.isnan(table.stop_lat_deg)
        parts.append(_dots(frame.points(table.stop_lat_deg[shown], table.stop_lon_deg[shown]), 1.6, "#2563a8", "stops"))
    sites, parks = snapshot.signal_sites, snapshot.car_parks
    parts.append(_dots(frame.points(sites.lat_e7 * 1e-7, sites.lon_e7 * 1e-7), 2.2, "#c0392b", "signals"))
    parts.append(_dots(frame.points(parks.centre_lat_e7 * 1e-7, parks.centre_lon_e7 * 1e-7), 3.2, "#2e8b57", "car parks"))
    return "\n".join([*parts, "</svg>"])


def _streets(snapshot: CitySnapshot, frame: _Frame) -> list[str]:
    graph = snapshot.street
    once = (graph.arc_reverse < 0) | (graph.arc_reverse > np.arange(graph.arc_count))
    cars = (graph.arc_access & StreetMode.CAR.bit) != 0
    parts = []
    for classes, color, width in reversed(_CLASS_STROKE):
        codes = [i for i, name in enumerate(ROAD_CLASSES) if name.removesuffix("_link") in classes]
        walks = graph.arc_road_class == ROAD_CLASSES.index("pedestrian")
        lines = []
        for arc in np.flatnonzero(once & (cars | walks) & np.isin(graph.arc_road_class, codes)).tolist():
            shape = slice(graph.first_shape[arc], graph.first_shape[arc + 1])
            line = frame.points(graph.shape_lat_e7[shape] * 1e-7, graph.shape_lon_e7[shape] * 1e-7)
            lines.append("M" + "L".join(f"{x:g} {y:g}" for x, y in line))
        parts.append(f'<path d="{"".join(lines)}" fill="none" stroke="{color}" stroke-width="{width}"/>')
    return parts


def _zones(snapshot: CitySnapshot, frame: _Frame) -> list[str]:
    zones, parts = snapshot.zones, []
    sentences = describe_zones(zones, ZoneInfo(snapshot.city.timezone))
    for k, sentence in enumerate(sentences):
        rings = [frame.points(*np.array(ring).T) for ring in zones.outlines_of(k)]
        path = "".join("M" + "L".join(f"{x:g} {y:g}" for x, y in ring) + "z" for ring in rings)
        style = 'fill="#2e8b57" fill-opacity="0.12" stroke="#2e8b57" stroke-width="2" stroke-dasharray="6 4"'
        parts.append(f'<path d="{path}" {style}><title>{html.escape(sentence)}</title></path>')
    return parts


def _dots(points: list[tuple[float, float]], radius: float, color: str, title: str) -> str:
    # One path of zero-length round strokes is a tenth of the size of as many circles.
    path = "".join(f"M{x:g} {y:g}h0" for x, y in points)
    return f'<path d="{path}" stroke="{color}" stroke-width="{2 * radius}" stroke-linecap="round"><title>{title}</title></path>'


def write_page(snapshot: CitySnapshot, path: Path) -> None:
    """Write the summary and the map as one HTML page that needs nothing else."""
    title = html.escape(snapshot.city.title)
    rows = "\n".join(
        f"<tr><th>{html.escape(what)}</th><td>{html.escape(value)}</td></tr>" for what, value in describe(snapshot)
    )
    parks = snapshot.car_parks
    sources = [CapacitySource(int(source)).name.lower() for source in parks.capacity_source]
    park_rows = "\n".join(
        f"<tr><td>{html.escape(parks.names[i])}</td><td>{parks.capacity[i]}</td>"
        f"<td>{sources[i]}</td><td>{'P+R' if parks.park_and_ride[i] else ''}</td></tr>"
        for i in range(len(parks))
    )
    zone_key = '<span style="color:#2e8b57">▭ zones closed to some vehicles</span>' if len(snapshot.zones) else ""
    path.write_text(
        f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>body{{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:1400px;padding:0 1rem;color:#222}}
th{{text-align:left;padding-right:1rem;vertical-align:top;white-space:nowrap}}td{{padding-right:1rem}}
svg{{width:100%;height:auto;border:1px solid #ddd;margin:1rem 0}}.key span{{margin-right:1.2rem}}</style></head>
<body><h1>{title}</h1>
<table>{rows}</table>
<p class="key"><span style="color:#2563a8">● stops</span><span style="color:#c0392b">● signals</span>
<span style="color:#2e8b57">● car parks</span>{zone_key}</p>
{draw_map(snapshot)}
<h2>Car parks</h2>
<table><tr><th>name</th><th>spaces</th><th>capacity from</th><th></th></tr>
{park_rows}</table>
<p>Map data © OpenStreetMap contributors, ODbL 1.0.</p></body></html>
""",
        encoding="utf-8",
    )
