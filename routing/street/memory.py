"""Turns that depend on more than the last arc: via-way restrictions and no-through zones, by adding states.

A state is ``(arc, node of the restriction trie, modes that entered a zone)``. The plain state of an arc is ``(arc, root, 0)``.
Prefixes of restrictions are followed with failure links as in a string-matching automaton (Aho, Corasick 1975,
doi:10.1145/360825.360855), so overlapping restrictions are all obeyed. A trip that enters a no-through zone from outside gets
states that never leave it; a trip that starts inside one begins in plain states and may. Where several classes of vehicle share
the states, zones and restrictions bind them bit by bit.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Int32 = npt.NDArray[np.int32]
Sequences = list[tuple[tuple[int, ...], int, int]]
"""Forbidden sequences of arcs, each with the time rule it holds by (-1 = always) and the modes it binds."""
Timed = list[tuple[int, int, int]]
"""(edge, rule, modes): edges forbidden to modes while a rule holds."""
_Memory = tuple[int, int, int]


class Edges(NamedTuple):
    """Edges in CSR form.

    Attributes
    ----------
    first : int32[s + 1]
    to : int32[e]
    arc : int32[e]
        Arc travelled.
    turn : int32[e]
        Number of the turn between arcs that the edge is (several edges may be the same turn, with different pasts).
    modes : uint16[e]
        Modes that may take it.
    """

    first: Int32
    to: Int32
    arc: Int32
    turn: Int32
    modes: npt.NDArray[np.uint16]


@dataclass
class _Trie:
    """Prefixes of forbidden sequences; node 0 is the root, depth-1 nodes carry no memory of their own.

    ``rules[node]`` are the rules by which a sequence ending in the node is forbidden, each with the modes bound.
    """

    child: list[dict[int, int]] = field(default_factory=lambda: [{}])
    fail: list[int] = field(default_factory=lambda: [0])
    depth: list[int] = field(default_factory=lambda: [0])
    rules: list[dict[int, int]] = field(default_factory=lambda: [{}])

    @classmethod
    def build(cls, sequences: Sequences) -> "_Trie":
        trie = cls()
        for sequence, rule, modes in sequences:
            node = 0
            for arc in sequence:
                if arc not in trie.child[node]:
                    trie.child[node][arc] = len(trie.child)
                    trie.child.append({})
                    trie.fail.append(0)
                    trie.depth.append(trie.depth[node] + 1)
                    trie.rules.append({})
                node = trie.child[node][arc]
            trie.rules[node][rule] = trie.rules[node].get(rule, 0) | modes
        queue = deque(trie.child[0].values())
        while queue:
            node = queue.popleft()
            for arc, below in trie.child[node].items():
                trie.fail[below] = trie.follow(trie.fail[node], arc)
                for rule, modes in trie.rules[trie.fail[below]].items():
                    trie.rules[below][rule] = trie.rules[below].get(rule, 0) | modes
                queue.append(below)
        return trie

    def follow(self, node: int, arc: int) -> int:
        """Longest prefix that ends the history of `node` followed by `arc`."""
        while node and arc not in self.child[node]:
            node = self.fail[node]
        return self.child[node].get(arc, 0)


def with_memory(plain: Edges, arcs: Int32, zone: npt.NDArray[np.uint16], sequences: Sequences) -> tuple[Edges, Int32, Timed]:
    """Turn arc-to-arc edges into state-to-state edges.

    Parameters
    ----------
    plain : Edges
        Indexed by arc (m of them); `to` holds arcs.
    arcs : int32[u]
        The usable arcs, ascending; they become the plain states ``0…u - 1`` in this order.
    zone : uint16[m]
        Modes for which an arc belongs to a no-through zone.
    sequences : list of (arcs, rule, modes)
        Forbidden sequences of three arcs or more.

    Returns
    -------
    Edges
        Indexed by state.
    state_arc : int32[s]
    timed : list of (edge, rule, modes)
        Edges that are forbidden while a rule holds.
    """
    trie = _Trie.build(sequences)
    plain_state = np.full(len(zone), -1, np.int32)
    plain_state[arcs] = np.arange(len(arcs), dtype=np.int32)
    extra: dict[_Memory, int] = {}
    waiting: list[_Memory] = []

    def state_of(arc: int, node: int, entered: int) -> int:
        memory = (arc, node if trie.depth[node] > 1 else 0, entered)
        if memory[1] == 0 and not entered:
            return int(plain_state[arc])
        if memory not in extra:
            extra[memory] = len(arcs) + len(extra)
            waiting.append(memory)
        return extra[memory]

    to = plain_state[plain.to]
    entering = zone[plain.to] & ~zone[plain.arc]
    for e in np.flatnonzero(entering).tolist():
        into = int(plain.to[e])
        to[e] = state_of(into, trie.follow(trie.follow(0, int(plain.arc[e])), into), int(entering[e]))
    for arc, node in trie.child[0].items():
        for e in range(plain.first[arc], plain.first[arc + 1]):
            into = int(plain.to[e])
            to[e] = state_of(into, trie.follow(node, into), int(entering[e]))
    rows, ends, timed = _expand(plain, zone, trie, waiting, state_of)
    more = np.array(rows, np.int32).reshape(-1, 3)
    last = plain.first[-1:]
    first = np.concatenate([plain.first[arcs], last, last + np.array(ends, np.int32)]).astype(np.int32)
    turn = np.concatenate([plain.turn, more[:, 1]])
    modes = np.concatenate([plain.modes, more[:, 2].astype(np.uint16)])
    state_arc = np.concatenate([arcs, np.array([memory[0] for memory in extra], np.int32)]).astype(np.int32)
    edges = Edges(first, np.concatenate([to, more[:, 0]]), plain.arc[turn], turn, modes)
    return edges, state_arc, [(len(plain.to) + row, rule, bound) for row, rule, bound in timed]


def _expand(
    plain: Edges,
    zone: npt.NDArray[np.uint16],
    trie: _Trie,
    waiting: list[_Memory],
    state_of: Callable[[int, int, int], int],
) -> tuple[list[tuple[int, int, int]], list[int], Timed]:
    """Edges out of the extra states, in their order, found as they appear.

    Returns rows ``(to, turn, modes)``; state by state, where its rows end; and what is forbidden at times, by row.
    """
    timed: Timed = []
    rows: list[tuple[int, int, int]] = []
    ends: list[int] = []
    done = 0
    while done < len(waiting):
        arc, node, entered = waiting[done]
        done += 1
        node = node or trie.follow(0, arc)
        inside, outside = entered, ~int(zone[arc])
        for e in range(plain.first[arc], plain.first[arc + 1]):
            into = int(plain.to[e])
            after, zone_ahead = trie.follow(node, into), int(zone[into])
            modes = int(plain.modes[e]) & ~trie.rules[after].get(-1, 0) & ~(inside & ~zone_ahead)
            if not modes:
                continue
            timed.extend((len(rows), rule, bound) for rule, bound in sorted(trie.rules[after].items()) if rule >= 0)
            rows.append((state_of(into, after, (inside | outside) & zone_ahead), e, modes))
        ends.append(len(rows))
    return rows, ends, timed
