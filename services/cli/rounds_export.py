"""Plans of delivery rounds as files: CSV, GeoJSON, GPX."""

import csv
import datetime as dt
import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import click
from google.protobuf.json_format import MessageToDict
from traboule.rounds.v1 import plan_pb2

from services.common.polyline import decode

GPX = "http://www.topografix.com/GPX/1/1"
CSV_HEADER = (
    "vehicle", "stop", "kind", "shipment", "lat", "lon", "arrival", "start", "departure", "arrival_local", "start_local",
    "departure_local", "drive_s", "wait_s", "distance_m", "parking_s", "bay", "hub", "loads",
)  # fmt: skip
FIRST_DATE_S = 100_000_000
"""Times below are seconds of a day without a date (benchmark files)."""


def check_targets(**files: Path | None) -> None:
    """See that files asked for can be written, before time is spent on what goes into them.

    Raises
    ------
    click.ClickException
        Naming the folder that does not exist.
    """
    for option, file in files.items():
        if file is not None and not file.absolute().parent.is_dir():
            raise click.ClickException(f"--{option} {file}: there is no folder {file.absolute().parent}")


def write_exports(
    plan: plan_pb2.Plan, zone: ZoneInfo, *, geojson: Path | None, csv_file: Path | None, gpx: Path | None
) -> None:
    """Write the files asked for.

    Raises
    ------
    click.ClickException
        GeoJSON or GPX is asked for and the plan's places have no coordinates in degrees.
    """
    if (geojson or gpx) and not has_places(plan):
        raise click.ClickException("the file gives no coordinates in degrees: --geojson and --gpx cannot be written")
    if geojson:
        geojson.write_text(json.dumps(plan_geojson(plan), ensure_ascii=False), encoding="utf-8")
    if csv_file:
        with csv_file.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(plan_rows(plan, zone))
    if gpx:
        write_gpx(plan, gpx)


def has_places(plan: plan_pb2.Plan) -> bool:
    """Whether every stop has coordinates."""
    return all(stop.HasField("location") for row in plan.rounds for stop in row.stops)


def plan_rows(plan: plan_pb2.Plan, zone: ZoneInfo) -> list[list[object]]:
    """Stops of a plan as rows, header first; times in unix seconds and as people read them, the way is that to the stop.

    Places without coordinates and times without a date are empty.
    """
    rows: list[list[object]] = [list(CSV_HEADER)]
    for row in plan.rounds:
        for number, stop in enumerate(row.stops):
            place: list[object] = ["", ""]
            if stop.HasField("location"):
                place = [round(stop.location.lat_deg, 6), round(stop.location.lon_deg, 6)]
            times = [stop.arrival_unix_s, stop.start_unix_s, stop.departure_unix_s]
            local = [f"{dt.datetime.fromtimestamp(t, zone):%Y-%m-%d %H:%M:%S}" if t >= FIRST_DATE_S else "" for t in times]
            way = [stop.leg.duration_s, stop.wait_s, round(stop.leg.distance_m), stop.parking_s]
            ids = [_safe(stop.bay_id), _safe(stop.hub_id), " ".join(map(str, stop.loads))]
            rows.append(
                [_safe(row.vehicle_id), number, _kind(stop), _safe(stop.shipment_id), *place, *times, *local, *way, *ids]
            )
    return rows


def plan_geojson(plan: plan_pb2.Plan) -> dict[str, Any]:
    """Rounds as lines and stops as points."""
    features: list[dict[str, Any]] = []
    for row in plan.rounds:
        line = [[lon, lat] for lat, lon in way_of(row)]
        if len(line) > 1:
            geometry = {"type": "LineString", "coordinates": line}
            features.append({"type": "Feature", "geometry": geometry, "properties": {"vehicle": row.vehicle_id}})
        for stop in row.stops:
            point = {"type": "Point", "coordinates": [stop.location.lon_deg, stop.location.lat_deg]}
            features.append(
                {"type": "Feature", "geometry": point, "properties": MessageToDict(stop, preserving_proto_field_name=True)}
            )
    return {"type": "FeatureCollection", "features": features}


def way_of(row: plan_pb2.DeliveryRound) -> list[tuple[float, float]]:
    """(lat, lon) of a round's way: along the streets where they are known, else from stop to stop."""
    along = [point for stop in row.stops for point in decode(stop.leg.polyline.encoded)]
    return along or [(stop.location.lat_deg, stop.location.lon_deg) for stop in row.stops]


def write_gpx(plan: plan_pb2.Plan, folder: Path) -> list[Path]:
    """Write a GPX 1.1 file for each driver: stops in order with times, bays before them, as waypoints, the way as a track."""
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for row in plan.rounds:
        root = ElementTree.Element("gpx", {"version": "1.1", "creator": "Traboule", "xmlns": GPX})
        for number, stop in enumerate(row.stops):
            if stop.bay_id:
                bay = ElementTree.SubElement(root, "wpt", _degrees(stop.bay_location.lat_deg, stop.bay_location.lon_deg))
                ElementTree.SubElement(bay, "name").text = _printable(f"{number} {stop.bay_id}, {stop.walk_s} s on foot")
                ElementTree.SubElement(bay, "type").text = "bay"
            at = ElementTree.SubElement(root, "wpt", _degrees(stop.location.lat_deg, stop.location.lon_deg))
            arrival = dt.datetime.fromtimestamp(stop.arrival_unix_s, dt.UTC)
            to_hub = f" to {stop.hub_id}" if stop.hub_id else ""
            ElementTree.SubElement(at, "time").text = f"{arrival:%Y-%m-%dT%H:%M:%SZ}"
            ElementTree.SubElement(at, "name").text = _printable(f"{number} {stop.shipment_id or _kind(stop)}{to_hub}")
            ElementTree.SubElement(at, "type").text = _kind(stop)
        track = ElementTree.SubElement(root, "trk")
        ElementTree.SubElement(track, "name").text = _printable(row.vehicle_id)
        segment = ElementTree.SubElement(track, "trkseg")
        for lat, lon in way_of(row):
            ElementTree.SubElement(segment, "trkpt", _degrees(lat, lon))
        path = folder / f"{_file_name(row.vehicle_id, {one.stem for one in written})}.gpx"
        ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)
        written.append(path)
    return written


def _degrees(lat: float, lon: float) -> dict[str, str]:
    return {"lat": f"{lat:.6f}", "lon": f"{lon:.6f}"}


def _file_name(text: str, used: set[str]) -> str:
    """Name that is safe as a file's, and told apart from the others."""
    name = re.sub(r"[^\w.-]+", "_", text).strip("._")[:80] or "vehicle"
    taken = {one.casefold() for one in used}
    if name.casefold() not in taken:
        return name
    return next(f"{name}_{k}" for k in range(2, len(used) + 3) if f"{name}_{k}".casefold() not in taken)


def _printable(text: str) -> str:
    """Text without the control characters and half characters that XML cannot hold."""
    return "".join(c for c in text if c.isprintable() or c == " ")


def _kind(stop: plan_pb2.RoundStop) -> str:
    return plan_pb2.RoundStop.Kind.Name(stop.kind).removeprefix("KIND_").lower()


def _safe(text: str) -> str:
    """Text that a spreadsheet will not run as a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
