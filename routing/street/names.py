"""How much two street names resemble each other, whatever abbreviations, accents and order of words."""

import re
import unicodedata

import numpy as np
import numpy.typing as npt

from routing.model.strings import StringTable

_KINDS = {
    "rua": ("r",), "avenida": ("av", "avda", "avd"), "travessa": ("tv", "trav", "tr"), "largo": ("lg", "lgo"),
    "praca": ("pc", "pca", "pr"), "estrada": ("estr", "est"), "alameda": ("al", "alam"), "rotunda": ("rot",), "viela": (),
    "rue": (), "avenue": ("ave", "aven"), "boulevard": ("bd", "bld", "boul", "blvd"), "place": ("pl",), "quai": (),
    "chemin": ("ch", "che"), "route": ("rte",), "impasse": ("imp",), "allee": ("all",), "cours": ("crs",), "passage": ("pass",),
    "street": ("str",), "road": ("rd",), "lane": ("ln",), "strasse": ("strase",), "vej": (), "gade": (), "via": (), "corso": (),
    "piazza": ("pza", "pzza"), "saint": ("st", "sao", "sta", "ste", "santa", "santo", "sainte", "san"),
    "doutor": ("dr", "doctor", "docteur"), "dom": ("d",), "professor": ("prof", "professeur"), "general": ("gen",),
    "motorvej": ("motorvejen",), "autoroute": ("autoestrada", "motorway"),
}  # fmt: skip
_FULL = {short: full for full, shorts in _KINDS.items() for short in (*shorts, full)}
_COMMON = frozenset(_KINDS) - {"saint"}
_LITTLE = frozenset(
    [
        "de",
        "da",
        "do",
        "das",
        "dos",
        "e",
        "du",
        "des",
        "la",
        "le",
        "les",
        "l",
        "of",
        "the",
        "del",
        "della",
        "di",
        "et",
        "y",
        "und",
    ]
)
_NUMBER = re.compile(r"\b([a-z]{1,2})[ -]?(\d{1,4})\b")
_WORD = re.compile(r"[a-z0-9]+")

RESEMBLES = 0.5
"""Names that resemble each other at least this much are taken for the same street."""


def words_of(name: str) -> frozenset[str]:
    """Words of a name: no accents, abbreviations written out, little words left out, road numbers (A 25, N-14) as one word."""
    plain = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode("ascii")
    words = [_FULL.get(word, word) for word in _WORD.findall(_NUMBER.sub(r"\1\2", plain))]
    return frozenset(word for word in words if word not in _LITTLE)


def resemblance(one: str, other: str) -> float:
    """Resemblance of two names, 0 to 1; names with several parts (``;`` or ``/``) are as near as their nearest parts."""
    parts, others = (re.split(r"[;/]", text) for text in (one, other))
    return max(_overlap(words_of(a), words_of(b)) for a in parts for b in others)


def _overlap(a: frozenset[str], b: frozenset[str]) -> float:
    """Shared words over all words, where kinds of street count little and near misses (one letter) count mostly."""
    if not a or not b:
        return 0.0
    exact = a & b
    shared = sum(map(_weight, exact))
    left, right = sorted(a - exact), sorted(b - exact)
    for word in list(left):
        twin = next((other for other in right if _near(word, other)), None)
        if twin is not None:
            shared += 0.8 * _weight(word)
            right.remove(twin)
            left.remove(word)
    return shared / (sum(map(_weight, a)) + sum(map(_weight, right)))


def _weight(word: str) -> float:
    return 0.25 if word in _COMMON else 1.0


def _near(a: str, b: str) -> bool:
    """Whether two longer words differ by at most one letter."""
    if min(len(a), len(b)) < 4 or abs(len(a) - len(b)) > 1 or any(letter.isdigit() for letter in a + b):
        return False
    start = 0
    while start < min(len(a), len(b)) and a[start] == b[start]:
        start += 1
    end = 0
    while end < min(len(a), len(b)) - start and a[-1 - end] == b[-1 - end]:
        end += 1
    return max(len(a), len(b)) - start - end <= 1


class StreetNames:
    """Names of one graph, compared with hints; remembers what it compared."""

    def __init__(self, names: StringTable) -> None:
        self._names = names
        self._known: dict[tuple[str, int], float] = {}

    def resemblance(self, hint: str, name: npt.NDArray[np.int32]) -> npt.NDArray[np.float32]:
        """Resemblance (float32, as `name`) of a hint to names given by their number; below `RESEMBLES` it counts as 0."""
        out = np.zeros(name.shape, np.float32)
        if not hint:
            return out
        if len(self._known) > 500_000:
            self._known.clear()
        for number in np.unique(name[name > 0]).tolist():
            key = (hint, number)
            if key not in self._known:
                value = resemblance(hint, self._names[number])
                self._known[key] = value if value >= RESEMBLES else 0.0
            out[name == number] = self._known[key]
        return out
