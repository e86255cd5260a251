"""Polling over HTTP: conditional requests, slow and huge answers, errors, redirects; no feed waits for another."""

# ruff: noqa: ARG001 - handlers and sinks have fixed signatures

import asyncio
import gzip
import random

import httpx
import pytest

from services.ingest.errors import FetchFailed
from services.ingest.feed import Feed
from services.ingest.fetch import Fetched, Validators, fetch, new_client
from services.ingest.limits import Limits
from services.ingest.poller import Poller
from tests.builders.feeds import answer, feed_of, http_site
from tests.builders.waiting import PATIENCE_S, soon, until

Writer = asyncio.StreamWriter
Headers = dict[str, str]


async def polled(url: str, **more: object) -> Fetched:
    """One poll with a fresh client."""
    async with new_client() as client:
        return await fetch(client, feed_of(url, **more), Validators())


async def test_etag_and_last_modified_are_sent_back() -> None:
    """The second poll is conditional; 304 means no body and the same validators."""

    async def handler(path: str, headers: Headers, writer: Writer) -> None:
        if headers.get("if-none-match") == '"v1"' and headers.get("if-modified-since") == "yesterday":
            writer.write(b"HTTP/1.1 304 Not Modified\r\n\r\n")
        else:
            answer(writer, b"body", ETag='"v1"', Last_Modified="yesterday")

    async with http_site(handler) as site, new_client() as client:
        first = await fetch(client, feed_of(site.url), Validators())
        second = await fetch(client, feed_of(site.url), first.validators)
    assert (first.body, second.body) == (b"body", None)
    assert second.validators == Validators('"v1"', "yesterday")


async def test_gzip_encoding_is_unpacked_within_the_limit() -> None:
    """Content-Encoding gzip is unpacked while streaming; a bomb is stopped at the limit."""

    async def handler(path: str, headers: Headers, writer: Writer) -> None:
        body = b"x" * 1000 if path == "/good" else b"\0" * (64 << 20)
        answer(writer, gzip.compress(body), Content_Encoding="gzip")

    async with http_site(handler) as site:
        assert (await polled(site.url + "/good")).body == b"x" * 1000
        with pytest.raises(FetchFailed) as caught:
            await polled(site.url + "/bomb", limits=Limits(body_bytes=4 << 20))
    assert caught.value.code in {"gzip_limit", "too_large"}


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/500", "http_status"), ("/404", "http_status"), ("/huge", "too_large"), ("/announced", "too_large"),
        ("/slow", "timeout"), ("/silent", "timeout"), ("/broken", "connection"), ("/elsewhere", "redirect_forbidden"),
        ("/file", "redirect_forbidden"), ("/loop", "redirect_forbidden"), ("/nowhere", "connection"),
    ],
)  # fmt: skip
async def test_bad_servers_fail_with_a_code(path: str, code: str) -> None:
    """Errors, endless bodies, slow loris, broken answers and forbidden redirects each have their code."""

    async def handler(path: str, headers: Headers, writer: Writer) -> None:
        redirects = {"/elsewhere": "http://localhost:1/", "/file": "file:///etc/passwd", "/loop": "/loop"}
        redirects["/nowhere"] = "http://["
        if path in redirects:
            answer(writer, b"", "302 Found", Location=redirects[path])
        elif path in {"/500", "/404"}:
            answer(writer, b"no", f"{path[1:]} No")
        elif path == "/announced":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n")
        elif path == "/huge":
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            for _ in range(100):
                writer.write(b"x" * 10_000)
                await writer.drain()
        elif path == "/slow":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n")
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.05)
        elif path == "/silent":
            await asyncio.Event().wait()
        else:
            writer.write(b"this is not http\r\n\r\n")

    timeout_s = 0.4 if code == "timeout" else PATIENCE_S
    async with http_site(handler) as site:
        with pytest.raises(FetchFailed) as caught:
            await soon(polled(site.url + path, limits=Limits(body_bytes=100_000), timeout_s=timeout_s))
    assert caught.value.code == code


async def test_allowed_redirect_is_followed_without_the_feeds_keys() -> None:
    """A redirect on the same host is followed."""

    async def handler(path: str, headers: Headers, writer: Writer) -> None:
        if path == "/old":
            answer(writer, b"", "301 Moved", Location="/new")
        else:
            answer(writer, b"here")

    async with http_site(handler) as site:
        assert (await polled(site.url + "/old")).body == b"here"


async def test_no_server_is_a_connection_failure() -> None:
    """A closed port is told as such."""
    with pytest.raises(FetchFailed) as caught:
        await polled("http://127.0.0.1:9/")
    assert caught.value.code == "connection"


async def test_a_hanging_feed_delays_no_other() -> None:
    """While one feed hangs for ever, another is polled at its own pace."""

    async def handler(path: str, headers: Headers, writer: Writer) -> None:
        if path == "/hang":
            await asyncio.Event().wait()
        answer(writer, b"body")

    taken: list[str] = []

    async def sink(feed: Feed, body: bytes, url: str) -> None:
        taken.append(feed.feed_id)

    async with http_site(handler) as site, Poller(sink, lambda *_: None, lambda _: None) as poller:
        poller.watch(feed_of(site.url + "/hang", feed_id="hanging", timeout_s=600))
        poller.watch(feed_of(site.url + "/good", feed_id="good"))
        await until(lambda: taken.count("good") >= 5, "five polls of the good feed")
    assert "hanging" not in taken


async def test_failures_back_off_and_success_resumes_the_pace() -> None:
    """After errors the pauses grow (with jitter) up to the limit; one success brings the period back."""
    poller = Poller(lambda *_: asyncio.sleep(0), lambda *_: None, lambda _: None, max_backoff_s=10)
    feed, jitter = feed_of("http://127.0.0.1/", poll_s=1.0), random.Random(1)
    pauses = [poller._pause(feed, failures, 0.0, jitter) for failures in range(1, 9)]
    for failures, pause in enumerate(pauses):
        full = min(2.0**failures, 10)
        assert full / 2 <= pause <= full
    assert poller._pause(feed, 0, 0.25, jitter) == pytest.approx(0.75)


async def test_a_body_that_could_not_be_stored_comes_again() -> None:
    """Validators are kept only after the sink took the body: nothing is lost when it fails."""
    from services.common.errors import StateUnavailable  # noqa: PLC0415

    async def handler(path: str, headers: Headers, writer: Writer) -> None:
        if "if-none-match" in headers:
            writer.write(b"HTTP/1.1 304 Not Modified\r\n\r\n")
        else:
            answer(writer, b"body", ETag='"v1"')

    calls = 0

    async def sink(feed: Feed, body: bytes, url: str) -> None:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise StateUnavailable("away")

    unchanged: list[str] = []
    async with http_site(handler) as site, Poller(sink, lambda *_: None, lambda f: unchanged.append(f.feed_id)) as poller:
        poller.watch(feed_of(site.url))
        await until(lambda: unchanged, "a poll of what is stored")
    assert calls == 3


async def test_a_sink_that_breaks_does_not_end_the_polling() -> None:
    """An error nobody foresaw is counted as a failure; the feed is polled again."""

    async def handler(path: str, headers: Headers, writer: Writer) -> None:
        answer(writer, b"body")

    taken: list[bytes] = []
    failures: list[str] = []

    async def sink(feed: Feed, body: bytes, url: str) -> None:
        if len(failures) < 2:
            raise KeyError("nobody foresaw this")
        taken.append(body)

    async with http_site(handler) as site, Poller(sink, lambda _f, code, _r: failures.append(code), lambda _: None) as poller:
        poller.watch(feed_of(site.url))
        async with asyncio.timeout(60):
            while not taken:
                await asyncio.sleep(0.05)
    assert failures == ["adapter_error", "adapter_error"]


async def test_a_redirect_of_the_site_table_is_judged_by_its_own_host() -> None:
    """The table may lie on another host than the feed and move there."""

    async def handler(path: str, headers: Headers, writer: Writer) -> None:
        if path == "/old":
            answer(writer, b"", "301 Moved", Location="/new")
        else:
            answer(writer, b"table")

    async with http_site(handler) as site, new_client() as client:
        feed = feed_of("http://feeds.example/", sites_url=site.url + "/old")
        assert (await fetch(client, feed, Validators(), feed.sites_url)).body == b"table"


def test_httpx_is_told_not_to_follow_redirects() -> None:
    """Redirects are ours to judge."""
    assert isinstance(new_client(), httpx.AsyncClient)
    assert not new_client().follow_redirects
