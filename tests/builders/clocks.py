"""A city's clock for tests."""

from services.common.clock import CityClock


class HandClock:
    """Runs like the real time from where it is put."""

    rate = 1.0

    def __init__(self, city_s: float) -> None:
        self.put(city_s)

    def put(self, city_s: float) -> None:
        """Let it be `city_s` now."""
        self._clock = CityClock.starting_at(city_s)

    def now(self) -> float:
        """City time, unix seconds."""
        return self._clock.now()
