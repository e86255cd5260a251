"""Two plans of the contract side by side."""

from traboule.rounds.v1 import plan_pb2 as pb

from services.rounds.comparison import compare, shift_s


def _round(vehicle: str, *stops: tuple[str, int], cost: float = 10.0, metres: float = 1000.0) -> pb.DeliveryRound:
    tasks = [
        pb.RoundStop(
            kind=pb.RoundStop.KIND_DELIVERY, shipment_id=name, arrival_unix_s=at, late_cost=1.0, window_probability=0.9
        )
        for name, at in stops
    ]
    return pb.DeliveryRound(
        vehicle_id=vehicle, stops=[pb.RoundStop(kind=pb.RoundStop.KIND_START), *tasks], cost=cost, distance_m=metres,
        duration_s=3600, drive_s=1800, co2_g=200.0,
    )  # fmt: skip


def test_moves_shifts_losses_and_sums() -> None:
    """An order moves, one is late, one is lost, one is new; a van stays at home."""
    before = pb.Plan(rounds=[_round("v", ("a", 100), ("b", 200)), _round("w", ("c", 300), cost=30.0)])
    after = pb.Plan(
        rounds=[_round("v", ("a", 700), ("b", 200), ("d", 900), cost=20.0, metres=3000.0)],
        unserved=[pb.UnservedShipment(shipment_id="c")],
    )
    found = compare(before, after)
    assert [one.vehicle_id for one in found.vehicles] == ["v", "w"]
    assert not found.vehicles[1].HasField("after")
    assert (found.total.before.cost, found.total.after.cost) == (40.0, 20.0)
    assert (found.total.before.served_count, found.total.after.served_count) == (3, 3)
    assert (found.total.before.used_vehicles, found.total.after.used_vehicles) == (2, 1)
    assert (found.total.before.late_cost, found.total.before.least_probability) == (3.0, 0.9)
    orders = {one.shipment_id: one for one in found.orders}
    assert shift_s(orders["a"]) == 600
    assert (orders["c"].vehicle_before, orders["c"].vehicle_after, shift_s(orders["c"])) == ("w", "", 0)
    assert found.words[:3] == ["no longer served: c", "newly served: d", "no longer driving: w"]
    assert any(words.startswith("saved: cost 20.0 (50.0 %), duration 60.0 min") for words in found.words)
    assert any("lost: distance 1.0 km" in words for words in found.words)
    assert "1 orders are reached later, by up to 10 min" in found.words


def test_the_same_plan_changes_nothing() -> None:
    """One sentence says so; moved orders are named."""
    one, two = pb.Plan(rounds=[_round("v", ("a", 100))]), pb.Plan(rounds=[_round("w", ("a", 100))])
    assert compare(one, one).words == ["the same orders with the same vehicles at the same times"]
    assert "1 orders changed vehicles: a (v → w)" in compare(one, two).words


def test_empty_plans_compare() -> None:
    """Nothing on both sides is no error."""
    found = compare(pb.Plan(), pb.Plan())
    assert found.total.before == found.total.after
    assert list(found.vehicles) == []
