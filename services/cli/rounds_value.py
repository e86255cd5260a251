"""``traboule rounds value``: what predicted travel times are worth for the rounds of given files."""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from traboule.rounds.v1 import problem_pb2

from routing.rounds.api import Plan, Problem, TravelTimes, solve
from routing.rounds.prediction_value import compare_views
from services.city.snapshot import open_snapshot
from services.cli.context import CommandContext, plain_errors, running_clock
from services.cli.output import console, plain, print_json, print_table, say
from services.cli.rounds import fleet_options, read_request
from services.cli.rounds_export import check_targets
from services.cli.rounds_files import read_rounds_file
from services.cli.value_summary import (
    INSTANCE_HEADER,
    RULES,
    SUMMARY_HEADER,
    InstanceValue,
    as_json,
    instance_rows,
    length_rows,
    summary_rows,
    write_value_page,
)  # fmt: skip
from services.rounds.city import RoundsCity
from services.rounds.mapping import problem_from_proto


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--seconds",
    type=click.FloatRange(0.1, 3600),
    default=5.0,
    show_default=True,
    help="Processor time for each of the six plans.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the search.")
@click.option("--driving", is_flag=True, help="Plan for little driving instead of the problem's own cost.")
@click.option(
    "--waiting",
    type=click.FloatRange(0.0, 1.0),
    default=0.1,
    show_default=True,
    help="With --driving: what a second of waiting or serving costs, in seconds at the wheel.",
)
@click.option("--picture", type=click.Path(path_type=Path), help="Write chart and tables (HTML) here.")
@fleet_options
@click.option("--json", "json_wanted", is_flag=True, help="Print every figure as JSON.")
@click.pass_obj
@plain_errors
def value(context: CommandContext, /, files: tuple[Path, ...], seconds: float, seed: int, **out: Any) -> None:
    """Show what predicted travel times are worth for the rounds of FILES.

    Each file is planned with free flow, with snapshots of the traffic at opening, 2 and 6 hours later, with the day's mean
    and with the full prediction: the same solver, the same time. All plans are then driven through the predicted times.

    \b
      traboule rounds value cities/porto/examples/deliveries.json --picture value.html
    """
    check_targets(picture=out["picture"])
    values = []
    for file in files:
        problem, true = _problem(context, file, out)
        with console.status(f"{plain(file)}: travel times") as status:

            def plan_with(one: Problem, times: TravelTimes) -> Plan:
                return solve(one, times, time_limit_s=seconds, elapsed_s=time.process_time, seed=seed)

            solve(problem, true, iterations=5)  # kernels are compiled or loaded before any clock
            results = compare_views(
                problem,
                true,
                plan_with,
                waiting=out["waiting"] if out["driving"] else None,
                on_view=lambda name: status.update(f"planning with {name}"),
            )
        values.append(InstanceValue(file.name, tuple(results)))
    about: dict[str, object] = {"files": len(values), "processor seconds for each plan": seconds, "seed": seed}
    if out["json_wanted"]:
        print_json(as_json(values, about))
    else:
        _show(values)
    if out["picture"]:
        write_value_page(values, about, out["picture"])
        click.echo(f"chart and tables: {out['picture']}", err=True)


def _show(values: list[InstanceValue]) -> None:
    print_table(INSTANCE_HEADER, instance_rows(values, "as_planned"), title=RULES["as_planned"], right=range(2, 9))
    for rule, words in RULES.items():
        print_table(SUMMARY_HEADER, summary_rows(values, rule), title=f"All files: {words}", right=range(1, 10))
    for name, share in length_rows(values):
        say(f"distance saved against {plain(name)} (median): {share}")


def _problem(context: CommandContext, path: Path, options: Mapping[str, Any]) -> tuple[Problem, TravelTimes]:
    """Problem and true times of a file; without times of its own, those predicted for the streets of the built city."""
    found = read_rounds_file(path)
    if found.instance is not None and found.instance.travel_times is not None:
        return found.instance.problem, found.instance.travel_times
    message = read_request(context, found, path, options)
    message.travel_times = problem_pb2.TRAVEL_TIMES_PREDICTED
    city = RoundsCity(open_snapshot(context.config.home, context.config.city), running_clock(context.config))
    mapped = replace(problem_from_proto(message, city.resolve), needs_lengths=True)
    times = city.build_times(mapped).travel_times
    if not any(vehicle.breaks for vehicle in mapped.problem.vehicles):
        return mapped.problem, times
    click.echo(f"note: {path}: breaks are left out of the comparison", err=True)
    given = mapped.problem
    rested = tuple(replace(vehicle, breaks=()) for vehicle in given.vehicles)
    return replace(given, vehicles=rested), times
