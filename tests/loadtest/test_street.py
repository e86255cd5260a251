"""The street benchmark writes answers that its own raw files prove."""

import json
from heapq import heappop, heappush

import numpy as np
import osmium
import polars as pl
import pytest

from loadtest import street, street_queries
from routing.model.modes import UNREACHABLE_MS
from tests.builders.osm_files import write_osm
from tests.builders.shared_data import porto


def check(out, sources, targets):
    """Recompute every time from arcs.parquet and turns.parquet alone, and every path's sum."""
    arcs, turns = pl.read_parquet(out / "arcs.parquet"), pl.read_parquet(out / "turns.parquet")
    tail, head, ms = (arcs[name].to_list() for name in ("from_osm", "to_osm", "ms"))
    after: dict[int, list[tuple[int, int]]] = {}
    for a, b, cost in turns.select("from_arc", "to_arc", "ms").iter_rows():
        after.setdefault(a, []).append((b, cost))
    cost_of = {(a, b): cost for a, rows in after.items() for b, cost in rows}
    out_of: dict[int, list[int]] = {}
    for a, node in enumerate(tail):
        out_of.setdefault(node, []).append(a)
    found = np.load(out / "time_ms.npy")
    paths = pl.read_parquet(out / "paths.parquet")["arcs"].to_list()
    assert found.dtype == np.uint32
    for i, (s, t) in enumerate(zip(sources, targets, strict=True)):
        assert found[i] == _naive(s, t, out_of, head, ms, after), (s, t)
        if paths[i]:
            turning = sum(cost_of[pair] for pair in zip(paths[i], paths[i][1:], strict=False))
            assert sum(ms[a] for a in paths[i]) + turning == found[i]
            assert (tail[paths[i][0]], head[paths[i][-1]]) == (s, t)
        else:
            assert found[i] == (0 if s == t else UNREACHABLE_MS)


def _naive(s, t, out_of, head, ms, after):
    """Dijkstra on arcs, with nothing but lists."""
    if s == t:
        return 0
    best = dict.fromkeys(out_of.get(s, []), 0)
    heap = [(0, a) for a in best]
    while heap:
        now, a = heappop(heap)
        if now > best[a]:
            continue
        if a < 0:
            return now
        steps = [(~0, 0)] if head[a] == t else []
        for b, cost in [*after.get(a, []), *steps]:
            then = now + ms[a] + cost
            if ms[a] != UNREACHABLE_MS and then < best.get(b, UNREACHABLE_MS):
                best[b] = then
                heappush(heap, (then, b))
    return UNREACHABLE_MS


def test_plain_graph(tmp_path):
    """A weighted graph from arrays: every pair, the matrix and unknown nodes."""
    rng = np.random.default_rng(7)
    tail, head = rng.integers(0, 40, (2, 110))
    np.savez(tmp_path / "g.npz", tail=tail, head=head, weight_ms=rng.integers(0, 5000, 110))
    sources, targets = rng.integers(0, 40, (2, 60))
    sources[3], targets[4], targets[5] = 999, -7, sources[5]
    np.savez(tmp_path / "q.npz", source=sources, target=targets)
    out = tmp_path / "out"
    command = ["--graph", str(tmp_path / "g.npz"), "--queries", str(tmp_path / "q.npz"), "--matrix", "9", "--out", str(out)]
    assert street.main(command) == 0
    check(out, sources.tolist(), targets.tolist())
    matrix = np.load(out / "matrix.npy")
    rows, columns = list(dict.fromkeys(sources.tolist()))[:9], list(dict.fromkeys(targets.tolist()))[:9]
    assert matrix.shape == (9, 9)
    times = dict(zip(zip(sources.tolist(), targets.tolist(), strict=True), np.load(out / "time_ms.npy").tolist(), strict=True))
    known = [(i, j) for i in range(9) for j in range(9) if (rows[i], columns[j]) in times]
    assert known
    assert all(matrix[i, j] == times[rows[i], columns[j]] for i, j in known)
    assert json.loads((out / "timings.json").read_text())["pairs"] == 60


@pytest.mark.parametrize("profile", ["car", "foot"])
def test_small_city(tmp_path, profile):
    """An OSM file with a via-way restriction, a residents' zone, a bollard and query nodes in the middle of streets."""
    rng = np.random.default_rng(3)
    nodes = {1 + 5 * r + c: (41.0 + r * 0.001, -8.0 + c * 0.0013, {}) for r in range(5) for c in range(5)}
    nodes[13] = (*nodes[13][:2], {"barrier": "bollard"})
    nodes[7] = (*nodes[7][:2], {"highway": "traffic_signals"})
    ways = {100 + r: ([1 + 5 * r + c for c in range(5)], {"highway": "residential"}) for r in range(5)}
    ways |= {200 + c: ([1 + 5 * r + c for r in range(5)], {"highway": "tertiary"}) for c in (0, 1, 4)}
    ways |= {
        300: ([3, 8, 13], {"highway": "residential", "motor_vehicle": "destination"}),
        301: ([13, 18, 23], {"highway": "service"}),
    }
    ways |= {400: ([6, 12, 18], {"highway": "secondary", "oneway": "yes"})}
    members = [("w", 101, "from"), ("w", 201, "via"), ("w", 102, "to")]
    relations = {1: (members, {"type": "restriction", "restriction": "no_u_turn"})}
    pbf = write_osm(tmp_path / "city.osm", nodes, ways, relations)
    drawn = str(tmp_path / "drawn.npz")
    assert street_queries.main(["--osm", str(pbf), "--count", "5", "--profile", profile, "--out", drawn]) == 0
    with np.load(drawn) as archive:
        assert set(archive["source"].tolist()) <= set(nodes)
    sources, targets = rng.integers(1, 27, (2, 80))
    np.savez(tmp_path / "q.npz", source=sources, target=targets)
    out = tmp_path / "out"
    command = [
        "--osm",
        str(pbf),
        "--queries",
        str(tmp_path / "q.npz"),
        "--profile",
        profile,
        "--matrix",
        "5",
        "--out",
        str(out),
    ]
    assert street.main(command) == 0
    check(out, sources.tolist(), targets.tolist())
    assert (np.load(out / "time_ms.npy") == UNREACHABLE_MS).sum() == ((sources == 26) ^ (targets == 26)).sum()


def test_bad_input(tmp_path, capsys):
    """Missing arrays and files that are no OSM data end with status 2 and one sentence."""
    np.savez(tmp_path / "q.npz", source=np.arange(3))
    np.savez(tmp_path / "good.npz", source=np.arange(3), target=np.arange(3))
    (tmp_path / "bad.osm.pbf").write_bytes(b"not osm")
    for queries, source, words in (
        ("q.npz", "bad.osm.pbf", "has no array target"),
        ("good.npz", "bad.osm.pbf", "cannot be read"),
    ):
        command = ["--osm", str(tmp_path / source), "--queries", str(tmp_path / queries), "--out", str(tmp_path / "o")]
        assert street.main(command) == 2
        assert words in capsys.readouterr().out


@pytest.mark.slow
def test_porto(tmp_path):
    """On the real extract, pairs of any nodes of streets are right by an independent search of the written network."""
    pbf = str(porto("porto_portugal.osm.pbf"))
    ways = osmium.FileProcessor(pbf, osmium.osm.WAY).with_filter(osmium.filter.TagFilter(("highway", "residential")))
    middles = [way.nodes[len(way.nodes) // 2].ref for way in ways]
    pairs = np.random.default_rng(5).choice(middles, (2, 4))
    np.savez(tmp_path / "q.npz", source=pairs[0], target=pairs[1])
    out = tmp_path / "out"
    assert street.main(["--osm", pbf, "--queries", str(tmp_path / "q.npz"), "--out", str(out)]) == 0
    check(out, *pairs.tolist())
    assert (np.load(out / "time_ms.npy") != UNREACHABLE_MS).sum() >= 3
