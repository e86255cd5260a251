"""``traboule city build|check|list|show|add|update``."""

import time
import webbrowser
from pathlib import Path

import click

from services.city.add import add_city, update_city
from services.city.build import build_snapshot
from services.city.config import read_city
from services.city.layout import CityHome
from services.city.low_emission_zones import declared_zones
from services.city.manifest import Manifest
from services.city.show import describe, write_page
from services.city.snapshot import open_snapshot
from services.cli.context import CommandContext, plain_errors
from services.cli.output import plain, print_json, print_table, say
from services.cli.progress import StepBars

CITIES = Path("cities")


@click.group()
def city() -> None:
    """Build, list, show and add cities."""


@city.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the manifest as JSON.")
@click.pass_obj
@plain_errors
def build(context: CommandContext, folder: Path, as_json: bool) -> None:
    """Compile the city in FOLDER (with its city.toml) into a snapshot.

    Nothing is done where a snapshot of the same inputs exists. A running city goes on with the old one meanwhile.
    """
    began = time.monotonic()
    if as_json:
        result = build_snapshot(read_city(folder), context.config.home)
        print_json(
            {"snapshot": result.manifest.id, "folder": str(result.folder), "new": result.is_new, "seconds": result.seconds}
        )
        return
    with StepBars() as bars:
        result = build_snapshot(read_city(folder), context.config.home, bars)
    verb = f"built in {time.monotonic() - began:.1f} s" if result.is_new else "is up to date"
    say(f"[bold]{read_city(folder).title}[/] {verb}: snapshot {result.manifest.id}")
    for warning in result.manifest.warnings:
        say(f"[yellow]note: {plain(warning)}[/]")


@city.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_obj
@plain_errors
def check(context: CommandContext, folder: Path, as_json: bool) -> None:
    """Check the city in FOLDER without building it: its city.toml, that its files are there, its zones."""
    del context
    declared = read_city(folder)
    inputs = Manifest.plan(declared).inputs
    found = declared_zones(declared)
    zones = [{"id": one.id, "name": one.name, "hours": one.hours} for one in found.zones]
    if as_json:
        print_json({"city": declared.name, "files": [i.file for i in inputs], "zones": zones, "warnings": list(found.warnings)})
        return
    rows = [(f"input {item.role}", f"{item.file}, {item.bytes / 1e6:.2f} MB, sha256 {item.sha256[:12]}…") for item in inputs]
    rows += [("zone", f"{one.name} ({one.id}), {one.hours}") for one in found.zones]
    rows += [("holiday", day) for day in declared.holidays.public]
    print_table(("", ""), [*rows, *(("warning", warning) for warning in found.warnings)])
    say(f"[bold]{plain(declared.title)}[/]: city.toml and its files can be read")


@city.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_obj
@plain_errors
def list_(context: CommandContext, as_json: bool) -> None:
    """List the cities declared under cities/ and the built ones."""
    rows = []
    declared = {path.parent.name: path.parent for path in sorted(CITIES.glob("*/city.toml"))}
    built = {path.parent.name for path in (context.config.home / "cities").glob("*/current")}
    for name in sorted(declared.keys() | built):
        pointer = CityHome.of(context.config.home, name).find_pointer()
        rows.append({"name": name, "folder": str(declared.get(name, "")), "snapshot": pointer.snapshot if pointer else ""})
    if as_json:
        print_json(rows)
        return
    print_table(("city", "folder", "snapshot"), [(r["name"], r["folder"], r["snapshot"] or "not built") for r in rows])


@city.command()
@click.argument("name")
@click.option("--map", "picture", type=click.Path(path_type=Path), help="Write a map picture (HTML) here.")
@click.option("--open", "open_it", is_flag=True, help="Open the picture in the browser.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
@click.pass_obj
@plain_errors
def show(context: CommandContext, name: str, picture: Path | None, open_it: bool, as_json: bool) -> None:
    """Show what is in the snapshot of the city NAME."""
    snapshot = open_snapshot(context.config.home, name)
    if as_json:
        print_json({"id": snapshot.id, "counts": snapshot.manifest.counts, "warnings": list(snapshot.manifest.warnings)})
    else:
        print_table(("", ""), describe(snapshot))
    if picture or open_it:
        target = picture or context.config.run_dir / f"{name}.html"
        target.parent.mkdir(parents=True, exist_ok=True)
        write_page(snapshot, target)
        say(f"map: {target}")
        if open_it:
            webbrowser.open(target.resolve().as_uri())


@city.command()
@click.argument("place")
@click.option("--gtfs", "gtfs", multiple=True, help="URL of a GTFS feed (several times).")
@click.option("--name", default="", help="Short name of the city (default: made from PLACE).")
@click.option("--timezone", default="", help="Needed only where no timetable says it, such as Europe/Paris.")
@click.pass_obj
@plain_errors
def add(context: CommandContext, place: str, gtfs: tuple[str, ...], name: str, timezone: str) -> None:
    """Fetch PLACE ("Lyon, France") from OpenStreetMap and GTFS feeds by URL, and declare it under cities/. Needs internet."""
    del context
    with StepBars() as bars:
        folder = add_city(place, CITIES, gtfs_urls=gtfs, name=name, timezone=timezone, progress=bars)
    say(f"[bold]{folder}[/] is declared; compile it with: traboule city build {folder}")


@city.command()
@click.argument("name")
@click.option("--streets", is_flag=True, help="Fetch the OpenStreetMap extract again too.")
@click.option("--elevation", is_flag=True, help="Fetch the tiles of the elevation model too.")
@click.pass_obj
@plain_errors
def update(context: CommandContext, name: str, streets: bool, elevation: bool) -> None:
    """Fetch the inputs of the city NAME again from their official sources. Needs internet."""
    del context
    with StepBars() as bars:
        done = update_city(CITIES / name, osm=streets, progress=bars, elevation=elevation)
    print_table(("file", "outcome"), [(row.file, row.outcome) for row in done])
