"""How much of what a search may take is used: iterations are counted by the search, time by a clock that is handed in."""

from collections.abc import Callable

from routing.errors import InvalidInput


def time_share(
    iterations: int | None,
    time_limit_s: float | None,
    elapsed_s: Callable[[], float] | None,
    should_stop: Callable[[], bool] | None,
) -> Callable[[], float]:
    """Share of the time limit used since this call, 0 where iterations are the limit; 1 as soon as it should stop.

    Parameters
    ----------
    iterations, time_limit_s, elapsed_s, should_stop
        As for `routing.rounds.api.solve`.

    Raises
    ------
    InvalidInput
        Neither or both limits are given, or a time limit without a clock.
    """
    if (iterations is None) == (time_limit_s is None) or (time_limit_s is not None and elapsed_s is None):
        raise InvalidInput("give either iterations, or time_limit_s together with elapsed_s", "iterations")
    began = elapsed_s() if elapsed_s else 0.0

    def share() -> float:
        if should_stop is not None and should_stop():
            return 1.0
        return 0.0 if time_limit_s is None or elapsed_s is None else (elapsed_s() - began) / max(time_limit_s, 1e-9)

    return share


def part(share: Callable[[], float], size: float) -> Callable[[], float]:
    """Share used of a part of the budget that begins now and is so large; 1 as soon as the whole is used up."""
    began = share()
    return lambda: 1.0 if (now := share()) >= 1.0 else (now - began) / size
