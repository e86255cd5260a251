"""Routing engines: street, transit, multimodal, delivery rounds and forecasts. Pure: arrays in, answers out."""
