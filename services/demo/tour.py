"""The guided tour: real calls to the running city, told on the terminal and written down as a report."""

import datetime as dt
import time
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from services.demo import (
    section_closure,
    section_edge,
    section_feeds,
    section_journey,
    section_parking,
    section_rounds,
    section_signals,
)
from services.demo.pictures.page import Page, facts, note, paragraph, table
from services.demo.running import RunningCity

Say = Callable[[str], None]
Section = Callable[["Tour"], Awaitable[None]]

SECTIONS: tuple[tuple[str, Section], ...] = (
    ("A journey, before and after a delay", section_journey.run),
    ("A street is closed", section_closure.run),
    ("Park-and-ride with predicted spaces", section_parking.run),
    ("A day of deliveries", section_rounds.run),
    ("Traffic signals along a street", section_signals.run),
    ("Every feed's health", section_feeds.run),
    ("The same over REST", section_edge.run),
)


@dataclass(slots=True)
class Tour:
    """State of one tour; `failures` are sentences."""

    city: RunningCity
    say: Say
    page: Page
    failures: list[str] = field(default_factory=list)

    @property
    def timezone(self) -> ZoneInfo:
        """Of the city."""
        return ZoneInfo(self.city.snapshot.timezone)

    def clock(self, unix_s: float) -> str:
        """Local time of day."""
        return f"{dt.datetime.fromtimestamp(unix_s, self.timezone):%H:%M}"

    def expect(self, holds: bool, sentence: str) -> None:
        """Note a failed expectation; the tour goes on and ends with a status that says so."""
        if not holds:
            self.failures.append(sentence)
            self.say(f"  [red]✗ {sentence}[/]")

    def remark(self, holds: bool, sentence: str) -> None:
        """Say what was slower than it should be; a busy machine is no failure."""
        if not holds:
            self.say(f"  [yellow]! {sentence}[/]")


async def take_tour(city: RunningCity, say: Say) -> Tour:
    """Run all sections; one that fails does not keep the others from running."""
    title = city.snapshot.city.title
    lead = f"A guided tour of {title} with Traboule. Everything below was answered by the running services."
    tour = Tour(city, say, Page(f"{title}, running", lead))
    _about(tour)
    for number, (title, section) in enumerate(SECTIONS, 1):
        say(f"\n[bold]{number}. {title}[/]")
        began = time.monotonic()
        try:
            await section(tour)
        except Exception as error:
            tour.failures.append(f"{title}: {error}")
            say(f"  [red]✗ {type(error).__name__}: {error}[/]")
            tour.page.add(f"failed{number}", title, note(f"This part failed: {error}"))
            (city.config.run_dir / "tour-errors.log").open("a").write(traceback.format_exc())
        say(f"  [dim]{time.monotonic() - began:.1f} s[/]")
    return tour


def _about(tour: Tour) -> None:
    snapshot, counts = tour.city.snapshot, tour.city.snapshot.manifest.counts
    now = dt.datetime.fromtimestamp(tour.city.clock.now(), tour.timezone)
    recorded = not tour.city.clock.is_real
    words = f"City time {now:%A %d %B %Y, %H:%M}."
    if recorded:
        words += " Live data come from a recorded day that is simulated, not observed; the timetable and the streets are real."
    shown = [
        (f"{counts.get('street_arcs', 0):,}", "street arcs"),
        (f"{counts.get('stops', 0):,}", "stops"),
        (f"{counts.get('stop_times', 0):,}", "stop times"),
        (f"{counts.get('signals', 0):,}", "traffic signals"),
        (f"{counts.get('car_parks', 0):,}", "car parks"),
    ]
    rows = [(g.id, g.licence, f"calendar moved by {g.shift_days} days: {g.shift_reason}" if g.shift_days else "")
            for g in snapshot.city.gtfs]  # fmt: skip
    tour.page.add("city", "The city", paragraph(words), facts(shown), table(("timetable", "licence", "remark"), rows))
