"""Tables and page of ``traboule rounds value``: what prediction is worth, instance by instance and in the median."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from routing.rounds.prediction_value import PREDICTED, DrivenDay, ViewResult
from services.demo.pictures import svg
from services.demo.pictures.page import Page, note, table

RULES = {
    "as_planned": "vehicles leave when their plan says",
    "best_departure": "vehicles leave at the best moment for their order",
}
SUMMARY_HEADER = (
    "planned with", "driving saved", "least", "most", "duration saved", "late stops", "most late min", "late returns",
    "vehicles", "unserved",
)  # fmt: skip
"""Savings are medians, then the least and the most of all instances."""
INSTANCE_HEADER = (
    "instance",
    "planned with",
    "driving min",
    "duration min",
    "waiting min",
    "late",
    "late min",
    "vehicles",
    "km",
)


@dataclass(frozen=True, slots=True)
class InstanceValue:
    """One instance: its name and the result of every view, the full prediction last."""

    name: str
    results: tuple[ViewResult, ...]


def day_of(result: ViewResult, rule: str) -> DrivenDay:
    """The driven day under a rule of `RULES`."""
    return result.best_departure if rule == "best_departure" else result.as_planned


def saving(value: InstanceValue, view: int, rule: str, figure: str = "driving_s") -> float:
    """Share by which the full prediction's plan is below that of view number `view`."""
    other = float(getattr(day_of(value.results[view], rule), figure))
    own = float(getattr(day_of(value.results[-1], rule), figure))
    return 1 - own / other if other else 0.0


def summary_rows(values: Sequence[InstanceValue], rule: str) -> list[tuple[object, ...]]:
    """One row for each view, over all instances; columns `SUMMARY_HEADER`."""
    rows: list[tuple[object, ...]] = []
    for k, result in enumerate(values[0].results):
        days = [day_of(value.results[k], rule) for value in values]
        shares = [saving(value, k, rule) for value in values]
        saved: tuple[object, ...] = ("–",) * 4
        if result.name != PREDICTED:
            durations = median(saving(value, k, rule, "duration_s") for value in values)
            saved = (_percent(median(shares)), _percent(min(shares)), _percent(max(shares)), _percent(durations))
        worst = max(day.worst_late_s for day in days) / 60
        sums = (sum(getattr(day, name) for day in days) for name in ("late_returns", "vehicles", "unserved"))
        rows.append((result.name, *saved, sum(day.late_stops for day in days), f"{worst:.1f}", *sums))
    return rows


def length_rows(values: Sequence[InstanceValue]) -> list[tuple[object, ...]]:
    """Median share of the distance saved against each view, where lengths are known."""
    known = [value for value in values if value.results[-1].as_planned.length_m]
    if not known:
        return []
    return [
        (result.name, _percent(median(saving(value, k, "as_planned", "length_m") for value in known)))
        for k, result in enumerate(values[0].results[:-1])
    ]


def instance_rows(values: Sequence[InstanceValue], rule: str) -> list[tuple[object, ...]]:
    """One row for each instance and view; columns `INSTANCE_HEADER`."""
    rows: list[tuple[object, ...]] = []
    for value in values:
        for result in value.results:
            day = day_of(result, rule)
            metres = "–" if day.length_m is None else f"{day.length_m / 1000:.1f}"
            minutes = (f"{seconds / 60:.1f}" for seconds in (day.driving_s, day.duration_s, day.waiting_s))
            rows.append((value.name, result.name, *minutes, day.late_stops, f"{day.late_s / 60:.1f}", day.vehicles, metres))
    return rows


def as_json(values: Sequence[InstanceValue], about: dict[str, object]) -> dict[str, Any]:
    """Every figure, for programs."""

    def plain_day(day: DrivenDay) -> dict[str, object]:
        return {name: getattr(day, name) for name in DrivenDay.__slots__}

    instances = [
        {
            "name": value.name,
            "views": {
                result.name: {"planned_cost": result.plan.cost, "iterations": result.plan.iterations}
                | {rule: plain_day(day_of(result, rule)) for rule in RULES}
                for result in value.results
            },
        }
        for value in values
    ]
    medians = {
        rule: {
            result.name: {
                "driving_saved": median(saving(value, k, rule) for value in values),
                "duration_saved": median(saving(value, k, rule, "duration_s") for value in values),
            }
            for k, result in enumerate(values[0].results[:-1])
        }
        for rule in RULES
    }
    return {"about": about, "median": medians, "instances": instances}


def write_value_page(values: Sequence[InstanceValue], about: dict[str, object], path: Path) -> None:
    """Write one HTML page: a picture of all savings, the medians, and every instance."""
    told = ", ".join(f"{key} {value}" for key, value in about.items())
    page = Page("What prediction is worth", f"Plans made with simpler travel times, driven through the predicted ones. {told}.")
    page.add("savings", "Driving time saved", savings_chart(values), note("A dot for each instance; the bar is the median."))
    for rule, words in RULES.items():
        page.add(rule, f"All instances: {words}", table(SUMMARY_HEADER, summary_rows(values, rule)))
    if rows := length_rows(values):
        page.add("length", "Distance", table(("planned with", "distance saved (median)"), rows))
    page.add("instances", f"Every instance: {RULES['as_planned']}", table(INSTANCE_HEADER, instance_rows(values, "as_planned")))
    path.write_text(page.html(), encoding="utf-8")


def savings_chart(values: Sequence[InstanceValue]) -> str:
    """Dots of every instance's saving in driving time against each view, and their medians (SVG)."""
    views = values[0].results[:-1]
    shares = [[saving(value, k, "as_planned") for value in values] for k in range(len(views))]
    low, high = min(0.0, *map(min, shares)) - 0.02, max(0.0, *map(max, shares)) + 0.02
    left, width, row_h, top = 150, 900, 42, 26
    bottom = top + row_h * len(views)

    def place(share: float) -> float:
        return left + (share - low) / (high - low) * (width - left - 20)

    parts = []
    for tick in range(-100, 101, 5):
        if low <= tick / 100 <= high:
            x = place(tick / 100)
            parts.append(svg.tag("path", d=f"M{svg.number(x)} {top}V{bottom}", class_="grid"))
            parts.append(svg.text(x, top - 8, f"{tick} %", class_="tick", text_anchor="middle"))
    for k, (view, own) in enumerate(zip(views, shares, strict=True)):
        y, colour = top + (k + 0.5) * row_h, svg.PALETTE[k % len(svg.PALETTE)]
        parts.append(svg.text(4, y + 4, f"{view.name}: {_percent(median(own))}", class_="axis"))
        for value, share in zip(values, own, strict=True):
            tip = svg.title(f"{value.name}: {_percent(share)}")
            parts.append(svg.tag("circle", tip, cx=svg.number(place(share)), cy=y, r=4, fill=colour, opacity="0.5"))
        parts.append(svg.tag("rect", x=svg.number(place(median(own)) - 2), y=y - 15, width=4, height=30, fill=colour, rx=1.5))
    return svg.tag("svg", "".join(parts), viewBox=f"0 0 {width} {bottom + 10}", class_="chart", role="img")


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
