"""RoundsService: delivery rounds solved in worker processes."""
