"""Every family of public instances: feasible under an independent checker, repeatable, and not far from the best known."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from loadtest.rounds import main
from tests.builders.shared_data import SHARED, shared

CHECKER = SHARED.parent / "checks" / "verify_rounds.py"
FAMILIES = [
    ("rounds/lyon_rifki2020/n=20/Rifki-1.vrp.json", "duration", "double", 1.02),
    ("rounds/lera2026/S2/n=200/Lera-R1_2_1-S2.vrp.json", "duration", "double", 1.25),
    ("rounds/vrptw/C101.txt", "distance", "double", None),
    ("rounds/vrptw/R201.txt", "vehicles-distance", "dimacs", None),
    ("rounds/pdptw/lc101.txt", "vehicles-distance", "double", 1.03),
]


@pytest.mark.slow
@pytest.mark.parametrize(("path", "objective", "rounding", "gap"), FAMILIES)
def test_feasible_and_repeatable(path: str, objective: str, rounding: str, gap: float | None, tmp_path: Path) -> None:
    """Two runs with the same seed and iterations write the same routes, and the checker finds the same cost."""
    instance, answers = shared(path), []
    for name in ("one", "two"):
        out = tmp_path / f"{name}.json"
        options = ["--iterations", "150", "--seed", "5", "--objective", objective, "--rounding", rounding, "--out", str(out)]
        assert main(["--instance", str(instance), *options]) == 0
        answers.append(json.loads(out.read_text()))
    assert answers[0]["routes"] == answers[1]["routes"]
    command = [sys.executable, str(CHECKER), str(instance), str(tmp_path / "one.json"), "--rounding", rounding]
    checked = json.loads(subprocess.run(command, capture_output=True, text=True, check=False).stdout)
    assert checked["feasible"], checked
    assert checked["cost"] == pytest.approx(answers[0]["cost"], abs=1e-5)
    if gap is not None:
        file = instance.parent / "BKS.json"
        known = json.loads(file.read_text())[instance.stem]["best_known_cost"] if file.exists() else None
        known = known or json.loads(instance.with_name(instance.name.replace(".vrp", ".bks.Duration")).read_text())["cost"]
        assert checked["cost"] <= gap * known


def test_limits_are_required(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither seconds nor iterations is an error with a sentence."""
    with pytest.raises(SystemExit):
        main(["--instance", "x.txt"])
    assert "either --seconds or --iterations" in capsys.readouterr().err
