"""Search by name over a `PlaceIndex`."""
