"""Strict reading of configuration tables into frozen dataclasses: every error names file, key, value and what to do."""

import dataclasses
import datetime
import difflib
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from services.city.errors import CityConfigError

T = TypeVar("T")


class FieldProblemError(ValueError):
    """Raised by the ``__post_init__`` of a configuration dataclass: which field, and what is wrong with it."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


def read_table(cls: type[T], table: Mapping[str, object], source: str, key: str = "") -> T:
    """Turn a table of a TOML file into a value of the dataclass `cls`.

    Fields may be text, numbers, booleans, dates, `Literal` choices, tuples of these, nested dataclasses, tuples of dataclasses
    (arrays of tables), ``Mapping[str, object]`` (taken as it is), or ``| None``. Fields with defaults may be left out.

    Parameters
    ----------
    cls : type
        A dataclass; its ``__post_init__`` may raise `FieldProblemError`.
    table : mapping
        As `tomllib` reads it.
    source : str
        The file, for messages.
    key : str
        Where the table stands in the file, for messages.

    Raises
    ------
    CityConfigError
        Naming the key that is unknown, missing or wrong.
    """
    hints = typing.get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}  # type: ignore[arg-type]
    for name in table:
        if name not in fields:
            raise CityConfigError(source, _join(key, name), _unknown(name, list(fields)))
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name in table:
            values[name] = _convert(hints[name], table[name], source, _join(key, name))
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise CityConfigError(source, _join(key, name), f"is missing: add `{name} = …` ({_describe(hints[name])})")
    try:
        return cls(**values)
    except FieldProblemError as problem:
        raise CityConfigError(source, _join(key, problem.field), problem.problem) from None


def _unknown(name: str, valid: list[str]) -> str:
    near = difflib.get_close_matches(name, valid, n=1, cutoff=0.5)
    if near:
        return f"unknown key; did you mean `{near[0]}`?"
    return f"unknown key; remove it (valid here: {', '.join(sorted(valid))})"


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _convert(hint: Any, value: object, source: str, key: str) -> object:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        plain = next(argument for argument in arguments if argument is not type(None))
        return _convert(plain, value, source, key)
    if origin is Literal:
        return _choice(arguments, value, source, key)
    if origin is tuple:
        return _sequence(arguments, value, source, key)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise CityConfigError(source, key, f"must be a table ([{key}]), not {value!r}")
        return read_table(hint, value, source, key)
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise CityConfigError(source, key, f"must be a table ([{key}]), not {value!r}")
        return dict(value)
    return _scalar(hint, value, source, key)


def _choice(choices: tuple[Any, ...], value: object, source: str, key: str) -> object:
    if value in choices:
        return value
    near = difflib.get_close_matches(str(value), [str(choice) for choice in choices], n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise CityConfigError(source, key, f"{value!r} is not possible; {hint}(one of {', '.join(map(repr, choices))})")


def _sequence(arguments: tuple[Any, ...], value: object, source: str, key: str) -> tuple[object, ...]:
    if not isinstance(value, list):
        raise CityConfigError(source, key, f"must be a list, not {value!r}")
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return tuple(_convert(arguments[0], item, source, f"{key}[{i}]") for i, item in enumerate(value))
    if len(value) != len(arguments):
        raise CityConfigError(source, key, f"must have {len(arguments)} values, not {len(value)}")
    return tuple(
        _convert(hint, item, source, f"{key}[{i}]") for i, (hint, item) in enumerate(zip(arguments, value, strict=True))
    )


def _scalar(hint: Any, value: object, source: str, key: str) -> object:
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    exact = type(value) is hint or (hint is datetime.date and type(value) is datetime.date)
    if not exact:
        raise CityConfigError(source, key, f"must be {_describe(hint)}, not {value!r}")
    return value


def _describe(hint: Any) -> str:
    words = {str: "text in quotes", int: "a whole number", float: "a number", bool: "true or false"}
    if hint in words:
        return words[hint]
    if hint is datetime.date:
        return "a date without quotes, such as 2026-07-28"
    if typing.get_origin(hint) is tuple:
        return "a list"
    if typing.get_origin(hint) is Literal:
        return "one of " + ", ".join(map(repr, typing.get_args(hint)))
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return "a table"
    arguments = [argument for argument in typing.get_args(hint) if argument is not type(None)]
    return _describe(arguments[0]) if arguments else "another kind of value"
