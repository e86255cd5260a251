"""From weights of edges to a hierarchy that can be searched."""

import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from routing.errors import InvalidInput
from routing.kernels import cch_customise as kernels
from routing.kernels import cch_perfect
from routing.street.cch import Hierarchy
from routing.street.network import frozen
from routing.street.sides import Sides, list_perfect_sides, list_sides
from routing.street.subtrees import run_tasks, split

Int32 = npt.NDArray[np.int32]

FAR = kernels.FAR
"""Weight of what is closed or not connected."""

MOST_CHANGED = 10
"""Edges that may differ from weights of before for partial customisation to be tried; some closures in a city change fewer."""

_RECENT = 8
"""Sets of weights a hierarchy remembers for as long as somebody holds them."""


@dataclass(frozen=True, slots=True, weakref_slot=True)
class HierarchyWeights:
    """A hierarchy with weights; immutable, so a request keeps one from start to end.

    Attributes
    ----------
    hierarchy : Hierarchy
    edge_ms : int32[e]
        Weights of the input edges.
    weight_ms : int32[a, 2]
        Weights of the up arcs: from tail to head, and from head to tail; `FAR` where there is no way.
    perfect : tuple of Side, optional
        The arcs queries walk along, if perfect customisation has chosen them.
    known : int64[2a]
        What unpacking has found so far (see `routing.kernels.cch_unpack.unpack`): the one thing that is written later.
    """

    hierarchy: Hierarchy
    edge_ms: Int32
    weight_ms: Int32
    perfect: Sides | None = field(default=None, repr=False, compare=False)
    known: npt.NDArray[Any] = field(init=False, repr=False, compare=False)
    _sides: list[Sides] = field(init=False, repr=False, compare=False, default_factory=list)

    def __post_init__(self) -> None:
        # Zeroed memory is given out page by page: only what is looked at exists.
        object.__setattr__(self, "known", np.zeros(self.weight_ms.size, np.int64))

    @property
    def sides(self) -> Sides:
        """The arcs queries walk along, upward and downward; made on first use (about 2 ms for a city)."""
        if self.perfect is not None:
            return self.perfect
        if not self._sides:
            self._sides.append(list_sides(self.hierarchy, self.weight_ms))
        return self._sides[0]

    @property
    def nbytes(self) -> int:
        """Bytes it takes beside the hierarchy and its input, once sides are listed and all ways have been unpacked."""
        own = (side.weight_ms.nbytes if self.perfect is None else sum(column.nbytes for column in side) for side in self.sides)
        return self.weight_ms.nbytes + self.known.nbytes + sum(own)


def customise(hierarchy: Hierarchy, edge_ms: Int32, threads: int = 1, *, perfect: bool = False) -> HierarchyWeights:
    """Give a hierarchy weights; O(triangles).

    Parameters
    ----------
    hierarchy : Hierarchy
    edge_ms : int32[e]
        From 0; `FAR` and more means closed.
    threads : int
        Subtrees are done side by side, then what is above them.
    perfect : bool
        Also leave out the arcs that no quickest way needs: takes longer, queries are quicker, answers are the same.

    Raises
    ------
    InvalidInput
        For a wrong number of weights, or negative ones.
    """
    edges = _checked(hierarchy, edge_ms)
    weight_ms = np.empty((hierarchy.arc_count, 2), np.int32)
    kernels.respect(hierarchy.slot, edges, weight_ms.reshape(-1))
    tasks, top = split(hierarchy, threads)
    run_tasks(tasks, threads, lambda begin, end: _run(kernels.customise, hierarchy, weight_ms, begin, end))
    for span in top:
        _run(kernels.customise, hierarchy, weight_ms, *span)
    fixed = frozen(weight_ms)
    chosen = list_perfect_sides(hierarchy, fixed, shortest_times(hierarchy, fixed, threads)) if perfect else None
    return HierarchyWeights(hierarchy, edges, fixed, chosen)


def shortest_times(hierarchy: Hierarchy, weight_ms: Int32, threads: int = 1) -> Int32:
    """Shortest times (int32[a, 2]) between the ends of all up arcs, from customised weights."""
    shortest_ms = weight_ms.copy()
    tasks, top = split(hierarchy, threads)
    for span in reversed(top):
        _run(cch_perfect.shortest, hierarchy, shortest_ms, *span)
    run_tasks(tasks, threads, lambda begin, end: _run(cch_perfect.shortest, hierarchy, shortest_ms, begin, end))
    return frozen(shortest_ms)


def recustomise(
    weights: HierarchyWeights, edge_ms: Int32, changed: npt.NDArray[np.int64], limit: int | None = None
) -> HierarchyWeights:
    """Weights after some edges changed; the same as `customise` with `edge_ms`, quicker when little depends on them.

    Parameters
    ----------
    weights : HierarchyWeights
        Of before.
    edge_ms : int32[e]
        New weights of all edges.
    changed : int64[…]
        Edges whose weights differ from before.
    limit : int, optional
        Sides of triangles to look at before it starts again with `customise`; default: half as many as there are arcs, which
        takes a third of its time.

    Raises
    ------
    InvalidInput
        For a wrong number of weights, or negative ones.
    """
    hierarchy = weights.hierarchy
    edges = _checked(hierarchy, edge_ms)
    weight_ms = weights.weight_ms.copy()
    row = np.full(hierarchy.row_length, -1, np.int32)
    pending = np.zeros((hierarchy.arc_count + 63) // 64, np.int64)
    most = hierarchy.arc_count // 2 if limit is None else limit
    looked = kernels.recustomise(
        hierarchy.up_first, hierarchy.up_head, hierarchy.up_tail, hierarchy.head_depth, hierarchy.down_first,
        hierarchy.down_arc, hierarchy.slot_first, hierarchy.slot_edge, hierarchy.slot, edges, changed, weight_ms, row, pending,
        most,
    )  # fmt: skip
    if looked < 0:
        return customise(hierarchy, edges)
    return HierarchyWeights(hierarchy, edges, frozen(weight_ms))


def customise_after(hierarchy: Hierarchy, edge_ms: Int32) -> HierarchyWeights:
    """The same as `customise`, by the quickest means.

    Where weights of this hierarchy that somebody still holds differ in up to `MOST_CHANGED` edges, as after an incident, only
    what depends on these is computed anew; where they do not differ at all, they are the answer.
    """
    recent: tuple[weakref.ref[HierarchyWeights], ...] = hierarchy.memo.get("recent", ())
    made = None
    for before in (held() for held in recent):
        if before is None or before.edge_ms.shape != edge_ms.shape:
            continue
        changed = np.flatnonzero(before.edge_ms != edge_ms)
        if not len(changed):
            return before
        if made is None and len(changed) <= MOST_CHANGED:
            made = recustomise(before, edge_ms, changed)
    if made is None:
        made = customise(hierarchy, edge_ms)
    living = [held for held in hierarchy.memo.get("recent", ()) if held() is not None]
    hierarchy.memo["recent"] = (weakref.ref(made), *living)[:_RECENT]
    return made


def _checked(hierarchy: Hierarchy, edge_ms: Int32) -> Int32:
    if edge_ms.shape != hierarchy.slot.shape:
        raise InvalidInput(f"edge_ms has shape {edge_ms.shape}, the hierarchy {len(hierarchy.slot)} edges", "edge_ms")
    if len(edge_ms) and edge_ms.min() < 0:
        raise InvalidInput(f"edge_ms[{int(edge_ms.argmin())}] = {edge_ms.min()} is negative", "edge_ms")
    return frozen(edge_ms.astype(np.int32, copy=False))


def _run(kernel: Callable[..., None], hierarchy: Hierarchy, weight_ms: Int32, begin: int, end: int) -> None:
    row = np.empty((hierarchy.row_length, 2), np.int32)
    kernel(
        hierarchy.up_first, hierarchy.head_depth, hierarchy.down_first, hierarchy.down_arc, hierarchy.down_end, weight_ms, row,
        begin, end,
    )  # fmt: skip
