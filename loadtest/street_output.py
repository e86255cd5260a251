"""Raw answers of the street benchmark as Parquet files."""

from pathlib import Path

import numpy as np
import polars as pl

from loadtest.street_networks import Network


def write_network(network: Network, out: Path) -> None:
    """Write ``arcs.parquet`` (row number = arc) and ``turns.parquet``."""
    pl.DataFrame(network.arcs).write_parquet(out / "arcs.parquet")
    pl.DataFrame(network.turns).write_parquet(out / "turns.parquet")


def write_paths(paths: list[list[int]], sources: np.ndarray, targets: np.ndarray, times: np.ndarray, out: Path) -> None:
    """Write ``paths.parquet``: per query its ids, time and rows of ``arcs.parquet`` in order of travel."""
    columns = {
        "query": np.arange(len(paths)),
        "source": sources,
        "target": targets,
        "time_ms": times,
        "arcs": pl.Series(paths, dtype=pl.List(pl.Int64)),
    }
    pl.DataFrame(columns).write_parquet(out / "paths.parquet")
