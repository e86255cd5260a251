"""Turns that depend on more than the last arc: via-way restrictions and no-through zones, by adding states.

A state is ``(arc, node of the restriction trie, zone entered)``. The plain state of an arc is ``(arc, root, no)``. Prefixes of
restrictions are followed with failure links as in a string-matching automaton (Aho, Corasick 1975, doi:10.1145/360825.360855),
so overlapping restrictions are all obeyed. A trip that enters a no-through zone from outside gets states that never leave it;
a trip that starts inside one begins in plain states and may.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Int32 = npt.NDArray[np.int32]
Sequences = list[tuple[tuple[int, ...], int]]
"""Forbidden sequences of arcs, each with the time rule it holds by (-1 = always)."""
_Memory = tuple[int, int, bool]


class Edges(NamedTuple):
    """Edges in CSR form: ``first int32[s + 1]``, ``to``, ``arc`` (travelled), ``cost_ms`` int32[e]."""

    first: Int32
    to: Int32
    arc: Int32
    cost_ms: Int32


@dataclass
class _Trie:
    """Prefixes of forbidden sequences; node 0 is the root, depth-1 nodes carry no memory of their own.

    ``rules[node]`` are those by which a sequence ending in the node is forbidden.
    """

    child: list[dict[int, int]] = field(default_factory=lambda: [{}])
    fail: list[int] = field(default_factory=lambda: [0])
    depth: list[int] = field(default_factory=lambda: [0])
    rules: list[frozenset[int]] = field(default_factory=lambda: [frozenset()])

    @classmethod
    def build(cls, sequences: Sequences) -> "_Trie":
        trie = cls()
        for sequence, rule in sequences:
            node = 0
            for arc in sequence:
                if arc not in trie.child[node]:
                    trie.child[node][arc] = len(trie.child)
                    trie.child.append({})
                    trie.fail.append(0)
                    trie.depth.append(trie.depth[node] + 1)
                    trie.rules.append(frozenset())
                node = trie.child[node][arc]
            trie.rules[node] |= {rule}
        queue = deque(trie.child[0].values())
        while queue:
            node = queue.popleft()
            for arc, below in trie.child[node].items():
                trie.fail[below] = trie.follow(trie.fail[node], arc)
                trie.rules[below] |= trie.rules[trie.fail[below]]
                queue.append(below)
        return trie

    def follow(self, node: int, arc: int) -> int:
        """Longest prefix that ends the history of `node` followed by `arc`."""
        while node and arc not in self.child[node]:
            node = self.fail[node]
        return self.child[node].get(arc, 0)


def with_memory(
    plain: Edges, arcs: Int32, zone: npt.NDArray[np.bool_], sequences: Sequences
) -> tuple[Edges, Int32, list[tuple[int, int]]]:
    """Turn arc-to-arc edges into state-to-state edges.

    Parameters
    ----------
    plain : Edges
        Indexed by arc (m of them); `to` holds arcs.
    arcs : int32[u]
        The usable arcs, ascending; they become the plain states ``0…u - 1`` in this order.
    zone : bool[m]
        Arcs of no-through zones.
    sequences : list of (arcs, rule)
        Forbidden sequences of three arcs or more.

    Returns
    -------
    Edges
        Indexed by state.
    state_arc : int32[s]
    timed : list of (edge, rule)
        Edges that are forbidden while a rule holds.
    """
    trie = _Trie.build(sequences)
    plain_state = np.full(len(zone), -1, np.int32)
    plain_state[arcs] = np.arange(len(arcs), dtype=np.int32)
    extra: dict[_Memory, int] = {}
    waiting: list[_Memory] = []

    def state_of(arc: int, node: int, entered: bool) -> int:
        memory = (arc, node if trie.depth[node] > 1 else 0, entered)
        if memory[1] == 0 and not entered:
            return int(plain_state[arc])
        if memory not in extra:
            extra[memory] = len(arcs) + len(extra)
            waiting.append(memory)
        return extra[memory]

    to = plain_state[plain.to]
    for e in np.flatnonzero(zone[plain.to] & ~zone[plain.arc]).tolist():
        to[e] = state_of(int(plain.to[e]), trie.follow(trie.follow(0, int(plain.arc[e])), int(plain.to[e])), True)
    for arc, node in trie.child[0].items():
        for e in range(plain.first[arc], plain.first[arc + 1]):
            into = int(plain.to[e])
            to[e] = state_of(into, trie.follow(node, into), bool(zone[into] and not zone[arc]))
    rows, ends, timed = _expand(plain, zone, trie, waiting, state_of)
    more = np.array(rows, np.int32).reshape(-1, 3)
    last = plain.first[-1:]
    first = np.concatenate([plain.first[arcs], last, last + np.array(ends, np.int32)]).astype(np.int32)
    columns = [np.concatenate([old, more[:, i]]) for i, old in enumerate((to, plain.arc, plain.cost_ms))]
    state_arc = np.concatenate([arcs, np.array([memory[0] for memory in extra], np.int32)])
    return Edges(first, *columns), state_arc.astype(np.int32), [(len(plain.to) + row, rule) for row, rule in timed]


def _expand(
    plain: Edges,
    zone: npt.NDArray[np.bool_],
    trie: _Trie,
    waiting: list[_Memory],
    state_of: Callable[[int, int, bool], int],
) -> tuple[list[tuple[int, int, int]], list[int], list[tuple[int, int]]]:
    """Edges out of the extra states, in their order, found as they appear.

    Returns rows ``(to, arc, cost)``; state by state, where its rows end; and the rows ``(row, rule)`` forbidden by a time rule.
    """
    timed: list[tuple[int, int]] = []
    rows: list[tuple[int, int, int]] = []
    ends: list[int] = []
    done = 0
    while done < len(waiting):
        arc, node, entered = waiting[done]
        done += 1
        node = node or trie.follow(0, arc)
        for e in range(plain.first[arc], plain.first[arc + 1]):
            into = int(plain.to[e])
            after = trie.follow(node, into)
            if -1 in trie.rules[after] or (entered and not zone[into]):
                continue
            timed.extend((len(rows), rule) for rule in sorted(trie.rules[after]))
            rows.append((state_of(into, after, entered or bool(zone[into] and not zone[arc])), arc, int(plain.cost_ms[e])))
        ends.append(len(rows))
    return rows, ends, timed
