"""Frozen dataclasses of arrays on disk: one ``.npy`` file per array, memory-mapped when read.

A value is a folder with a ``meta.json``. Fields may be arrays of any plain dtype, `StringTable`, nested dataclasses, tuples of
any of these, numbers, text, dates and ``None``. The same value always gives the same bytes.

Arrays come back **read-only**, as plain `numpy.ndarray` over the mapped file. Numba treats them as another type than writable
arrays (one more compilation), so kernels are warmed with arrays read from a snapshot.
"""

import dataclasses
import datetime
import json
import typing
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from routing.model.strings import StringTable
from services.city.errors import SnapshotCorruptError, SnapshotError, SnapshotFormatError, SnapshotMissingError

FORMAT = 3
"""Version of the layout on disk; a snapshot of another version is refused."""

META = "meta.json"

_AGAIN = "build the city again (traboule city build)"

T = TypeVar("T")
Node = dict[str, Any]


def store(folder: Path, value: object) -> None:
    """Write a dataclass to `folder`, which is created.

    Parameters
    ----------
    folder : Path
        Must not exist, or be empty.
    value : object
        A dataclass instance.

    Raises
    ------
    SnapshotError
        If a field holds something that cannot be stored.
    """
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        raise SnapshotError(f"only dataclasses can be stored, not {type(value).__name__}")
    folder.mkdir(parents=True, exist_ok=True)
    fields: Node = {}
    for field in _fields(type(value)):
        fields[field.name] = _encode(folder, field.name, getattr(value, field.name))
    meta = {"format": FORMAT, "class": type(value).__name__, "fields": fields}
    text = json.dumps(meta, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=True)
    (folder / META).write_text(text + "\n", encoding="utf-8")


def load(folder: Path, cls: type[T]) -> T:
    """Read the value of class `cls` that `store` wrote to `folder`; arrays are mapped, not read.

    Raises
    ------
    SnapshotMissingError
        If the folder or one of its files is not there.
    SnapshotCorruptError
        If a file is truncated, or does not hold what ``meta.json`` says.
    SnapshotFormatError
        If it was written with other fields or another layout version.
    """
    meta = _read_meta(folder)
    wanted = [field.name for field in _fields(cls)]
    if meta.get("format") != FORMAT or meta.get("class") != cls.__name__:
        raise SnapshotFormatError(
            f"{folder} holds {meta.get('class')} in layout {meta.get('format')}, this program reads {cls.__name__} "
            f"in layout {FORMAT}: {_AGAIN}"
        )
    stored = cast(Node, meta.get("fields", {}))
    if set(stored) != set(wanted):
        changed = sorted(set(stored) ^ set(wanted))
        raise SnapshotFormatError(
            f"{folder} was written by another version of the program (fields that differ: {', '.join(changed)}): {_AGAIN}"
        )
    hints = {field.name: field.type for field in _fields(cls)}
    values = {name: _decode(folder, stored[name], _class_of(cls, name, hints[name])) for name in wanted}
    return cls(**values)


def _fields(cls: Any) -> list["dataclasses.Field[Any]"]:
    if not dataclasses.is_dataclass(cls):
        raise SnapshotError(f"{cls.__name__} is not a dataclass")
    return [field for field in dataclasses.fields(cls) if field.init]


def _read_meta(folder: Path) -> Node:
    path = folder / META
    try:
        return cast(Node, json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise SnapshotMissingError(f"{path} is missing: {_AGAIN}") from None
    except (ValueError, OSError) as error:
        raise SnapshotCorruptError(f"{path} cannot be read ({error}): {_AGAIN}") from error


def _encode(folder: Path, name: str, value: object) -> Node:
    if isinstance(value, np.ndarray):
        return _write_array(folder, name, value)
    if isinstance(value, StringTable):
        return {
            "strings": [
                _write_array(folder, f"{name}.data", value.data),
                _write_array(folder, f"{name}.offsets", value.offsets),
            ]
        }
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        store(folder / name, value)
        return {"dataclass": name}
    if isinstance(value, tuple):
        return {"tuple": [_encode(folder, f"{name}.{i}", item) for i, item in enumerate(value)]}
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return {"date": value.isoformat()}
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return {"value": value}
    raise SnapshotError(
        f"field {name}: {type(value).__name__} cannot be stored (arrays, text, numbers, dates, dataclasses, tuples, None)"
    )


def _write_array(folder: Path, name: str, array: npt.NDArray[Any]) -> Node:
    if array.dtype.hasobject:
        raise SnapshotError(f"field {name}: arrays of Python objects cannot be stored")
    plain = np.ascontiguousarray(array).reshape(array.shape)
    if plain.dtype.byteorder == ">":
        plain = plain.astype(plain.dtype.newbyteorder("<"))
    file = f"{name}.npy"
    with open(folder / file, "wb") as target:
        np.lib.format.write_array(target, plain, version=(1, 0), allow_pickle=False)
    return {"array": file, "dtype": plain.dtype.str, "shape": list(plain.shape)}


def _decode(folder: Path, node: Node, cls: type[Any] | None) -> object:
    if "array" in node:
        return _map_array(folder, node)
    if "strings" in node:
        data, offsets = node["strings"]
        return StringTable(_map_array(folder, data), _map_array(folder, offsets))
    if "dataclass" in node:
        if cls is None:
            raise SnapshotFormatError(
                f"{folder / node['dataclass']}: the class to read it with is not known from the annotation"
            )
        return load(folder / node["dataclass"], cls)
    if "tuple" in node:
        return tuple(_decode(folder, item, cls) for item in node["tuple"])
    if "date" in node:
        return datetime.date.fromisoformat(node["date"])
    return node["value"]


def _map_array(folder: Path, node: Node) -> npt.NDArray[Any]:
    path = folder / node["array"]
    shape, dtype = tuple(node["shape"]), np.dtype(node["dtype"])
    try:
        # A file with no data cannot be mapped.
        array = np.load(path, mmap_mode="r" if 0 not in shape else None, allow_pickle=False)
    except FileNotFoundError:
        raise SnapshotMissingError(f"{path} is missing: {_AGAIN}") from None
    except (ValueError, OSError, EOFError) as error:
        raise SnapshotCorruptError(f"{path} is truncated or altered ({error}): {_AGAIN}") from error
    if array.shape != shape or array.dtype != dtype:
        raise SnapshotCorruptError(f"{path} holds {array.dtype}{list(array.shape)} instead of {dtype}{list(shape)}: {_AGAIN}")
    # A plain view: NumPy and Numba are slower with the memmap subclass. The mapping lives as long as the view.
    plain: npt.NDArray[Any] = array.view(np.ndarray)
    plain.flags.writeable = False
    return plain


def _class_of(owner: type[Any], name: str, annotation: object) -> type[Any] | None:
    """Find the dataclass named by an annotation such as ``Inner``, ``Inner | None`` or ``tuple[Inner, …]``."""
    hints = typing.get_type_hints(owner) if isinstance(annotation, str) else {name: annotation}
    found: list[type[Any]] = []

    def visit(hint: object) -> None:
        if isinstance(hint, type) and dataclasses.is_dataclass(hint) and hint is not StringTable:
            found.append(hint)
        for argument in typing.get_args(hint):
            visit(argument)

    visit(hints[name])
    return found[0] if found else None
