"""``traboule rounds explain|price``: what would let orders be served, and what constraints cost."""

import datetime as dt
import time
from collections.abc import Callable
from pathlib import Path

import click
from traboule.rounds.v1 import rounds_service_pb2 as pb

from routing.rounds.formats.instance import Instance
from routing.rounds.prices import CONSTRAINTS, Price, price_constraints
from routing.rounds.remedies import find_remedies
from routing.rounds.remedy_words import Clock, minute_clock, remedy_in_words
from services.cli.context import CommandContext, plain_errors
from services.cli.output import console, distance, duration, plain, print_json, print_table, say
from services.cli.rounds import Stub
from services.cli.rounds_files import read_rounds_file
from services.cli.rounds_local import ABSOLUTE_S, solve_instance

PRICE_HEADER = ("without", "of", "cost saved", "duration", "distance", "vehicles", "orders more")


@click.command()
@click.argument("target", metavar="ROUNDS|FILE")
@click.option("--order", "orders", multiple=True, help="Only this order (may be repeated).")
@click.option("--most", type=click.IntRange(1, 20), default=5, show_default=True, help="Most remedies for an order.")
@click.option("--seconds", type=click.FloatRange(0.1, 600), default=10.0, show_default=True, help="How long to look.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer of the service as JSON.")
@click.pass_obj
@plain_errors
def explain(
    context: CommandContext, /, target: str, *, orders: tuple[str, ...], most: int, seconds: float, as_json: bool
) -> None:
    """Explain why orders are not served, and what would let each be served.

    ROUNDS are submitted rounds; FILE is one with travel times of its own, which is planned first, for as long as --seconds.

    \b
      traboule rounds explain ROUNDS --order o17
    """
    if Path(target).is_file():
        if as_json:
            raise click.ClickException("--json prints the answer of the service: submit the rounds first")
        _explain_here(_instance(target), orders, most, seconds)
        return
    request = pb.ExplainUnservedRequest(rounds_id=target, shipment_ids=orders, max_remedies=most, time_limit_s=seconds)
    answer = context.client.call("rounds", Stub, "ExplainUnserved", request)
    if as_json:
        print_json(answer)
        return
    for row in answer.explanations:
        say(f"[bold]{plain(row.shipment_id)}[/] {plain(row.summary)}")
        for remedy in row.remedy_details:
            say(f"  would help: {plain(remedy.words)} ({remedy.cost_delta:+,.0f} in cost)")
        for one in row.obstacles:
            say(f"  [dim]{plain(one.vehicle_id)}: {plain(one.explanation)}[/]")
        if not row.complete:
            say("  [dim]not looked at to the end: give more time with --seconds[/]")
    if not answer.explanations:
        say("Everything is served.")


def _explain_here(instance: Instance, orders: tuple[str, ...], most: int, seconds: float) -> None:
    """Plan an instance and say what would let the orders be served that are not."""
    times = instance.travel_times
    assert times is not None
    plan = solve_instance(instance, seconds, 0)
    problem, routes, clock = instance.problem, plan.routes_by_vehicle(len(instance.problem.vehicles)), file_clock(instance)
    for unknown in set(orders) - {one.id for one in problem.shipments}:
        raise click.ClickException(f"--order: the file has no order {unknown!r}")
    began = time.monotonic()
    for left in plan.unserved:
        if orders and problem.shipments[left.shipment_idx].id not in orders:
            continue
        say(f"[bold]{plain(problem.shipments[left.shipment_idx].id)}[/] {plain(left.message)}")
        advice = find_remedies(
            problem, times, routes, left.shipment_idx, most=most, should_stop=lambda: time.monotonic() - began > seconds
        )
        for remedy in advice.remedies:
            say(f"  would help: {plain(remedy_in_words(problem, remedy, clock))} ({remedy.cost_delta:+,.0f} in cost)")
    if not plan.unserved:
        say("Everything is served.")


def file_clock(instance: Instance) -> Clock:
    """Moments of a file as it writes them: unix seconds as times of day in UTC, others as times of its day."""
    if min((vehicle.shift.start_s for vehicle in instance.problem.vehicles), default=0.0) < ABSOLUTE_S:
        return minute_clock()
    return lambda time_s: f"{dt.datetime.fromtimestamp(time_s, dt.UTC):%H:%M}"


@click.command()
@click.argument("target", metavar="ROUNDS|FILE")
@click.option("--only", "kinds", multiple=True, type=click.Choice(list(CONSTRAINTS)), help="Only this kind (may be repeated).")
@click.option("--seconds", type=click.FloatRange(1, 3600), default=20.0, show_default=True, help="For all plans together.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the search.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer of the service as JSON.")
@click.pass_obj
@plain_errors
def price(context: CommandContext, /, target: str, *, kinds: tuple[str, ...], seconds: float, seed: int, as_json: bool) -> None:
    """Show what each kind of constraints costs: plans without it, beside plans with all of them.

    ROUNDS are submitted rounds; FILE is one with travel times of its own, which is planned first.

    \b
      traboule rounds price ROUNDS --seconds 30
      traboule rounds price C101.txt --only windows --only capacities
    """
    if Path(target).is_file():
        if as_json:
            raise click.ClickException("--json prints the answer of the service: submit the rounds first")
        _price_here(_instance(target), kinds, seconds, seed)
        return
    request = pb.PriceConstraintsRequest(rounds_id=target, constraints=kinds, time_limit_s=seconds, seed=seed)
    last = pb.PriceConstraintsResponse()
    with console.status("sending …") as status:

        def each(message: pb.PriceConstraintsResponse) -> bool:
            nonlocal last
            last = message
            status.update(f"planning {message.progress}")
            return not message.final

        context.client.stream("rounds", Stub, "PriceConstraints", request, each)
    if as_json:
        print_json(last)
        return
    rows = [
        Price(x.constraint, x.count, x.cost, x.duration_s, x.distance_m, x.saved_vehicles, x.served_count) for x in last.prices
    ]
    _show_prices(rows, -last.cost_delta)


def _price_here(instance: Instance, kinds: tuple[str, ...], seconds: float, seed: int) -> None:
    times = instance.travel_times
    assert times is not None
    plan = solve_instance(instance, seconds / 4, seed)
    rows: tuple[Price, ...] = ()
    improvement = 0.0
    with console.status("planning") as status:
        steps = price_constraints(
            instance.problem, times, plan.routes_by_vehicle(len(instance.problem.vehicles)), kinds, time_limit_s=0.75 * seconds,
            elapsed_s=time.monotonic, seed=seed,
        )  # fmt: skip
        for step in steps:
            status.update(f"planning {step.doing}")
            rows, improvement = step.prices, step.improvement
    _show_prices(rows, improvement)


def _show_prices(prices: list[Price] | tuple[Price, ...], improvement: float) -> None:
    rows = [
        (x.constraint, x.count, f"{x.cost:,.1f}", _signed(x.duration_s, duration), _signed(x.length_m, distance),
         f"{x.vehicles:+d}" if x.vehicles else "", f"{x.served:+d}" if x.served else "")
        for x in prices
    ]  # fmt: skip
    print_table(PRICE_HEADER, rows, right=range(1, 7))
    say(f"Savings are what was found in the time given; the present plan improved by {improvement:,.1f} meanwhile.")


def _signed(value: float, write: Callable[[float], str]) -> str:
    return f"-{write(-value)}" if value < 0 else write(value)


def _instance(target: str) -> Instance:
    """Instance of a file with travel times of its own.

    Raises
    ------
    click.ClickException
        It has none.
    """
    found = read_rounds_file(Path(target))
    if found.instance is None or found.instance.travel_times is None:
        raise click.ClickException(
            f"{target} has no travel times of its own: submit it first (traboule rounds submit {target})"
        )
    return found.instance
