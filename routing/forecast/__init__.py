"""Forecasts of what trips will meet: road speeds and free parking spaces."""
