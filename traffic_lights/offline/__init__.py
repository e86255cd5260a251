"""Plans computed ahead: Webster cycle and splits, offsets of a corridor."""
