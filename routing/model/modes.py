"""Ways of moving on the street network."""

from enum import IntEnum


class StreetMode(IntEnum):
    """A street mode; its value is its bit in access masks.

    ``WHEELCHAIR`` is walking without steps. ``VAN`` is a delivery van: it may use `destination` and `delivery` access.
    ``CARGO_BIKE`` goes where bicycles go, but not through what is too narrow for it.
    """

    CAR = 0
    VAN = 1
    TRUCK = 2
    BICYCLE = 3
    FOOT = 4
    WHEELCHAIR = 5
    CARGO_BIKE = 6

    @property
    def bit(self) -> int:
        """Mask of this mode in `StreetGraph.arc_access` and in turn restrictions."""
        return 1 << int(self)


UNREACHABLE_MS = 4_294_967_295
"""Travel time (uint32 milliseconds) of what cannot be reached, and of closed arcs."""
