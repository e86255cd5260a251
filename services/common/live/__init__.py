"""Live state for the engines: records followed as they change, swapped in as immutable values with epochs."""

from services.common.live.alerts import AlertInForce, LiveAlerts
from services.common.live.kinds import kind_of
from services.common.live.parking import LiveCarParks
from services.common.live.state import LiveState, Topic
from services.common.live.traffic import LiveTraffic
from services.common.live.trips import LiveTrips

__all__ = ["AlertInForce", "LiveAlerts", "LiveCarParks", "LiveState", "LiveTraffic", "LiveTrips", "Topic", "kind_of"]
