"""The health of every feed."""

from typing import TYPE_CHECKING

from traboule.feeds.v1 import feed_pb2, feeds_service_pb2, feeds_service_pb2_grpc

from services.demo.pictures.page import paragraph, table

if TYPE_CHECKING:
    from services.demo.tour import Tour

GOOD = (feed_pb2.FEED_STATE_OK, feed_pb2.FEED_STATE_DEGRADED)


async def run(tour: "Tour") -> None:
    """Ask for the health of all feeds."""
    async with tour.city.channel("ingest") as channel:
        stub = feeds_service_pb2_grpc.FeedsServiceStub(channel)
        feeds = (await stub.GetFeedHealth(feeds_service_pb2.GetFeedHealthRequest())).feeds
    rows = []
    for feed in feeds:
        state = feed_pb2.FeedState.Name(feed.state).removeprefix("FEED_STATE_").lower()
        age = f"{feed.age_s:.0f} s" if feed.HasField("age_s") else "–"
        matched = f"{feed.match_ratio:.0%}" if feed.HasField("match_ratio") else "–"
        rows.append((feed.feed_id, state, age, feed.entity_count, matched, feed.explanation))
        colour = "green" if feed.state in GOOD else "red"
        tour.say(f"  [{colour}]●[/] {feed.feed_id:<20} {state:<9} {age:>6}  {feed.entity_count:>5} entities  matched {matched}")
    good = sum(feed.state in GOOD for feed in feeds)
    polled = sum(feed.last_attempt_unix_s > 0 for feed in feeds)
    tour.expect(bool(feeds) and good >= polled, f"{polled - good} of {polled} feeds are not healthy")
    tour.page.add(
        "feeds",
        "Every feed's health",
        paragraph("Age of the newest content, entities known now, and how many of them are matched to the city."),
        table(("feed", "state", "age", "entities", "matched", "remark"), rows),
    )
