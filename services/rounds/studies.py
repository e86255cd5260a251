"""What solver processes do besides solving: questions about a plan that take seconds."""

from collections.abc import Callable, Iterator

from routing.rounds.api import Problem, TravelTimes
from routing.rounds.arrays import build_arrays
from routing.rounds.prices import Cut, price_constraints
from routing.rounds.remedies import Advice, find_remedies
from routing.rounds.replan import residual
from routing.rounds.search import Search
from services.rounds.codec import Advised, AdviseOrder, Answer, Begun, Priced, Study, build_problem, unpack_times


def study(order: Study, elapsed_s: Callable[[], float]) -> Iterator[Answer]:
    """Answers to an order, the last with `final`."""
    problem, travel_times = build_problem(order.problem), unpack_times(order.times)
    if isinstance(order, AdviseOrder):
        yield _advise(order, problem, travel_times, elapsed_s)
    else:
        steps = price_constraints(
            problem, travel_times, order.routes, order.constraints, time_limit_s=order.time_limit_s, elapsed_s=elapsed_s,
            cut=_cut(order.begun, travel_times), seed=order.seed,
        )  # fmt: skip
        for prices in steps:
            yield Priced(prices, final=not prices.doing)


def _cut(begun: Begun | None, travel_times: TravelTimes) -> Cut | None:
    """What is left of a problem, the rounds of a plan that is being driven."""
    if begun is None:
        return None

    def cut(problem: Problem) -> tuple[Problem, list[list[int]]]:
        rest = residual(
            problem, begun.plan, begun.cut_s, held_until_s=begun.held_until_s, without_vehicles=frozenset(begun.broken),
            without_shipments=frozenset(begun.refused), length_m=travel_times.length_m,
        )  # fmt: skip
        return rest.problem, rest.routes

    return cut


def _advise(order: AdviseOrder, problem: Problem, travel_times: TravelTimes, elapsed_s: Callable[[], float]) -> Advised:
    began = elapsed_s()

    def is_over() -> bool:
        return elapsed_s() - began >= order.time_limit_s

    search = Search(build_arrays(problem, travel_times), travel_times.arrays)
    search.load(order.routes)  # under traffic that has changed since, perhaps not all of them hold
    routes = search.routes()
    advices: list[Advice] = []
    for shipment_idx, hosts in zip(order.shipments, order.hosts, strict=True):
        if is_over():
            break
        found = find_remedies(
            problem, travel_times, routes, shipment_idx, most=order.most, hosts=hosts, models=order.models,
            earliest_s=order.earliest_s, should_stop=is_over,
        )  # fmt: skip
        advices.append(found)
    return Advised(tuple(advices), len(advices) - (1 if advices and is_over() else 0))
