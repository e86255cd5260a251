"""The signals of the real city become safe intersections and corridors that can be simulated."""

import pytest

from services.city.snapshot import CitySnapshot
from services.signals.corridor import list_corridors, pick_corridor
from services.signals.errors import CorridorNotFound, IntersectionNotFound
from services.signals.loader import SiteLoader
from services.signals.simulation import simulate_corridor
from tests.builders.signals import find_violations, limits_of
from tests.traffic_lights.test_guard import attack
from traffic_lights.errors import SignalsError


@pytest.fixture(scope="module")
def loader(porto_snapshot: CitySnapshot) -> SiteLoader:
    """Signal sites of Porto."""
    return SiteLoader(porto_snapshot.street, porto_snapshot.signal_sites)


def test_porto_withstands_malicious_commands(loader: SiteLoader) -> None:
    """10 000 random commands over every fifth intersection of Porto lead to no violation; nearly all sites can be built."""
    built = 0
    for i in range(0, len(loader.sites), 5):
        try:
            x = loader.build(i)
        except SignalsError:
            continue
        built += 1
        assert find_violations(limits_of(x), attack(x, i, 200)) == []
    assert built >= 0.9 * len(range(0, len(loader.sites), 5))
    assert built * 200 >= 9_000


def test_corridor_is_simulated_under_fixed_and_adaptive_control(loader: SiteLoader) -> None:
    """A street with signals becomes a connected network; both controls meet the same vehicles and lose none."""
    name, count = list_corridors(loader)[1]
    corridor = pick_corridor(loader, name, most=6, demand_factor=0.6)
    assert 2 <= len(corridor.site_ids) <= min(6, count)
    last = {step.control: step.report.totals for step in simulate_corridor(corridor, seconds=900, every_s=300)}
    assert set(last) == {"fixed", "adaptive"}
    assert last["fixed"].generated == last["adaptive"].generated > 50
    for totals in last.values():
        assert totals.generated == totals.left + totals.inside + totals.waiting_outside
    assert last["adaptive"].mean_delay_s < last["fixed"].mean_delay_s


def test_unknown_names_are_refused(loader: SiteLoader) -> None:
    """A street or an intersection that does not exist is an error that helps."""
    with pytest.raises(CorridorNotFound, match="streets with most"):
        pick_corridor(loader, "Nowhere Street")
    with pytest.raises(IntersectionNotFound):
        loader.get("osm-0")
