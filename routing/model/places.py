"""The place index: everything in a city that has a name, and the words of the names."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from routing.model.strings import StringTable


class PlaceKind(IntEnum):
    """What a place is."""

    STOP = 0
    STREET = 1
    ADDRESS = 2
    POINT_OF_INTEREST = 3
    LOCALITY = 4
    CAR_PARK = 5


class WordField(IntEnum):
    """Which text of a place a word stands in."""

    NAME = 0
    ALIAS = 1
    """Other names, stop codes, road numbers."""
    LOCALITY = 2


@dataclass(frozen=True, slots=True)
class PlaceIndex:
    """Places and an inverted index of their words; n places, w words, o occurrences.

    Words are folded by `routing.places.folding.fold_words` with `languages`, when built and when asked.

    Attributes
    ----------
    languages : tuple of str
        ISO 639-1 codes whose abbreviations are understood.
    names : StringTable
        For display.
    localities : StringTable
        Town or quarter, empty where not known.
    categories : StringTable
        Kind in detail: ``stop:bus``, ``amenity:school``, ``street:residential``, …
    references : StringTable
        What it stands for: ``stop:<stop id>``, ``osm:way/123``, ``car_park:<id>``.
    kind : uint8[n]
        `PlaceKind`.
    importance : uint8[n]
        0 … 255, comparable between kinds.
    lat_e7, lon_e7 : int32[n]
    first_stop : int32[n + 1]
        Stops of place `i` (timetable indices) are ``stops[first_stop[i]:first_stop[i + 1]]``.
    stops : int32[…]
    words : StringTable
        Folded words, sorted, each once.
    word_weight : float32[w]
        How telling a word is: rarer words weigh more (inverse document frequency).
    first_place : int64[w + 1]
        Places in which word `j` stands are ``places[first_place[j]:first_place[j + 1]]``.
    places : int32[o]
    place_field : uint8[o]
        `WordField`.
    name_weight : float32[n]
        Sum of the weights of the words of the name.
    """

    languages: tuple[str, ...]
    names: StringTable
    localities: StringTable
    categories: StringTable
    references: StringTable
    kind: npt.NDArray[np.uint8]
    importance: npt.NDArray[np.uint8]
    lat_e7: npt.NDArray[np.int32]
    lon_e7: npt.NDArray[np.int32]
    first_stop: npt.NDArray[np.int32]
    stops: npt.NDArray[np.int32]
    words: StringTable
    word_weight: npt.NDArray[np.float32]
    first_place: npt.NDArray[np.int64]
    places: npt.NDArray[np.int32]
    place_field: npt.NDArray[np.uint8]
    name_weight: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.kind)
