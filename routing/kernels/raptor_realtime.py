"""Expected times of the calls of trips from what real time says at some of them."""

import numpy as np

from routing.kernels.jit import kernel
from routing.kernels.raptor_types import Int32, Int64, UInt8

UNSAID = -(2**62)
"""In updates: nothing is said."""

CALL_EXPECTED = 1
"""Bit of `RealtimeOverlay.call_state`: the times are a prediction (else they are those of the schedule)."""
CALL_SKIPPED = 2
"""Bit of `RealtimeOverlay.call_state`: the vehicle does not stop."""

SAID, SKIPPED, NO_DATA = 0, 1, 2
"""Kinds of an update at a call."""


@kernel
def propagate(
    first_call: Int64, arrival: Int64, departure: Int64, trip_delay: Int64, update_of: Int32, kind: UInt8, said: Int64
) -> UInt8:
    """Overwrite scheduled with expected times, and return the state of each call.

    Parameters
    ----------
    first_call : int64[c + 1]
    arrival, departure : int64[x]
        Scheduled, unix seconds; overwritten.
    trip_delay : int64[c]
        Delay of the whole trip, `UNSAID` if none is given.
    update_of : int32[x]
        Row of `kind` and `said` that speaks of the call, -1 if none does.
    kind : uint8[u]
    said : int64[u, 4]
        Arrival time, departure time, arrival delay, departure delay; `UNSAID` where not given.
    """
    state = np.zeros(len(arrival), np.uint8)
    for trip in range(len(first_call) - 1):
        known = trip_delay[trip] != UNSAID
        delay = trip_delay[trip] if known else np.int64(0)
        latest = np.int64(UNSAID)
        for x in range(first_call[trip], first_call[trip + 1]):
            arrives, departs = arrival[x] + delay, departure[x] + delay
            u = update_of[x]
            if u >= 0 and kind[u] == NO_DATA:
                known, delay = False, np.int64(0)
                arrives, departs = arrival[x], departure[x]
            elif u >= 0 and kind[u] == SKIPPED:
                state[x] |= CALL_SKIPPED
            elif u >= 0:
                has_arrival = said[u, 0] != UNSAID or said[u, 2] != UNSAID
                has_departure = said[u, 1] != UNSAID or said[u, 3] != UNSAID
                if has_arrival:
                    arrives = said[u, 0] if said[u, 0] != UNSAID else arrival[x] + said[u, 2]
                    departs = departure[x] + arrives - arrival[x]
                if has_departure:
                    departs = said[u, 1] if said[u, 1] != UNSAID else departure[x] + said[u, 3]
                    if not has_arrival and arrives > departs:
                        arrives = departs
                if has_arrival or has_departure:
                    known, delay = True, departs - departure[x]
            arrives = max(arrives, latest)
            departs = max(departs, arrives)
            latest = departs
            arrival[x], departure[x] = arrives, departs
            if known:
                state[x] |= CALL_EXPECTED
    return state
