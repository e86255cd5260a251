"""Kernels of the search by name: words against words, places by score."""

import numpy as np
import numpy.typing as npt

from routing.kernels.jit import kernel

NO_MATCH, TYPO_START, TYPO, START, EXACT = 0, 1, 2, 3, 4
"""How a word of the question stands to a word of the index, the better the higher."""


@kernel
def match_words(
    letters: npt.NDArray[np.uint32],
    first_letter: npt.NDArray[np.int64],
    asked: npt.NDArray[np.uint32],
    typo_allowed: bool,
    quality: npt.NDArray[np.uint8],
) -> None:
    """Compare one asked word with all words of the index; linear in their letters.

    Parameters
    ----------
    letters, first_letter
        Code points of all words; word `j` is ``letters[first_letter[j]:first_letter[j + 1]]``.
    asked
        Code points of the asked word, at least one.
    typo_allowed
        Accept one letter too much, missing, other, or two neighbours swapped (the first letter must be right).
    quality
        uint8 per word, written: `NO_MATCH` … `EXACT`. *Start* = the asked word is the beginning of the word.
    """
    k = len(asked)
    for word in range(len(first_letter) - 1):
        begin, end = first_letter[word], first_letter[word + 1]
        n = end - begin
        quality[word] = NO_MATCH
        # Almost all words differ in the first letter.
        if n == 0 or letters[begin] != asked[0] or n < k - 1:
            continue
        same = 0
        while same < n and same < k and letters[begin + same] == asked[same]:
            same += 1
        if same == k:
            quality[word] = EXACT if n == k else START
            continue
        if not typo_allowed:
            continue
        # After the first difference the rest must be equal, with one letter skipped in one, the other or both.
        left = n - same
        rest = k - same
        other = _equal_run(letters, begin + same + 1, end, asked, same + 1)
        missing = _equal_run(letters, begin + same + 1, end, asked, same)
        extra = _equal_run(letters, begin + same, end, asked, same + 1)
        swapped = -1
        if left >= 2 and rest >= 2 and letters[begin + same] == asked[same + 1] and letters[begin + same + 1] == asked[same]:
            swapped = _equal_run(letters, begin + same + 2, end, asked, same + 2)
        if other == rest - 1 and left >= 1:
            quality[word] = max(quality[word], TYPO if left == rest else TYPO_START)
        if missing == rest and left >= 1:
            quality[word] = max(quality[word], TYPO if left == rest + 1 else TYPO_START)
        if extra == rest - 1:
            quality[word] = max(quality[word], TYPO if left == rest - 1 else TYPO_START)
        if swapped == rest - 2 and swapped >= 0:
            quality[word] = max(quality[word], TYPO if left == rest else TYPO_START)


@kernel
def _equal_run(letters: npt.NDArray[np.uint32], start: int, end: int, asked: npt.NDArray[np.uint32], offset: int) -> int:
    """Length of the common beginning of ``letters[start:end]`` and ``asked[offset:]``; 0 where either is past its end."""
    run = 0
    while start + run < end and offset + run < len(asked) and letters[start + run] == asked[offset + run]:
        run += 1
    return run


@kernel
def spread_matches(
    quality: npt.NDArray[np.uint8],
    value: npt.NDArray[np.float32],
    word_weight: npt.NDArray[np.float32],
    first_place: npt.NDArray[np.int64],
    places: npt.NDArray[np.int32],
    place_field: npt.NDArray[np.uint8],
    field_value: npt.NDArray[np.float32],
    best: npt.NDArray[np.float32],
    covered: npt.NDArray[np.float32],
) -> float:
    """Bring the matches of one asked word to the places that contain the words.

    Parameters
    ----------
    quality
        From `match_words`.
    value
        float32[5], worth of each quality.
    word_weight, first_place, places, place_field
        See `PlaceIndex`.
    field_value
        float32[3], worth of a word in each `WordField`.
    best
        float32[n], written: worth of the best match in each place, 0 = the word is not there.
    covered
        float32[n], written: weight of the matched word of the *name* (to tell how much of the name was asked for).

    Returns
    -------
    float
        Weight of the asked word: that of the best matched word, the rarest of them; 0 if none matched.
    """
    best[:] = 0.0
    covered[:] = 0.0
    top = 0
    weight = 0.0
    for word in range(len(quality)):
        q = quality[word]
        if q == 0:
            continue
        if q > top or (q == top and word_weight[word] > weight):
            top = q
            weight = word_weight[word]
        for o in range(first_place[word], first_place[word + 1]):
            place = places[o]
            worth = value[q] * field_value[place_field[o]]
            if worth > best[place]:
                best[place] = worth
                # A whole word covers itself; a beginning covers half: "Santa C" is not yet "Santa Catarina".
                share = 1.0 if q in (EXACT, TYPO) else 0.5
                covered[place] = word_weight[word] * share if place_field[o] == 0 else 0.0
    return weight
