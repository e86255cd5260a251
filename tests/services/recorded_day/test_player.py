"""The player serves the frame of the city's moment as a publisher would, and changes feed files on demand."""

from collections.abc import AsyncIterator

import httpx
import pytest

from services.common.clock import CityClock
from services.common.records import Event, TripUpdate
from services.ingest.fetch import Validators, fetch, new_client
from services.ingest.sources import decode
from services.ingest.sources.base import SourceContext
from services.recorded_day.archive import Archive, FrameReader, read_archive
from services.recorded_day.player import Player
from tests.builders.feeds import feed_of
from tests.builders.shared_data import ROOT

TOKEN = "token-of-this-test"


@pytest.fixture(scope="module")
def archive() -> Archive:
    """The committed recorded day."""
    return read_archive(ROOT / "cities" / "porto" / "recorded_day")


@pytest.fixture
async def player(archive: Archive) -> AsyncIterator[Player]:
    """Player whose clock stands still at 08:00."""
    async with Player(archive, CityClock(archive.suggested_start, 0.0, 0.0), TOKEN) as running:
        yield running


async def post(player: Player, path: str, body: object, token: str = TOKEN) -> httpx.Response:
    """Call an admin path."""
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.post(player.url + path, json=body, headers={"Authorization": f"Bearer {token}"})


async def test_the_frame_of_the_moment_with_etag(player: Player, archive: Archive) -> None:
    """The poller gets the right frame, and 304 while it does not change."""
    feed = archive.find_feed("/stcp-vehicles")
    assert feed is not None
    async with new_client() as client:
        first = await fetch(client, feed_of(player.url + feed.path), Validators())
        again = await fetch(client, feed_of(player.url + feed.path), first.validators)
    index = (archive.suggested_start - feed.begins_at) // feed.step_s
    assert first.body == FrameReader(archive).frame(feed, index)
    assert again.body is None


async def test_a_published_delay_is_in_the_feed_at_once(player: Player, archive: Archive) -> None:
    """A trip without prediction, and one with, are late in the real feed file, which has a new ETag."""
    url = player.url + "/stcp-trip-updates"
    async with new_client() as client:
        before = await fetch(client, feed_of(url), Validators())
        assert before.body is not None
        records = decode("gtfs-rt", before.body, SourceContext("f", archive.suggested_start, "Europe/Lisbon")).records
        known = next(r.trip_id for r in records if isinstance(r, TripUpdate) and r.relationship == "SCHEDULED")
        for trip_id in (known, "107_0_U_29"):
            wanted = {"feed": "stcp-trip-updates", "trip_id": trip_id, "start_date": "20260728", "delay_s": 777}
            assert (await post(player, "/admin/delay", wanted)).status_code == 200
        after = await fetch(client, feed_of(url), before.validators)
    assert after.body is not None
    found = decode("gtfs-rt", after.body, SourceContext("f", archive.suggested_start, "Europe/Lisbon"))
    late = {r.trip_id: r for r in found.records if isinstance(r, TripUpdate) and r.delay_s == 777}
    assert set(late) == {known, "107_0_U_29"}
    assert all(stop.departure_delay_s == 777 for stop in late[known].stop_times)


async def test_a_blocked_street_is_in_the_feed_and_can_be_taken_back(player: Player, archive: Archive) -> None:
    """A closure appears as a DATEX situation; clear removes it."""
    wanted = {"path": [[41.15, -8.61], [41.151, -8.611]], "name": "Rua <de> Teste", "duration_s": 600}

    async def events() -> list[Event]:
        async with new_client() as client:
            body = (await fetch(client, feed_of(player.url + "/porto-situations"), Validators())).body
        assert body is not None
        records = decode("datex2", body, SourceContext("f", archive.suggested_start, "Europe/Lisbon")).records
        return [record for record in records if isinstance(record, Event)]

    assert (await post(player, "/admin/closure", wanted)).status_code == 200
    (event,) = await events()
    assert (event.kind, event.both_directions, event.path[0]) == ("closure", True, (41.15, -8.61))
    assert event.ends_at == archive.suggested_start + 600
    assert (await post(player, "/admin/clear", {})).status_code == 200
    assert not await events()


@pytest.mark.parametrize(
    ("path", "body", "token", "status"),
    [
        ("/admin/delay", {}, "wrong", 401), ("/admin/delay", {}, TOKEN, 400), ("/admin/delay", [1], TOKEN, 400),
        ("/admin/closure", {"path": [[1, 2]]}, TOKEN, 400), ("/admin/closure", {"path": [[1, 2], ["x", 2]]}, TOKEN, 400),
        ("/admin/nothing", {}, TOKEN, 404), ("/stcp-vehicles", {}, TOKEN, 405),
        ("/admin/delay", {"feed": "stcp-trip-updates", "trip_id": "T", "start_date": "tomorrow", "delay_s": 5}, TOKEN, 400),
        ("/admin/delay", {"feed": "stcp-trip-updates", "trip_id": "T", "start_date": "20260728", "delay_s": 1e9}, TOKEN, 400),
    ],
)  # fmt: skip
async def test_bad_requests_are_refused(player: Player, path: str, body: object, token: str, status: int) -> None:
    """Wrong token, missing or senseless fields and unknown paths change nothing."""
    assert (await post(player, path, body, token)).status_code == status
    assert player.injections.version == 0


async def test_before_the_first_frame_and_after_the_last(archive: Archive) -> None:
    """Before the day begins 503 with Retry-After; after its end the feed freezes."""
    async with httpx.AsyncClient(trust_env=False) as client:
        async with Player(archive, CityClock(archive.begins_at - 100, 0.0, 0.0), TOKEN) as early:
            answer = await client.get(early.url + "/porto-parking")
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
            assert (await client.get(early.url + "/nothing")).status_code == 404
            assert len((await client.get(early.url + "/")).json()["feeds"]) == len(archive.feeds)
        async with Player(archive, CityClock(archive.ends_at + 9999, 0.0, 0.0), TOKEN) as late:
            answer = await client.get(late.url + "/porto-parking")
            assert answer.status_code == 200
            assert answer.headers["X-Data-Origin"] == "simulated"
            assert "2026 09:30:00 GMT" in answer.headers["Last-Modified"]
