"""``traboule street match``: the ways vehicles took, from traces in a file."""

import itertools
import json
import sys
import webbrowser
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from routing.model.modes import StreetMode
from routing.model.street_graph import StreetGraph
from services.city.snapshot import open_snapshot
from services.cli.context import CommandContext, plain_errors
from services.cli.output import console, distance, plain, print_json, print_table, say
from services.cli.street_pictures import StreetPicture
from services.cli.street_traces import Trace, read_traces

if TYPE_CHECKING:
    from routing.street.matching import Matched, TraceMatcher

MODES = {
    "car": StreetMode.CAR, "van": StreetMode.VAN, "truck": StreetMode.TRUCK, "bicycle": StreetMode.BICYCLE,
    "walk": StreetMode.FOOT,
}  # fmt: skip
MOST_SHOWN, MOST_DRAWN = 20, 200
_WORDS = {6: "far from any street", 7: "with the time of another", 8: "not on Earth", 5: "where the vehicle cannot have been"}


@dataclass(frozen=True, slots=True)
class MatchedPart:
    """A way without a break: arcs in order of travel and its line (latitude, longitude)."""

    arcs: list[int]
    line: list[tuple[float, float]]
    length_m: float


@dataclass(frozen=True, slots=True)
class MatchedTrace:
    """What became of one trace; `lost` counts positions on no street by reason."""

    trace: Trace
    parts: list[MatchedPart]
    used: int
    confidence: float
    lost: dict[str, int]

    @property
    def length_m(self) -> float:
        """Length of all parts."""
        return sum(part.length_m for part in self.parts)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--mode", type=click.Choice(list(MODES)), default="car", show_default=True, help="What travelled.")
@click.option(
    "--sigma", type=click.FloatRange(0.5, 200.0), default=8.0, show_default=True, help="Usual error of a position, metres."
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the ways as GeoJSON here.")
@click.option("--picture", type=click.Path(dir_okay=False, path_type=Path), help="Draw traces and ways on a page here.")
@click.option("--open", "open_it", is_flag=True, help="Open the page in the browser.")
@click.option("--json", "as_json", is_flag=True, help="Print what is written with --out instead of a table.")
@click.pass_obj
@plain_errors
def match(context: CommandContext, /, file: Path, **options: Any) -> None:
    """Find the ways through the streets that the traces of FILE took. Needs a built city, not a running one.

    FILE is a GPX file, or a CSV file with the columns lat and lon (degrees) and perhaps time and trace.

    \b
      trace,time,lat,lon
      van-7,2026-07-28T08:30:00Z,41.1579,-8.6291
      van-7,2026-07-28T08:30:10Z,41.1583,-8.6279
    """
    snapshot = open_snapshot(context.config.home, context.config.city)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(
        *columns, console=type(console)(stderr=True), transient=True, disable=not sys.stderr.isatty() or options["as_json"]
    ) as bars:
        reading = bars.add_task("reading", total=100)
        traces = read_traces(file, context.timezone, lambda share: bars.update(reading, completed=round(100 * share)))
        bars.update(reading, completed=100)
        matching = bars.add_task("matching", total=len(traces))
        matcher, found = _matcher(snapshot.street, dict(snapshot.hierarchies), MODES[options["mode"]]), []
        for trace in traces:
            found.append(match_trace(snapshot.street, matcher, trace, options["sigma"]))
            bars.advance(matching)
    document = to_geojson(snapshot.street, found)
    if options["out"]:
        options["out"].write_text(json.dumps(document, ensure_ascii=False) + "\n", encoding="utf-8")
    page: Path | None = options["picture"] or (context.config.run_dir / "match.html" if options["open_it"] else None)
    if page is not None:
        picture = StreetPicture(snapshot.street, snapshot.city.title, context.timezone)
        lines = [(one.trace.name, list(zip(one.trace.lat_deg, one.trace.lon_deg, strict=True))) for one in found[:MOST_DRAWN]]
        picture.add_traces(lines, [[part.line for part in one.parts] for one in found[:MOST_DRAWN]], len(found))
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(picture.html(), encoding="utf-8")
    if options["as_json"]:
        print_json(document)
    else:
        _show(found, [path for path in (options["out"], page) if path is not None])
    if options["open_it"] and page is not None:
        webbrowser.open(page.resolve().as_uri())


def _matcher(graph: StreetGraph, hierarchies: Any, mode: StreetMode) -> "TraceMatcher":
    from routing.street.api import StreetEngine  # noqa: PLC0415 - other commands need not wait for the engine's import

    engine = StreetEngine(graph, hierarchies=hierarchies)
    return engine.matcher(engine.metric(mode))


def match_trace(graph: StreetGraph, matcher: "TraceMatcher", trace: Trace, sigma_m: float = 8.0) -> MatchedTrace:
    """Match one trace; its ways begin anew where the trace has a gap or no way leads on."""
    from routing.street.matching import MatchOptions  # noqa: PLC0415 - as above

    matched = matcher.match(trace.lat_deg, trace.lon_deg, trace.time_s or None, options=MatchOptions(sigma_m=sigma_m))
    on = matched.arc >= 0
    lost = Counter(_WORDS[int(status)] for status in matched.status[~on].tolist())
    confidence = float(matched.confidence[on].mean()) if on.any() else 0.0
    return MatchedTrace(trace, _parts(graph, trace, matched), int(on.sum()), confidence, dict(lost))


def _parts(graph: StreetGraph, trace: Trace, matched: "Matched") -> list[MatchedPart]:
    """Cut the arcs of a trace at its breaks."""
    on = np.flatnonzero(matched.arc >= 0)
    if not len(on):
        return []
    order = np.argsort(np.array(trace.time_s)[on], kind="stable") if trace.time_s else np.arange(len(on))
    on = on[order]
    breaks = {position for position, _ in matched.list_breaks(0)}
    begins = [k for k, position in enumerate(on.tolist()) if k == 0 or position in breaks]
    parts = []
    for low, high in itertools.pairwise([*begins, len(on)]):
        first, last = int(on[low]), int(on[high - 1])
        arcs = matched.arcs[matched.place[first] : matched.place[last] + 1].tolist()
        parts.append(_part(graph, arcs, float(matched.fraction[first]), float(matched.fraction[last])))
    return parts


def _part(graph: StreetGraph, arcs: list[int], start: float, end: float) -> MatchedPart:
    from routing.street.path import arc_line  # noqa: PLC0415 - as above

    line: list[tuple[float, float]] = []
    length_m = 0.0
    for k, arc in enumerate(arcs):
        begin, stop = start if k == 0 else 0.0, end if k == len(arcs) - 1 else 1.0
        lat, lon = arc_line(graph, arc, begin, max(begin, stop))
        length_m += float(graph.arc_length_m[arc]) * max(0.0, stop - begin)
        points = list(zip(lat.tolist(), lon.tolist(), strict=True))
        line += points[1:] if line else points
    return MatchedPart(arcs, line, length_m)


def to_geojson(graph: StreetGraph, found: Sequence[MatchedTrace]) -> dict[str, Any]:
    """Make a FeatureCollection (RFC 7946): a line for every part, and a feature without geometry for a trace on no street."""
    features: list[dict[str, Any]] = []
    for one in found:
        about = {
            "trace": one.trace.name, "positions": len(one.trace.lat_deg), "positions_matched": one.used,
            "confidence": round(one.confidence, 4),
        }  # fmt: skip
        for number, part in enumerate(one.parts):
            ways = [way for way, _ in itertools.groupby(int(graph.arc_way_osm_id[arc]) for arc in part.arcs)]
            names = (graph.names[int(graph.arc_name[arc])] for arc in part.arcs)
            streets = [name for name, _ in itertools.groupby(names) if name]
            line = [[round(lon, 7), round(lat, 7)] for lat, lon in part.line]
            more = {"part": number, "length_m": round(part.length_m, 1), "osm_ways": ways, "streets": streets}
            geometry = {"type": "LineString", "coordinates": line}
            features.append({"type": "Feature", "geometry": geometry, "properties": about | more})
        if not one.parts:
            features.append({"type": "Feature", "geometry": None, "properties": about})
    return {"type": "FeatureCollection", "features": features}


def _show(found: Sequence[MatchedTrace], written: Sequence[Path]) -> None:
    rows = [
        (
            one.trace.name, f"{one.used} of {len(one.trace.lat_deg)}", distance(one.length_m), max(0, len(one.parts) - 1),
            f"{one.confidence:.2f}", ", ".join(f"{count} {why}" for why, count in one.lost.items()),
        )
        for one in found[:MOST_SHOWN]
    ]  # fmt: skip
    print_table(("trace", "positions", "way", "breaks", "confidence", "left out"), rows, right=range(1, 5))
    if len(found) > MOST_SHOWN:
        say(f"and {len(found) - MOST_SHOWN} more traces")
    total, used = sum(len(one.trace.lat_deg) for one in found), sum(one.used for one in found)
    say(f"{used} of {total} positions of {len(found)} traces on {distance(sum(one.length_m for one in found))} of streets")
    if not used:
        say("[yellow]no position lies near a street one may travel: is it the right city and mode?[/]")
    for path in written:
        say(f"written to {plain(path)}")
