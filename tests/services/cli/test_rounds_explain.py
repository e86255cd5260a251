"""``traboule rounds explain|price|compare`` on files, without a city that runs."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from services.cli.root import root


@pytest.fixture
def vroom(tmp_path: Path) -> Path:
    """Two vans' worth of orders for one van, one of them too early; times of its own."""
    jobs = [
        {"id": 1, "location_index": 1, "delivery": [2]},
        {"id": 2, "location_index": 2, "delivery": [3]},
        {"id": 3, "location_index": 1, "delivery": [1], "time_windows": [[0, 300]]},
    ]
    vehicles = [{"id": 7, "start_index": 0, "end_index": 0, "capacity": [4], "time_window": [0, 4000]}]
    matrix = [[0, 600, 900], [600, 0, 400], [900, 400, 0]]
    file = tmp_path / "small.json"
    file.write_text(json.dumps({"jobs": jobs, "vehicles": vehicles, "matrices": {"car": {"durations": matrix}}}))
    return file


def _run(*arguments: str) -> str:
    answer = CliRunner().invoke(root, ["rounds", *arguments], catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    return " ".join(answer.output.split()) if arguments[0] == "explain" else answer.output


def test_a_file_is_explained(vroom: Path) -> None:
    """Every order that is not served gets its remedies, with figures."""
    text = _run("explain", str(vroom), "--seconds", "0.5")
    assert "open the window until 00:10 instead of 00:05" in text
    assert "1 more units of capacity in vehicle 7" in text
    assert "one more vehicle like vehicle 7" in text
    assert "units of capacity" not in _run("explain", str(vroom), "--seconds", "0.5", "--order", "job 3")
    unknown = CliRunner().invoke(root, ["rounds", "explain", str(vroom), "--order", "job 9"])
    assert unknown.exit_code != 0
    assert "no order 'job 9'" in unknown.output


def test_constraints_of_a_file_are_priced(vroom: Path) -> None:
    """A table with a row for each kind."""
    text = _run("price", str(vroom), "--seconds", "1")
    assert "capacities" in text
    assert "windows" in text
    assert "Savings are what was found" in text


@pytest.mark.usefixtures("porto_snapshot")  # the page's map
def test_two_plans_are_compared(vroom: Path, tmp_path: Path) -> None:
    """Tables, sentences, JSON and a page with both."""
    plan = _run("solve", str(vroom), "--seconds", "0.5", "--json")
    before, after, page = tmp_path / "before.json", tmp_path / "after.json", tmp_path / "both.html"
    plan = plan[plan.index("{") :]
    before.write_text(plan)
    table = json.loads(plan)
    table["rounds"][0]["vehicle_id"] = "another"
    table["rounds"][0]["cost"] += 5
    after.write_text(json.dumps(table))
    text = _run("compare", str(before), str(after), "--picture", str(page))
    assert "newly driving: another" in text
    assert "changed vehicles" in text
    assert page.read_text().count("<svg") == 2
    found = json.loads(_run("compare", str(before), str(after), "--json"))
    assert found["total"]["after"]["cost"] == pytest.approx(found["total"]["before"]["cost"] + 5)
    (tmp_path / "bad.json").write_text('{"rounds": 3}')
    wrong = CliRunner().invoke(root, ["rounds", "compare", str(before), str(tmp_path / "bad.json")])
    assert wrong.exit_code != 0
    assert "bad.json" in wrong.output
