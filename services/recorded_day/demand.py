"""The demand profile of a simulated weekday, and random numbers that depend on nothing but a seed and a name.

Only additions, multiplications and `random.Random.random` are used, so that every machine makes the same day.
"""

import random
from bisect import bisect_right

SEED = 20260728

_WORKDAY = (
    (0, 0.03), (5, 0.05), (6, 0.12), (7, 0.42), (7.75, 0.82), (8.5, 1.0), (9.25, 0.80), (10, 0.52), (11.5, 0.45), (13, 0.55),
    (15, 0.50), (17, 0.85), (18.25, 1.0), (19.5, 0.70), (21, 0.30), (24, 0.08),
)  # fmt: skip
_HOURS = [hour for hour, _ in _WORKDAY]


def congestion(local_s: float) -> float:
    """Traffic of a weekday, 0 (night) to 1 (worst of the peak), at a time of day in seconds."""
    hour = local_s / 3600 % 24
    at = bisect_right(_HOURS, hour) - 1
    (begin, low), (end, high) = _WORKDAY[at], _WORKDAY[min(at + 1, len(_WORKDAY) - 1)]
    return low if end == begin else low + (high - low) * (hour - begin) / (end - begin)


def stream(*names: object) -> random.Random:
    """Random numbers that belong to a name (a trip, a site) and to the seed."""
    return random.Random(":".join(str(name) for name in (SEED, *names)))


def bell(rng: random.Random) -> float:
    """Symmetric noise in (-1, 1) with standard deviation 0.41: the mean of two uniform numbers."""
    return rng.random() + rng.random() - 1.0


def smooth_noise(key: str, time_s: float, period_s: float) -> float:
    """Noise in (-1, 1) that changes smoothly with time: linear between draws every `period_s`."""
    step, part = divmod(time_s, period_s)
    before, after = bell(stream(key, int(step))), bell(stream(key, int(step) + 1))
    return before + (after - before) * part / period_s
