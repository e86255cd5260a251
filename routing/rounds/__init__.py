"""Delivery rounds: plans for a fleet under predicted, time-dependent travel times. Callers use `routing.rounds.api`."""
