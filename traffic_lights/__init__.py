"""Traffic signals: models, the guard, offline plans, adaptive control and a queue model. Pure: arrays in, answers out."""
