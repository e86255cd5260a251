"""All 1,000 depart-at and 1,000 range answers for Vilnius equal those three independent engines agree on."""

import gzip
from pathlib import Path

import pytest

from loadtest.transit import main
from tests.builders.shared_data import shared


def run(tmp_path: Path, mode: str, oracle: str) -> tuple[list[str], list[str]]:
    """Answers of the benchmark command, and the right ones."""
    files = {name: str(shared(f"transit/vilnius1.{name}")) for name in ("zip", "footpaths.csv.gz", "q")}
    out = tmp_path / "answers"
    arguments = ["--gtfs", files["zip"], "--footpaths", files["footpaths.csv.gz"], "--queries", files["q"]]
    assert main([*arguments, "--mode", mode, "--out", str(out)]) == 0
    with gzip.open(shared(f"transit/vilnius1.ora.{oracle}.gz"), "rt") as file:
        return out.read_text().splitlines(), file.read().splitlines()


def journeys(line: str, first: int) -> list[tuple[int, ...]]:
    """Journeys of an answer line, their columns from `first` on."""
    return sorted(tuple(map(int, journey.split(",")))[first:] for journey in line.split()[3:])


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "oracle", "first"), [("depart", "ontrip", 1), ("range", "range", 0)])
def test_answers_equal_the_oracle(tmp_path: Path, mode: str, oracle: str, first: int) -> None:
    """Every line, in order; depart-at compares arrival and transfers, range the departure as well."""
    answers, expected = run(tmp_path, mode, oracle)
    assert len(answers) == len(expected) == 1000
    for answer, right in zip(answers, expected, strict=True):
        assert answer.split()[:3] == right.split()[:3]
        assert journeys(answer, first) == journeys(right, first)
    assert sum(len(journeys(line, first)) for line in answers) > 1000
