"""Reading frozen dataclasses from environment variables: the mechanics under `services.common.config`.

A field ``port`` of the section ``server`` is set by ``TRABOULE_SERVER__PORT`` or, the same, ``TRABOULE_SERVER_PORT``; a field
of no section, ``home``, by ``TRABOULE_HOME``. Lists are written with commas, maps as ``name=value,name=value``,
booleans as true/false (also 1/0, yes/no, on/off).
"""

import dataclasses
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from services.common.errors import ConfigError

PREFIX = "TRABOULE_"
_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}

T = TypeVar("T")


def setting_error(field: str, value: object, expected: str) -> ConfigError:
    """The one sentence about a wrong setting: field, variable, value, what was expected."""
    variable = PREFIX + field.upper().replace(".", "_")
    return ConfigError(f"{field} ({variable}): {value!r} is not usable; expected {expected}", field=field)


def list_fields(cls: type, section: str = "") -> Iterator[tuple[str, str, Any]]:
    """(section, field, type) of every plain field of a configuration dataclass and its sections."""
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        hint = hints[field.name]
        if dataclasses.is_dataclass(hint):
            yield from list_fields(typing.cast("type", hint), field.name)
        else:
            yield section, field.name, hint


def variable_names(section: str, field: str) -> tuple[str, ...]:
    """Names under which a field may be set."""
    if not section:
        return (PREFIX + field.upper(),)
    return (f"{PREFIX}{section.upper()}__{field.upper()}", f"{PREFIX}{section.upper()}_{field.upper()}")


def read_fields(cls: type[T], section: str, environ: Mapping[str, str]) -> T:
    """One frozen dataclass (a section) from its variables; fields without a variable keep their default.

    Raises
    ------
    ConfigError
        If a value has the wrong type, two names of one field disagree, or the dataclass refuses the value.
    """
    values: dict[str, Any] = {}
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        hint = hints[field.name]
        path = f"{section}.{field.name}" if section else field.name
        if dataclasses.is_dataclass(hint):
            values[field.name] = read_fields(typing.cast("type[Any]", hint), field.name, environ)
            continue
        given = {name: environ[name] for name in variable_names(section, field.name) if name in environ}
        if len(set(given.values())) > 1:
            raise ConfigError(f"{path}: {' and '.join(given)} are both set and disagree; set only one", field=path)
        if given:
            values[field.name] = parse_value(path, next(iter(given.values())), hint)
    return cls(**values)


def parse_value(path: str, text: str, hint: Any) -> Any:
    """Value of type `hint` from text; supports str, int, float, bool, Path, X | None, Literal, tuple[X, ...], dict[str, X]."""
    text = text.strip()
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        inner = [argument for argument in arguments if argument is not type(None)]
        return None if not text and type(None) in arguments else parse_value(path, text, inner[0])
    if origin is Literal:
        if text not in arguments:
            raise setting_error(path, text, "one of " + ", ".join(arguments))
        return text
    if origin is tuple:
        return tuple(parse_value(path, part, arguments[0]) for part in text.split(",") if part.strip())
    if origin is dict:
        return _parse_map(path, text, arguments[1])
    return _parse_scalar(path, text, hint)


def _parse_map(path: str, text: str, value_type: Any) -> dict[str, Any]:
    result = {}
    for part in filter(str.strip, text.split(",")):
        name, separator, value = part.partition("=")
        if not separator or not name.strip():
            raise setting_error(path, text, "name=value,name=value")
        result[name.strip()] = parse_value(path, value, value_type)
    return result


def _parse_scalar(path: str, text: str, hint: Any) -> Any:
    if hint is str:
        return text
    if hint is Path:
        return Path(text).expanduser()
    if hint is bool:
        if text.lower() not in _TRUE | _FALSE:
            raise setting_error(path, text, "true or false")
        return text.lower() in _TRUE
    if hint in (int, float):
        try:
            return hint(text)
        except ValueError:
            raise setting_error(path, text, "a whole number" if hint is int else "a number") from None
    raise TypeError(f"{path}: no reader for settings of type {hint}")
