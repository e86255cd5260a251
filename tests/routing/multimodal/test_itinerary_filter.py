"""Which itineraries are shown."""

from hypothesis import given
from hypothesis import strategies as st

from routing.multimodal.itinerary_filter import choose, dominates, pareto
from routing.multimodal.model import Itinerary
from tests.builders.itineraries import itinerary

legs = st.lists(st.tuples(st.sampled_from(["walk", "transit"]), st.integers(1, 40)), min_size=1, max_size=4)


@st.composite
def drawn(draw: st.DrawFn) -> Itinerary:
    """A transit or walking itinerary with random legs."""
    kind = draw(st.sampled_from("TW"))
    parts = " ".join(f"{mode if kind == 'T' else 'walk'} {60 * minutes}" for mode, minutes in draw(legs))
    return itinerary(f"{kind} 10:{draw(st.integers(0, 59)):02d} {parts}")


@given(st.lists(drawn(), max_size=12))
def test_pareto_set_has_no_dominated_member(candidates: list[Itinerary]) -> None:
    """Nothing kept is dominated within its kind, and everything dropped is dominated or equalled by something kept."""
    kept = pareto(candidates)
    for a in kept:
        assert not any(b.kind is a.kind and dominates(b, a) for b in kept)
    for lost in candidates:
        if lost not in kept:
            assert any(k.kind is lost.kind and not dominates(lost, k) for k in kept)


@given(st.lists(drawn(), max_size=12), st.integers(1, 5))
def test_choice_keeps_the_limit_and_the_earliest(candidates: list[Itinerary], limit: int) -> None:
    """At most `limit` come out, in arrival order, and something comes out whenever something went in."""
    chosen = choose(candidates, limit=limit, arrive_by=False)
    assert len(chosen) <= limit
    assert bool(chosen) == bool(candidates)
    assert chosen == sorted(chosen, key=lambda i: (i.arrival_s, -i.departure_s))


def test_a_bus_slower_than_walking_is_not_shown() -> None:
    """A ride that walks as long as walking all the way is dropped; a quicker one stays."""
    walk = itinerary("W 10:00 walk 900")
    silly = itinerary("T 10:00 walk 500 transit 120 walk 400")
    good = itinerary("T 10:00 walk 100 transit 300 walk 100")
    assert choose([walk, silly, good], limit=5, arrive_by=False) == [good, walk]


def test_every_kind_keeps_its_best() -> None:
    """One slow car is still listed beside three better buses when room is scarce."""
    buses = [itinerary(f"T 10:{m:02d} walk 60 transit 600 walk 60") for m in (0, 10, 20)]
    car = itinerary("C 10:00 car 3000")
    assert car in choose([*buses, car], limit=2, arrive_by=False)


def test_park_and_ride_must_save_time_over_transit() -> None:
    """Three minutes saved do not bring the car out, twenty do."""
    ride = itinerary("T 10:00 transit 2400")
    hardly = itinerary("P 10:03 car 600 transit 1620")
    clearly = itinerary("P 10:20 car 600 transit 600")
    assert choose([ride, hardly], limit=5, arrive_by=False) == [ride]
    assert clearly in choose([ride, clearly], limit=5, arrive_by=False)
