"""The SUMO adapter: real networks become intersections; every state it sends passes the checker; fixed equals the map."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from loadtest import signals as benchmark
from services.common.errors import InvalidInput
from services.twin.sumo_net import SumoLimits, read_signals
from tests.builders.shared_data import shared
from tests.builders.signals import find_violations, limits_of
from tests.traffic_lights.test_guard import attack
from traffic_lights.guard import Guard, Verdict

pytest.importorskip("sumolib", reason="needs the extra `sumo`")
MAPS = ("cologne1", "cologne3", "ingolstadt1", "ingolstadt7")


@pytest.mark.parametrize("name", MAPS)
def test_guard_runs_the_program_of_the_map_unchanged(name: str) -> None:
    """With no all-red and 5 s minimum green the guard shows the stages of the map's program at its own times."""
    for signal in read_signals(shared(f"signals/{name}/{name}.net.xml"), SumoLimits()):
        guard = Guard(signal.intersection, 0, 0)
        for second in range(3 * signal.plan.cycle_s):
            wanted = signal.plan.stage_at(second)
            command = guard.step(second, wanted)
            assert command.verdict in (Verdict.HOLD, Verdict.GRANTED, Verdict.IN_TRANSITION)
            assert command.next_stage == wanted
            if not command.in_transition:
                letters = signal.program_states[command.stage]
                assert [a in (2, 3) for a in command.aspects] == [c in "gG" for c in letters]


@pytest.mark.parametrize("limits", [SumoLimits(), SumoLimits(all_red_s=2, min_green_s=10)])
def test_real_junctions_withstand_malicious_commands(limits: SumoLimits) -> None:
    """No violation on the twelve junctions of Cologne and Ingolstadt."""
    for name in MAPS:
        for k, signal in enumerate(read_signals(shared(f"signals/{name}/{name}.net.xml"), limits)):
            states = attack(signal.intersection, k, 500)
            assert find_violations(limits_of(signal.intersection), states) == []


@pytest.mark.slow
def test_benchmark_writes_what_can_be_checked(tmp_path: Path) -> None:
    """Every state in tls_states.xml keeps limits.json; the reported delay is that of tripinfo.xml."""
    pytest.importorskip("libsumo")
    scenario = shared("signals/cologne1")
    delays = {}
    for controller in ("fixed", "adaptive"):
        out = tmp_path / controller
        assert benchmark.main([
            "--scenario", str(scenario), "--controller", controller, "--seed", "3", "--all-red-s", "1", "--out", str(out),
        ]) == 0  # fmt: skip
        trips = [
            float(t.get("timeLoss", 0)) + float(t.get("departDelay", 0))
            for t in ET.parse(out / "tripinfo.xml").getroot().iter("tripinfo")
        ]
        report = json.loads((out / "report.json").read_text())
        assert report["mean_delay_s"] == pytest.approx(sum(trips) / len(trips), abs=0.01)
        assert len(trips) == report["vehicles"] == 2015
        delays[controller] = report["mean_delay_s"]
        _check_states(out)
    assert delays["adaptive"] < 0.7 * delays["fixed"]


def test_broken_scenarios_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder without scenario and a missing network are clear errors."""
    assert benchmark.main(["--scenario", str(tmp_path), "--controller", "fixed", "--out", str(tmp_path / "o")]) == 2
    assert "sumocfg" in capsys.readouterr().err
    with pytest.raises(InvalidInput, match="no SUMO network"):
        read_signals(tmp_path / "none.net.xml", SumoLimits())


def _check_states(out: Path) -> None:
    """Check the written states with nothing but the written limits."""
    limits = json.loads((out / "limits.json").read_text())["signals"]
    states: dict[str, list[str]] = {}
    for row in ET.parse(out / "tls_states.xml").getroot().iter("tlsState"):
        states.setdefault(row.get("id", ""), []).append(row.get("state", ""))
    assert set(states) == set(limits)
    for name, mine in limits.items():
        n = len(mine["yellow_s"])
        conflicts = [[[i, j] in mine["conflicts"] or [j, i] in mine["conflicts"] for j in range(n)] for i in range(n)]
        table = {
            "clearing": mine["yellow_s"],
            "min_green": mine["min_green_s"],
            "max_green": mine["max_green_s"],
            "max_red": mine["max_red_s"],
            "conflicts": conflicts,
            "yields": [[[i, j] in mine["yields"] for j in range(n)] for i in range(n)],
            "intergreen": [[mine["yellow_s"][i] + mine["all_red_s"]] * n for i in range(n)],
            "stages": [[k for k, c in enumerate(s) if c in "gG"] for s in mine["stages"]],
            "transitions": [[True] * len(mine["stages"])] * len(mine["stages"]),
        }
        shown = [bytes({"r": 0, "y": 1, "G": 2, "g": 3}[c] for c in s) for s in states[name]]
        assert len(shown) >= 3600
        assert find_violations(table, shown) == []
