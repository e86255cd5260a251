"""The feeds of a city: declared in `city.toml`, found in the recorded day, or registered over the API."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import structlog

from services.city.config import CityConfig
from services.ingest.config import IngestConfig
from services.ingest.feed import Feed

ANNOUNCEMENT = "recorded_day.json"
REPLAY_TIMEOUT_S = 5.0
REPLAY_WAIT_S = 60.0

log = structlog.get_logger("ingest")


def list_city_feeds(
    city: CityConfig, config: IngestConfig, replay: Mapping[str, Any] | None = None, url: str = ""
) -> list[Feed]:
    """Feeds declared by a city, with the addresses that the source in use gives them.

    `replay` is the index of the recorded day's player at `url`; a feed that is neither live nor recorded is known, but only
    pushed.
    """
    recorded = {row["feed_id"]: row for row in replay["feeds"]} if replay else {}
    feeds = []
    for row in city.feeds:
        feed = Feed(
            feed_id=row.id, kind=row.kind, display_name=row.id, static_feed=row.static_feed, timezone=city.timezone,
            licence=row.licence, stale_after_s=row.stale_after_s,
        )  # fmt: skip
        if config.source == "live" and row.url:
            sites = row.options.get("sites_url", "")
            feed = replace(feed, url=row.url, poll_s=float(row.poll_s), sites_url=str(sites))
        elif row.recorded in recorded:
            found = recorded[row.recorded]
            feed = replace(
                feed, url=url + found["path"], poll_s=config.replay_poll_s, origin="simulated", timeout_s=REPLAY_TIMEOUT_S,
                sites_url=url + found["sites_path"] if found["sites_path"] else "",
            )  # fmt: skip
        feeds.append(feed)
    return feeds


async def find_replay(home: Path, config: IngestConfig) -> tuple[str, dict[str, Any]]:
    """Address and index of the recorded day's player; waits for it, since it may start at the same time.

    Answers ``("", {})`` when it does not come within a minute: the service runs on without feeds, and says so.
    """
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + REPLAY_WAIT_S
    async with httpx.AsyncClient(trust_env=False, timeout=REPLAY_TIMEOUT_S) as client:
        while loop.time() < give_up_at:
            url = config.replay_url or _announced(home)
            if url:
                try:
                    answer = await client.get(url.rstrip("/") + "/")
                    if answer.status_code == httpx.codes.OK:
                        return url.rstrip("/"), dict(answer.json())
                except (httpx.HTTPError, ValueError) as error:
                    log.info("recorded_day_not_there_yet", url=url, error=str(error))
            await asyncio.sleep(0.1)
    log.warning("recorded_day_missing", hint="start it, or set TRABOULE_INGEST_REPLAY_URL")
    return "", {}


def _announced(home: Path) -> str:
    try:
        return str(json.loads((home / "run" / ANNOUNCEMENT).read_text("utf-8"))["url"])
    except (OSError, ValueError, KeyError):
        return ""
