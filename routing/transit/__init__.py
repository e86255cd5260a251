"""Public transport: RAPTOR over service days, with real time laid over the schedule."""
