"""Search by name: accents, case and abbreviations do not matter, words may be unfinished, one letter may be wrong.

Every word of the question is compared with every word of the index (Levenshtein distance at most 1, swapped neighbours
count one: optimal string alignment), then places are ranked by how well and how completely their name was hit, by
importance and by nearness.
House numbers that are not in the map are left out: the street is found, and said to be approximate.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from routing.errors import InvalidInput
from routing.kernels.place_words import match_words, spread_matches
from routing.model.places import PlaceIndex, PlaceKind
from routing.places.folding import fold_words

_QUALITY_VALUE = np.array([0.0, 0.55, 0.72, 0.85, 1.0], np.float32)
_FIELD_VALUE = np.array([1.0, 0.95, 0.6], np.float32)
_KIND_BONUS = {
    PlaceKind.STOP: 0.05,
    PlaceKind.LOCALITY: 0.04,
    PlaceKind.STREET: 0.02,
    PlaceKind.POINT_OF_INTEREST: 0.03,
    PlaceKind.CAR_PARK: 0.0,
    PlaceKind.ADDRESS: 0.0,
}
_MAX_WORDS = 12
_MAX_CHARACTERS = 200
_NEAR_M = 3_000.0


@dataclass(frozen=True, slots=True)
class Focus:
    """Where the person is, or looks at: nearer places come first among equals."""

    lat_deg: float
    lon_deg: float


@dataclass(frozen=True, slots=True)
class FoundPlace:
    """One answer.

    Attributes
    ----------
    index : int
        In the `PlaceIndex`.
    score : float
        The higher the better; comparable within one answer only.
    is_approximate : bool
        Not everything that was asked for was found: a house number is not in the map, or a word was left out.
    distance_m : float
        To the focus, NaN without one.
    """

    index: int
    score: float
    is_approximate: bool
    distance_m: float


class PlaceSearch:
    """Search over one `PlaceIndex`; thread-safe, about 1 ms a question on a metropolis.

    Parameters
    ----------
    index : PlaceIndex
        Of a city snapshot.
    """

    def __init__(self, index: PlaceIndex) -> None:
        self.index = index
        text = index.words.data.tobytes().decode("utf-8")
        self._letters = np.frombuffer(text.encode("utf-32-le"), np.uint32)
        # Offsets count bytes; letters are counted by their first bytes.
        starts = (np.asarray(index.words.data) & 0xC0) != 0x80
        self._first_letter = np.concatenate([[0], np.cumsum(starts)])[np.asarray(index.words.offsets)].astype(np.int64)
        self._lat = np.asarray(index.lat_e7) * 1e-7
        self._lon = np.asarray(index.lon_e7) * 1e-7
        bonus = np.zeros(max(PlaceKind) + 1, np.float32)
        for kind, value in _KIND_BONUS.items():
            bonus[kind] = value
        self._prior = bonus[index.kind] + np.asarray(index.importance, np.float32) * np.float32(0.2 / 255)

    def search(
        self, text: str, limit: int = 10, focus: Focus | None = None, kinds: frozenset[PlaceKind] | None = None
    ) -> list[FoundPlace]:
        """Find the places that a text names, best first.

        Parameters
        ----------
        text : str
            Unfinished words, missing accents and one wrong letter a word are fine.
        limit : int
            At most so many answers.
        focus : Focus, optional
            Nearer places come first among equals.
        kinds : frozenset of PlaceKind, optional
            Only these.

        Raises
        ------
        InvalidInput
            If `text` is longer than 200 characters or `limit` is less than 1.
        """
        if len(text) > _MAX_CHARACTERS:
            raise InvalidInput(f"the text to search for has {len(text)} characters: give at most {_MAX_CHARACTERS}")
        if limit < 1:
            raise InvalidInput(f"limit is {limit}: ask for at least 1 place")
        asked = list(dict.fromkeys(fold_words(text, self.index.languages)))[:_MAX_WORDS]
        if not asked or not len(self.index):
            return []
        score, missing = self._scores(asked)
        if kinds is not None:
            score[~np.isin(self.index.kind, [int(kind) for kind in kinds])] = 0.0
        candidates = np.flatnonzero(score > 0.0)
        distance = np.full(len(score), np.nan)
        if focus is not None:
            distance[candidates] = self._distance_m(candidates, focus)
            score[candidates] += 0.25 * np.exp(-distance[candidates] / _NEAR_M)
        score[candidates] += self._prior[candidates]
        # Ties are broken by position in the index, so that answers never depend on chance.
        order = candidates[np.lexsort((candidates, -score[candidates]))][:limit]
        return [FoundPlace(int(i), float(score[i]), bool(missing[i]), float(distance[i])) for i in order]

    def _scores(self, asked: list[str]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """Score of each place by its words alone, and whether a word of the question is missing in it."""
        n, index = len(self.index), self.index
        hit, weight = np.zeros(n, np.float32), 0.0
        covered, left_out = np.zeros(n, np.float32), np.zeros(n, np.int16)
        must = np.ones(n, bool)
        quality = np.zeros(len(index.words), np.uint8)
        best, part = np.zeros(n, np.float32), np.zeros(n, np.float32)
        words = len(asked)
        inverted = index.word_weight, index.first_place, index.places, index.place_field
        for word in asked:
            letters = np.array([ord(letter) for letter in word], np.uint32)
            is_number = any(letter.isdigit() for letter in word)
            match_words(self._letters, self._first_letter, letters, len(word) >= 4 and not is_number, quality)
            if is_number:
                # "10" is not the beginning of "100".
                quality[quality < 4] = 0
            found = spread_matches(quality, _QUALITY_VALUE, *inverted, _FIELD_VALUE, best, part)
            word_weight = found if found > 0.0 else 3.0
            hit += best * np.float32(word_weight)
            weight += word_weight
            covered += part
            absent = best == 0.0
            left_out += absent
            if not is_number and words <= 2:
                must &= ~absent
        # Of three words or more one may be wrong altogether; numbers may be missing anywhere but alone.
        numbers = sum(any(letter.isdigit() for letter in word) for word in asked)
        allowed = numbers + (1 if words - numbers > 2 else 0)
        fits = must & (left_out <= min(allowed, words - 1)) & (hit > 0.0)
        share = np.minimum(covered / np.maximum(index.name_weight, 1e-6), 1.0)
        score = np.where(fits, 0.7 * hit / np.float32(weight) + 0.3 * share, 0.0).astype(np.float32)
        return score, left_out > 0

    def _distance_m(self, candidates: npt.NDArray[np.intp], focus: Focus) -> npt.NDArray[np.float64]:
        north = (self._lat[candidates] - focus.lat_deg) * 111_195.0
        east = (self._lon[candidates] - focus.lon_deg) * 111_195.0 * math.cos(math.radians(focus.lat_deg))
        return np.asarray(np.hypot(north, east))


def warm(index: PlaceIndex) -> None:
    """Compile the kernels of the search for the arrays of `index`."""
    PlaceSearch(index).search("warm up 1", focus=Focus(0.0, 0.0))
