"""A place on its way into the index, and which locality a position belongs to."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from routing.model.places import PlaceKind


@dataclass(frozen=True, slots=True)
class Place:
    """One place; see `PlaceIndex` for the attributes. `reach_m` of a locality: streets within belong to it."""

    kind: PlaceKind
    name: str
    lat_deg: float
    lon_deg: float
    importance: int
    category: str
    reference: str
    locality: str = ""
    aliases: tuple[str, ...] = ()
    stops: tuple[int, ...] = ()
    reach_m: float = 0.0


class Localities:
    """Towns and quarters with a reach; a position belongs to the one whose centre is nearest in proportion to its reach."""

    def __init__(self, places: Sequence[Place]) -> None:
        self.places = list(places)
        self._reaching = [place for place in places if place.reach_m > 0]

    def find(self, lat_deg: float, lon_deg: float) -> str:
        """Name of the locality of a position, empty if none reaches it."""
        best, name = 1.0, ""
        for place in self._reaching:
            share = distance_m(lat_deg, lon_deg, place.lat_deg, place.lon_deg) / place.reach_m
            if share <= best:
                best, name = share, place.name
        return name


def distance_m(lat_a: float, lon_a: float, lat_b: float, lon_b: float) -> float:
    """Distance on the local plane; good to 0.1 % within a city."""
    east = (lon_a - lon_b) * math.cos(math.radians(lat_a))
    return 111_195.0 * math.hypot(lat_a - lat_b, east)


def titled(name: str) -> str:
    """Write a name that a feed gives in capitals as names are written; others are left as they are.

    Short words of the Romance languages stay small, Roman numerals and words with digits stay capital.
    """
    if any(letter.islower() for letter in name) or sum(letter.isalpha() for letter in name) < 4:
        return name
    small = {"DE", "DA", "DO", "DAS", "DOS", "E", "A", "O", "DI", "DEL", "DELLA", "DES", "DU", "LA", "LE", "AN", "AM", "DER"}
    words = []
    for i, word in enumerate(name.split(" ")):
        roman = bool(word) and set(word) <= set("IVX")
        if roman or any(letter.isdigit() for letter in word):
            words.append(word)
        else:
            words.append(word.lower() if i and word in small else _capitalised(word))
    return " ".join(words)


def _capitalised(word: str) -> str:
    letters = list(word.lower())
    start = True
    for i, letter in enumerate(letters):
        if start and letter.isalpha():
            letters[i] = letter.upper()
        # Not after a dot, for S.TA is S.ta; but S.BENTO is S.Bento.
        start = not letter.isalnum() and letter != "'" and not (letter == "." and len(letters) - i <= 3)
    return "".join(letters)
