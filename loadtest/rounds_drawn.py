"""``python -m loadtest.rounds_drawn --visits N --kind rc2 --seed S --out FILE``: draw an instance in Solomon's format.

As Solomon's and Gehring and Homberger's: customers anywhere (``r``), in clusters (``c``) or half and half (``rc``); short
rounds (1: capacity 200, a horizon of few stops) or long ones (2: capacity 1,000, a horizon four times as long). ``--share`` of
the customers have windows of ``--width`` of the horizon, with middles at which the customer can be served.
"""

import argparse
import math
from pathlib import Path

import numpy as np

SERVICE_S = 10
CLUSTER = 12
"""Customers of a cluster, on average."""


def draw(visits: int, kind: str, seed: int, share: float, width: float) -> str:
    """Text of the instance; the same arguments give the same text."""
    rng = np.random.default_rng([seed, visits, *kind.encode()])
    side = 10.0 * math.sqrt(visits) * 0.7
    clustered = {"r": 0, "c": visits, "rc": visits // 2}[kind[:-1]]
    at = rng.uniform(0, side, (visits, 2))
    middles = rng.uniform(0.1 * side, 0.9 * side, (max(1, clustered // CLUSTER), 2))
    at[:clustered] = middles[rng.integers(len(middles), size=clustered)] + rng.normal(0, 4.0, (clustered, 2))
    at = np.clip(np.rint(at), 0, side)
    depot = np.rint([side / 2, side / 2])
    far = np.ceil(np.hypot(*(at - depot).T))
    long = kind.endswith("2")
    horizon = int(3.3 * side) * (4 if long else 1)
    rows = [(0, *depot, 0, 0, horizon, 0)]
    for k in range(visits):
        opens, closes = 0, horizon - int(far[k]) - SERVICE_S
        if rng.random() < share:
            middle, half = rng.uniform(far[k], closes), width * horizon * rng.uniform(0.3, 0.7)
            opens, closes = int(max(0, middle - half)), int(min(closes, middle + half))
        rows.append((k + 1, *at[k], int(rng.integers(1, 41)), opens, max(closes, int(far[k])), SERVICE_S))
    head = f"{kind}_{visits}_{seed}\n\nVEHICLE\nNUMBER CAPACITY\n{visits // 4} {1000 if long else 200}\n\nCUSTOMER\n\n"
    return head + "\n".join(" ".join(f"{int(x)}" for x in row) for row in rows) + "\n"


def main() -> int:
    """Draw one instance."""
    parser = argparse.ArgumentParser(prog="python -m loadtest.rounds_drawn", description=__doc__)
    parser.add_argument("--visits", type=int, required=True)
    parser.add_argument("--kind", choices=("r1", "r2", "c1", "c2", "rc1", "rc2"), required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--share", type=float, default=0.75)
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    Path(options.out).write_text(draw(options.visits, options.kind, options.seed, options.share, options.width))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
