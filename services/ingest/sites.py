"""Measurement site tables: fetched beside the feeds that speak of them."""

import asyncio

import structlog

from services.ingest.errors import FetchFailed
from services.ingest.feed import Feed
from services.ingest.fetch import Validators, fetch, new_client
from services.ingest.poller import Poller
from services.ingest.publish import Publisher

EVERY_S, AGAIN_S = 3600.0, 2.0
LONGEST_PAUSE_S = 300.0

log = structlog.get_logger("ingest")


async def keep_sites(publisher: Publisher, poller: Poller, feed: Feed) -> None:
    """Read the site table of a feed now and every hour, for ever; the feed is polled from its first table (or failure) on."""
    validators, pause, started = Validators(), AGAIN_S, False
    async with new_client() as client:
        while True:
            try:
                found = await fetch(client, feed, validators, feed.sites_url)
                if found.body is not None:
                    count = await asyncio.to_thread(publisher.take_sites, feed, found.body, found.url)
                    log.info("sites_read", feed=feed.feed_id, sites=count)
                    validators = found.validators
                pause = EVERY_S
            except FetchFailed as error:
                log.warning("sites_not_read", feed=feed.feed_id, error=str(error))
                pause = min(pause * 2, LONGEST_PAUSE_S)
            if not started:
                started = True
                poller.watch(feed)
            await asyncio.sleep(pause)
