"""Typed fields of parsed JSON; what is wrong is named by its path."""

import math
from collections.abc import Mapping, Sequence

from routing.rounds.errors import InvalidProblemError


class Fields:
    """One object of a parsed file.

    Raises
    ------
    InvalidProblemError
        It is no object, or has a field that is not in `known`; every method raises it for a value of another kind.
    """

    def __init__(self, value: object, path: str, known: frozenset[str] | None = None) -> None:
        if not isinstance(value, Mapping):
            raise InvalidProblemError.of(path or "file", f"expected an object, not {_say(value)}")
        self._values, self._path = value, path
        for key in value:
            if known is not None and key not in known:
                raise InvalidProblemError.of(self.path(str(key)), "is no field of this format; leave it out")

    def __contains__(self, key: str) -> bool:
        """Whether the field is given (null counts as not given)."""
        return self._values.get(key) is not None

    def path(self, key: str) -> str:
        """Path of a field in the file."""
        return f"{self._path}.{key}" if self._path else key

    def get(self, key: str) -> object:
        """The value; None where it is not given."""
        return self._values.get(key)

    def number(self, key: str, default: float | None = None, low: float = -math.inf) -> float:
        """A finite number of at least `low`; required without `default`."""
        return number(self._given(key, default), self.path(key), low)

    def whole(self, key: str, default: int | None = None, low: float = -math.inf) -> int:
        """A whole number of at least `low`; required without `default`."""
        return whole(self._given(key, default), self.path(key), low)

    def text(self, key: str, default: str | None = None) -> str:
        """A text; required without `default`."""
        value = self._given(key, default)
        if not isinstance(value, str):
            raise InvalidProblemError.of(self.path(key), f"expected a text, not {_say(value)}")
        return value

    def rows(self, key: str) -> list[tuple[str, object]]:
        """Elements of a list with their paths; none where it is not given."""
        value = self._values.get(key)
        if value is None:
            return []
        return [(f"{self.path(key)}[{k}]", item) for k, item in enumerate(array(value, self.path(key)))]

    def wholes(self, key: str, low: float = 0.0) -> tuple[int, ...]:
        """A list of whole numbers; none where it is not given."""
        return tuple(whole(value, path, low) for path, value in self.rows(key))

    def _given(self, key: str, default: object) -> object:
        value = self._values.get(key)
        if value is None and default is None:
            raise InvalidProblemError.of(self.path(key), "is missing")
        return default if value is None else value


def array(value: object, path: str) -> Sequence[object]:
    """A list."""
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise InvalidProblemError.of(path, f"expected a list, not {_say(value)}")
    return value


def number(value: object, path: str, low: float = -math.inf) -> float:
    """A finite number of at least `low`, and below 10^15."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e15:
        raise InvalidProblemError.of(path, f"expected a number, not {_say(value)}")
    if value < low:
        raise InvalidProblemError.of(path, f"must be at least {low:g}, not {value:g}")
    return float(value)


def whole(value: object, path: str, low: float = -math.inf) -> int:
    """A whole number of at least `low`."""
    answer = number(value, path, low)
    if answer != math.floor(answer):
        raise InvalidProblemError.of(path, f"expected a whole number, not {answer:g}")
    return int(answer)


def _say(value: object) -> str:
    return "null" if value is None else repr(value)[:40]
