"""What one change of a plan did."""

from dataclasses import dataclass, field

from routing.rounds.plan import DeliveryRound, Unserved


@dataclass(frozen=True, slots=True)
class Change:
    """What one change did.

    Attributes
    ----------
    before, after : dict of int to DeliveryRound
        Rounds that changed, by vehicle; absent = it stayed or stays at home.
    moved : tuple of int
        Shipments that were taken out, and put in again if there was a place.
    cost_delta : float
        Cost after less cost before; of an order that was inserted the penalty does not count.
    lost : tuple of Unserved
        Shipments that are not served any more, or cannot be.
    vehicle_idx : int or None
        Who serves the order inserted; None = nobody.
    """

    before: dict[int, DeliveryRound] = field(default_factory=dict)
    after: dict[int, DeliveryRound] = field(default_factory=dict)
    moved: tuple[int, ...] = ()
    cost_delta: float = 0.0
    lost: tuple[Unserved, ...] = ()
    vehicle_idx: int | None = None
