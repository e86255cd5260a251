"""Holidays of a city, year by year, out of what `city.toml` declares."""

import datetime

from routing.model.time_rules import Calendar
from services.city.config import CityConfig
from services.city.config_zones import days_of

YEARS_BEFORE, YEARS_AFTER = 30, 50
"""Years around the reference date whose holidays are known."""


def build_calendar(city: CityConfig) -> Calendar:
    """Public and school holidays from `YEARS_BEFORE` to `YEARS_AFTER` the reference date."""
    around = range(city.reference_date.year - YEARS_BEFORE, city.reference_date.year + YEARS_AFTER + 1)
    public = {day for text in city.holidays.public for year in around for day in days_of(text, year)}
    school = {
        span.first + datetime.timedelta(days=k)
        for span in city.holidays.school
        for k in range((span.last - span.first).days + 1)
    }
    return Calendar(frozenset(public), frozenset(school))
