"""A plan of delivery rounds as pictures: a map and a Gantt chart."""

from pathlib import Path
from zoneinfo import ZoneInfo

from traboule.rounds.v1 import plan_pb2

from services.city.snapshot import CitySnapshot
from services.common.polyline import decode
from services.demo.pictures import svg
from services.demo.pictures.charts import Bar, gantt
from services.demo.pictures.page import Page, facts, table
from services.demo.pictures.street_map import StreetMap

COLOURS = {"driving": "#0b6e99", "service": "#2b8a3e", "waiting": "#adb5bd", "break": "#e67700"}
HANDOVER = {"handover": "#862e9c"}
Stop = plan_pb2.RoundStop


def round_colour(number: int) -> str:
    """Colour of a plan's round."""
    return svg.PALETTE[number % len(svg.PALETTE)]


def plan_map(plan: plan_pb2.Plan, snapshot: CitySnapshot | None) -> str:
    """Rounds on the streets (or, without them, from stop to stop); stops numbered in the tool tips, depots as larger dots."""
    picture = StreetMap(None if snapshot is None else snapshot.street)
    for k, row in enumerate(plan.rounds):
        colour = round_colour(k)
        if snapshot is None:
            way = [(stop.location.lat_deg, stop.location.lon_deg) for stop in row.stops]
            picture.add_line(way, colour, width=2.6, tip=row.vehicle_id)
        for number, stop in enumerate(row.stops):
            points = decode(stop.leg.polyline.encoded)
            if len(points) > 1:
                picture.add_line(points, colour, width=2.6, tip=row.vehicle_id)
            at = (stop.location.lat_deg, stop.location.lon_deg)
            depot = stop.kind in (Stop.KIND_START, Stop.KIND_END, Stop.KIND_RELOAD)
            tip = row.vehicle_id if depot else f"{row.vehicle_id}, stop {number}: {_what(stop)}"
            picture.add_marker(at, "#17202a" if depot else colour, radius=7 if depot else 4, tip=tip)
    return picture.draw()


def plan_gantt(plan: plan_pb2.Plan, timezone: ZoneInfo) -> str:
    """One row per vehicle: driving, service, waiting, breaks, handovers at hubs; a dot in its colour on the map."""
    rows, marks = [], []
    for k, row in enumerate(plan.rounds):
        bars: list[Bar] = []
        driven = 0  # on the way to the next stop, before a rest on the road
        for stop in row.stops:
            drives = max(stop.leg.duration_s, stop.after_driving_s) - driven
            if drives > 0:
                bars.append(Bar(stop.arrival_unix_s - drives, stop.arrival_unix_s, "driving"))
            driven = stop.after_driving_s
            if stop.start_unix_s > stop.arrival_unix_s:
                bars.append(Bar(stop.arrival_unix_s, stop.start_unix_s, "waiting", stop.shipment_id))
            kind = {Stop.KIND_BREAK: "break", Stop.KIND_TRANSFER: "handover"}.get(stop.kind, "service")
            done_s = stop.departure_unix_s - stop.held_s
            if done_s > stop.start_unix_s and stop.kind not in (Stop.KIND_START, Stop.KIND_END):
                bars.append(Bar(stop.start_unix_s, done_s, kind, _what(stop)))
            if stop.held_s > 0:
                bars.append(Bar(done_s, stop.departure_unix_s, "waiting", "until the roads are quicker"))
        if bars:
            rows.append((row.vehicle_id, bars))
            marks.append(round_colour(k))
    handed = any(bar.kind == "handover" for _, bars in rows for bar in bars)
    return gantt(rows, timezone, COLOURS | HANDOVER if handed else COLOURS, marks=marks)


def _what(stop: Stop) -> str:
    """What is done at a stop, in a tool tip."""
    if stop.kind == Stop.KIND_RELOAD:
        return "reload"
    return f"{stop.shipment_id} to {stop.hub_id}" if stop.hub_id else stop.shipment_id


def plan_facts(plan: plan_pb2.Plan) -> str:
    """The figures a dispatcher asks for first."""
    used = sum(len(row.stops) > 2 for row in plan.rounds)
    return facts(
        [
            (str(plan.served_count), f"orders served, {len(plan.unserved)} not"),
            (str(used), "vehicles on the road"),
            (f"{plan.drive_s / 3600:.1f} h", "driving, under predicted traffic"),
            (f"{plan.distance_m / 1000:.0f} km", "driven"),
            (f"{plan.co2_g / 1000:.1f} kg", "CO2"),
        ]
    )


def plan_table(plan: plan_pb2.Plan) -> str:
    """One line per round."""
    rows = [
        (row.vehicle_id, len(row.stops) - 2, row.drive_s / 60, row.service_s / 60, row.wait_s / 60, row.distance_m / 1000)
        for row in plan.rounds
    ]
    return table(("vehicle", "stops", "driving min", "service min", "waiting min", "km"), rows)


def write_plan_page(plan: plan_pb2.Plan, snapshot: CitySnapshot, path: Path) -> None:
    """Write a page of its own for one plan."""
    page = Page(f"Delivery rounds in {snapshot.city.title}", "Planned with predicted travel times.")
    zone = ZoneInfo(snapshot.timezone)
    page.add("rounds", "Rounds", plan_facts(plan), plan_map(plan, snapshot), plan_gantt(plan, zone), plan_table(plan))
    if plan.unserved:
        rows = [(row.shipment_id, row.explanation) for row in plan.unserved]
        page.add("unserved", "Not served", table(("order", "why"), rows))
    path.write_text(page.html(), encoding="utf-8")
