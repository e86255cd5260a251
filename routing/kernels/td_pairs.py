"""From matrices of slots to arrival functions of pairs: the speed model of `td_functions` with a whole trip as the work.

In slot `k` a pair advances by ``1 / time_ms[k]`` of its way per millisecond. Departures and arrivals are first in, first out by
construction. Where all arcs of a way scale alike, as where one way stays the quickest, this is what driving it would take.
"""

import numpy as np

from routing.kernels.cch_customise import FAR
from routing.kernels.jit import kernel
from routing.kernels.street_types import Int64, Number


@kernel
def stitch(
    ring_ms: Number,
    slot: int,
    slots: int,
    slot_ms: Int64,
    begin: int,
    end: int,
    unit_ms: int,
    no_way: int,
    out: Number,
) -> None:
    """Duration of trips that begin when a slot does.

    Parameters
    ----------
    ring_ms : int[r, s, t]
        Times if a slot's speeds lasted: slot `k` in row ``k % r``, `slot` and all later ones that trips may reach (or all there
        are; the last one goes on for ever). `FAR` and more = no way.
    slot, slots : int
        Slot of departure, number of slots.
    slot_ms : int64[slots]
        Length of every slot.
    begin, end : int
        Rows to fill.
    unit_ms : int
        Unit of the answer, rounded up.
    no_way : int
    out : int[s, t]
        Out; `no_way` where there is none.
    """
    rows = len(ring_ms)
    for i in range(begin, end):
        for j in range(ring_ms.shape[2]):
            time = np.float64(ring_ms[slot % rows, i, j])
            left, past, k = 1.0, 0.0, slot
            while time < FAR and left * time > slot_ms[k] and k < slots - 1 and k - slot < rows - 1:
                left -= slot_ms[k] / time
                past += slot_ms[k]
                k += 1
                time = np.float64(ring_ms[k % rows, i, j])
            if time >= FAR:
                out[i, j] = no_way
            else:
                # A thousandth of a millisecond less, so that sums which are whole numbers do not go up by a unit.
                out[i, j] = np.int64(np.ceil((past + max(left, 0.0) * time - 1e-3) / unit_ms))
