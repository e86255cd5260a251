"""The stamp of an answer: city, epochs and ages of the feeds that went into it."""

from collections.abc import Callable
from dataclasses import dataclass

from traboule.common.v1 import stamp_pb2

from services.common.clock import CityClock
from services.common.live.state import LiveState, Topic
from services.ingest.health import Health
from services.ingest.mapping import to_health


@dataclass(frozen=True, slots=True)
class Stamper:
    """Makes stamps for the servicers of one city."""

    city: str
    snapshot_id: str
    snapshot_epoch: int
    clock: CityClock
    live: LiveState
    list_health: Callable[[], list[Health]]

    def stamp(self) -> stamp_pb2.AnswerStamp:
        """Stamp for an answer made now."""
        return stamp_pb2.AnswerStamp(
            city=self.city, snapshot_id=self.snapshot_id, snapshot_epoch=self.snapshot_epoch,
            realtime_epoch=self.live.epoch(Topic.TRIPS), traffic_epoch=self.live.epoch(Topic.TRAFFIC),
            parking_epoch=self.live.epoch(Topic.CAR_PARKS), generated_unix_s=int(self.clock.now()),
            feeds=[
                stamp_pb2.FeedAge(
                    feed_id=health.feed_id, age_s=health.age_s, stale=health.state == "stale", origin=to_health(health).origin
                )
                for health in self.list_health()
                if health.age_s is not None
            ],
        )  # fmt: skip
