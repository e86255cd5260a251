"""Itineraries drawn as short text.

``"T 10:00 walk 300 transit 900 walk 120"`` = kind transit (T, W walk, P park-and-ride, C car), leaving 10:00, legs in seconds.
"""

from routing.multimodal.model import Itinerary, JourneyMode, Leg, LegMode, ParkingDetail, Point, TransitDetail

KINDS = {"T": JourneyMode.TRANSIT, "W": JourneyMode.WALK, "P": JourneyMode.PARK_AND_RIDE, "C": JourneyMode.CAR}
HERE = Point(41.15, -8.61)
BUS = TransitDetail("f:t", "f:r", "f:a", "A", "1", "", 3, "", "", "", "20260728", False, None, None, ())


def itinerary(text: str) -> Itinerary:
    """Build the itinerary that `text` draws; ``wait N`` between legs lets time pass."""
    words = text.split()
    hours, minutes = words[1].split(":")
    now, legs = int(hours) * 3600 + int(minutes) * 60, []
    for word, seconds in zip(words[2::2], words[3::2], strict=True):
        if word != "wait":
            legs.append(_leg(LegMode(word), now, now + int(seconds)))
        now += int(seconds)
    return Itinerary(KINDS[words[0]], tuple(legs))


def _leg(mode: LegMode, departure_s: int, arrival_s: int) -> Leg:
    detail = BUS if mode is LegMode.TRANSIT else None
    return Leg(mode, HERE, HERE, departure_s, arrival_s, 1000.0, 0.0, transit=detail)


def parking(probability: float) -> ParkingDetail:
    """A car park found free with `probability`."""
    return ParkingDetail("p1", "P1", 100, probability, 60, True)
