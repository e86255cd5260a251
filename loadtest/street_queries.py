"""Make a query file: ``python -m loadtest.street_queries --osm P --count 1000 --seed 1 --out N.npz`` (or ``--graph G.npz``)."""

import argparse
import sys
from pathlib import Path

import numpy as np

from routing.model.modes import StreetMode
from services.city.osm_reader import read_street_graph


def main(argv: list[str]) -> int:
    """Draw random pairs of nodes the profile reaches and leaves."""
    parser = argparse.ArgumentParser(prog="python -m loadtest.street_queries", description=__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--osm", type=Path)
    source.add_argument("--graph", type=Path)
    parser.add_argument("--profile", choices=[mode.name.lower() for mode in StreetMode], default="car")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args(argv)
    nodes = _osm_nodes(arguments.osm, StreetMode[arguments.profile.upper()]) if arguments.osm else _nodes(arguments.graph)
    rng = np.random.default_rng(arguments.seed)
    pairs = rng.choice(nodes, (2, arguments.count))
    np.savez(arguments.out, source=pairs[0], target=pairs[1])
    print(f"{arguments.count} pairs of {len(nodes)} nodes, seed {arguments.seed} → {arguments.out}")
    return 0


def _osm_nodes(pbf: Path, mode: StreetMode) -> np.ndarray:
    graph = read_street_graph(pbf)
    arcs = (graph.arc_routable & graph.arc_access & mode.bit) != 0
    rows: np.ndarray = graph.node_osm_id[np.union1d(graph.arc_tail[arcs], graph.arc_head[arcs])]
    return rows


def _nodes(path: Path) -> np.ndarray:
    with np.load(path) as archive:
        return np.unique(np.concatenate([archive["tail"], archive["head"]])).astype(np.int64)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
