"""What an intersection is: approaches, movements, signal groups, stages, plans."""
