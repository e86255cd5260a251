"""Line charts and Gantt charts."""

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from services.demo.pictures import svg

_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 14, 34


@dataclass(frozen=True, slots=True)
class Series:
    """One line: equally long x and y."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a Gantt chart; unix seconds."""

    start_s: int
    end_s: int
    kind: str
    tip: str = ""


def line_chart(series: Sequence[Series], *, x_label: str, y_label: str, width: int = 900, height: int = 260) -> str:
    """Lines over a common axis; y starts at zero."""
    xs, ys = [v for s in series for v in s.x], [v for s in series for v in s.y]
    if not xs:
        return '<p class="empty">Nothing was measured.</p>'
    x_ticks, y_ticks = _ticks(min(xs), max(xs), 8), _ticks(0.0, max(max(ys), 1e-9), 5)
    x_low, x_high, y_high = min(xs), max(max(xs), min(xs) + 1e-9), max(y_ticks[-1], max(ys))
    inner_w, inner_h = width - _LEFT - _RIGHT, height - _TOP - _BOTTOM

    def place(x: float, y: float) -> tuple[float, float]:
        return _LEFT + (x - x_low) / (x_high - x_low) * inner_w, _TOP + (1 - y / y_high) * inner_h

    parts = []
    for tick in y_ticks:
        _, y = place(x_low, tick)
        parts.append(svg.tag("path", d=f"M{_LEFT} {svg.number(y)}h{inner_w}", class_="grid"))
        parts.append(svg.text(_LEFT - 6, y + 4, f"{tick:g}", class_="tick", text_anchor="end"))
    for tick in x_ticks:
        x, _ = place(tick, 0)
        parts.append(svg.text(x, height - 16, f"{tick:g}", class_="tick", text_anchor="middle"))
    parts.append(svg.text(_LEFT + inner_w / 2, height - 3, x_label, class_="axis", text_anchor="middle"))
    parts.append(svg.text(4, _TOP - 3, y_label, class_="axis"))
    for k, line in enumerate(series):
        color = svg.PALETTE[k % len(svg.PALETTE)]
        data = svg.path_data([place(x, y) for x, y in zip(line.x, line.y, strict=True)])
        dash = None if k == 0 else "7 3"
        parts.append(
            svg.tag("path", svg.title(line.name), d=data, fill="none", stroke=color, stroke_width=2.2, stroke_dasharray=dash)
        )
        parts.append(
            svg.text(width - _RIGHT - 4, _TOP + 14 + 17 * k, line.name, fill=color, class_="legend", text_anchor="end")
        )
    return svg.tag("svg", "".join(parts), viewBox=f"0 0 {width} {height}", class_="chart", role="img")


def gantt(
    rows: Sequence[tuple[str, Sequence[Bar]]], timezone: ZoneInfo, colors: dict[str, str], *, width: int = 900,
    marks: Sequence[str] = (),
) -> str:  # fmt: skip
    """One row of bars per name, over the hours of the day; `colors` by kind of bar, `marks` those of the names elsewhere."""
    bars = [bar for _, row in rows for bar in row]
    if not bars:
        return '<p class="empty">Nothing was planned.</p>'
    low, high = min(b.start_s for b in bars) // 3600 * 3600, -(-max(b.end_s for b in bars) // 3600) * 3600
    left, row_h, top = 90, 30, 22
    scale = (width - left - _RIGHT) / (high - low)
    height = top + row_h * len(rows) + 24
    parts = []
    step = 3600 * max(1, round((high - low) / 3600 / 12))
    for hour in range(low, high + 1, step):
        x, at = left + (hour - low) * scale, dt.datetime.fromtimestamp(hour, timezone)
        parts.append(svg.tag("path", d=f"M{svg.number(x)} {top}v{row_h * len(rows)}", class_="grid"))
        parts.append(svg.text(min(x, width - 16), top - 7, f"{at:%H:%M}", class_="tick", text_anchor="middle"))
    for k, (name, row) in enumerate(rows):
        y = top + k * row_h
        if marks:
            parts.append(svg.tag("circle", cx=8, cy=y + row_h / 2, r=4, fill=marks[k]))
        parts.append(svg.text(16 if marks else 4, y + row_h / 2 + 4, name, class_="axis"))
        for bar in row:
            parts.append(
                svg.tag(
                    "rect",
                    svg.title(bar.tip) if bar.tip else "",
                    x=svg.number(left + (bar.start_s - low) * scale),
                    y=y + 5,
                    width=svg.number(max(0.8, (bar.end_s - bar.start_s) * scale)),
                    height=row_h - 10,
                    fill=colors[bar.kind],
                    rx=1.5,
                )
            )
    x = left
    for kind, color in colors.items():
        parts.append(svg.tag("rect", x=x, y=height - 16, width=12, height=12, fill=color, rx=2))
        parts.append(svg.text(x + 17, height - 6, kind, class_="tick"))
        x += 34 + 8 * len(kind)
    return svg.tag("svg", "".join(parts), viewBox=f"0 0 {width} {height}", class_="chart", role="img")


def _ticks(low: float, high: float, count: int) -> list[float]:
    """Round numbers from at or below `low` to at or above `high`, about `count` of them."""
    raw = max((high - low) / count, 1e-9)
    magnitude = 10 ** math.floor(math.log10(raw))
    step = next(m * magnitude for m in (1, 2, 5, 10) if m * magnitude >= raw)
    first = math.floor(low / step) * step
    return [round(first + k * step, 9) for k in range(math.ceil((high - first) / step - 1e-9) + 1)]
