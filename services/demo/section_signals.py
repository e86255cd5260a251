"""A corridor of signals under fixed and adaptive control, in closed loop on the queue model."""

import asyncio
from typing import TYPE_CHECKING

from services.demo.pictures.charts import Series, line_chart
from services.demo.pictures.page import facts, paragraph, table
from services.signals.corridor import Corridor, pick_corridor
from services.signals.loader import SiteLoader
from services.signals.simulation import ComparisonStep, simulate_corridor

if TYPE_CHECKING:
    from services.demo.tour import Tour

MINUTES = 60
DEMAND = 0.55
"""Share of the assumed peak demand: at the full peak both controls are saturated, and no timing helps."""


async def run(tour: "Tour") -> None:
    """Simulate the same hour twice on the same arrivals: fixed Webster plans, then max pressure behind the guard."""
    snapshot = tour.city.snapshot
    loader = SiteLoader(snapshot.street, snapshot.signal_sites)
    corridor = await asyncio.to_thread(pick_corridor, loader, "", 8, DEMAND)
    start_s = int(tour.city.clock.now())
    steps = await asyncio.to_thread(lambda: list(simulate_corridor(corridor, seconds=60 * MINUTES, start_s=start_s)))
    by_control = {name: [s for s in steps if s.control == name] for name in ("fixed", "adaptive")}
    fixed, adaptive = by_control["fixed"][-1].report.totals, by_control["adaptive"][-1].report.totals
    saved = 1 - adaptive.mean_delay_s / fixed.mean_delay_s if fixed.mean_delay_s else 0.0
    tour.say(
        f"  {corridor.street}, {len(corridor.site_ids)} junctions, {MINUTES} min: mean delay "
        f"{fixed.mean_delay_s:.1f} s fixed, {adaptive.mean_delay_s:.1f} s adaptive ([bold]{saved:+.0%}[/] saved)"
    )
    tour.expect(adaptive.mean_delay_s <= fixed.mean_delay_s, "adaptive control is slower than the fixed plan")
    tour.page.add(
        "signals",
        "Traffic signals along a street",
        paragraph(
            f"{corridor.street}: {len(corridor.site_ids)} junctions built from the map, one hour of assumed demand on the "
            "built-in queue model, which obeys the commands (closed loop). Both controls see the same arrivals; every command "
            "passes the guard."
        ),
        facts([
            (f"{fixed.mean_delay_s:.1f} s", "mean delay, fixed plans (Webster)"),
            (f"{adaptive.mean_delay_s:.1f} s", "mean delay, adaptive (max pressure)"), (f"{saved:.0%}", "saved"),
        ]),
        queue_chart(by_control), junction_table(corridor, by_control),
    )  # fmt: skip


def queue_chart(by_control: dict[str, list[ComparisonStep]]) -> str:
    """Vehicles queueing over the hour."""
    series = []
    for name, steps in by_control.items():
        first = steps[0].report.time_s
        minutes = [(s.report.time_s - first) / 60 for s in steps]
        series.append(Series(name, minutes, [float(sum(s.report.site_queue_veh)) for s in steps]))
    return line_chart(series, x_label="minutes", y_label="vehicles queueing")


def junction_table(corridor: Corridor, by_control: dict[str, list[ComparisonStep]]) -> str:
    """Total delay at each junction under both controls, vehicle-minutes."""
    last = {name: steps[-1].report.site_delay_s for name, steps in by_control.items()}
    rows = [(site, last["fixed"][k] / 60, last["adaptive"][k] / 60) for k, site in enumerate(corridor.site_ids)]
    return table(("junction", "fixed, vehicle-min", "adaptive, vehicle-min"), rows)
