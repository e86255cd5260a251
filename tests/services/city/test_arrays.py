"""Array dataclasses on disk: what is stored comes back, mapped, read-only, byte for byte the same, or a clear error."""

import dataclasses
import datetime
import filecmp
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.model.strings import StringTable
from services.city.arrays import load, store
from services.city.errors import SnapshotCorruptError, SnapshotError, SnapshotFormatError, SnapshotMissingError


@dataclasses.dataclass(frozen=True, slots=True)
class Inner:
    """A nested value."""

    ids: npt.NDArray[np.int64]
    label: str


@dataclasses.dataclass(frozen=True, slots=True)
class Outer:
    """One field of every kind."""

    flat: npt.NDArray[np.float32]
    grid: npt.NDArray[np.int32]
    none: npt.NDArray[np.int8] | None
    names: StringTable
    inner: Inner
    many: tuple[Inner, ...]
    pair: tuple[int, str]
    box: tuple[float, float] | None
    day: datetime.date
    ratio: float
    flag: bool


def drawn() -> Outer:
    """Build a value with awkward content: empty arrays, a non-contiguous view, accents, infinity."""
    return Outer(
        np.zeros(0, np.float32),
        np.arange(12, dtype=np.int32).reshape(3, 4)[:, ::2],
        None,
        StringTable.build(["", "São Bento", "漢字"]),
        Inner(np.array([-1, 2**62]), "inner"),
        (Inner(np.arange(3), "a"), Inner(np.zeros(0, np.int64), "b")),
        (7, "x"),
        None,
        datetime.date(2026, 7, 28),
        float("inf"),
        True,
    )


def files(folder: Path) -> list[str]:
    """List all files below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_every_kind_of_field_comes_back(tmp_path: Path) -> None:
    """All kinds of fields are equal after a round trip, and arrays cannot be written to."""
    value = drawn()
    store(tmp_path / "v", value)
    back = load(tmp_path / "v", Outer)
    np.testing.assert_array_equal(back.grid, value.grid)
    assert back.grid.dtype == np.int32
    assert type(back.grid) is np.ndarray
    assert not back.grid.flags.writeable
    assert len(back.flat) == 0
    assert back.flat.dtype == np.float32
    assert back.none is None
    assert back.box is None
    assert list(back.names) == ["", "São Bento", "漢字"]
    assert [inner.label for inner in back.many] == ["a", "b"]
    assert back.inner.ids.tolist() == [-1, 2**62]
    assert (back.pair, back.day, back.ratio, back.flag) == ((7, "x"), datetime.date(2026, 7, 28), float("inf"), True)
    with pytest.raises(ValueError, match="read-only"):
        back.grid[0, 0] = 1


def test_same_value_same_bytes(tmp_path: Path) -> None:
    """Two writings of equal values are identical files."""
    store(tmp_path / "a", drawn())
    store(tmp_path / "b", drawn())
    names = files(tmp_path / "a")
    assert names == files(tmp_path / "b")
    assert len(names) > 10
    assert all(filecmp.cmp(tmp_path / "a" / name, tmp_path / "b" / name, shallow=False) for name in names)


@settings(max_examples=20)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=12), max_size=20))
def test_any_text_comes_back(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    """Any list of strings survives storing."""
    folder = tmp_path_factory.mktemp("text")
    store(folder / "v", Texts(StringTable.build(texts)))
    assert list(load(folder / "v", Texts).texts) == texts


@dataclasses.dataclass(frozen=True, slots=True)
class Texts:
    """Only text."""

    texts: StringTable


def test_missing_truncated_and_altered_files_are_named(tmp_path: Path) -> None:
    """The error names the file that is missing, short or of another shape, and says to build again."""
    with pytest.raises(SnapshotMissingError, match="build the city again"):
        load(tmp_path / "nothing", Outer)
    store(tmp_path / "v", drawn())
    grid = tmp_path / "v" / "grid.npy"
    whole = grid.read_bytes()
    for cut in (0, 5, 40, len(whole) - 4):
        grid.write_bytes(whole[:cut])
        with pytest.raises(SnapshotCorruptError, match=r"grid\.npy"):
            load(tmp_path / "v", Outer)
    np.save(grid, np.zeros(3, np.int32))
    with pytest.raises(SnapshotCorruptError, match="instead of"):
        load(tmp_path / "v", Outer)
    grid.unlink()
    with pytest.raises(SnapshotMissingError, match=r"grid\.npy"):
        load(tmp_path / "v", Outer)
    (tmp_path / "v" / "meta.json").write_text("{")
    with pytest.raises(SnapshotCorruptError, match=r"meta\.json"):
        load(tmp_path / "v", Outer)


def test_changed_class_is_refused(tmp_path: Path) -> None:
    """A value written with other fields, or another class, is not read."""
    store(tmp_path / "v", Inner(np.arange(2), "x"))
    renamed = dataclasses.make_dataclass("Inner", [("ids", npt.NDArray[np.int64]), ("title", str)], frozen=True)
    with pytest.raises(SnapshotFormatError, match="label, title"):
        load(tmp_path / "v", renamed)
    with pytest.raises(SnapshotFormatError, match="Outer"):
        load(tmp_path / "v", Outer)


def test_what_cannot_be_stored_is_said(tmp_path: Path) -> None:
    """Python objects are refused with the field's name."""
    with pytest.raises(SnapshotError, match="field ids"):
        store(tmp_path / "v", Inner(np.array([object()]), "x"))
    with pytest.raises(SnapshotError, match="only dataclasses"):
        store(tmp_path / "w", {"a": 1})
