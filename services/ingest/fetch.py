"""One poll over HTTP: conditional, bounded in time and size while streaming, redirects by policy."""

import asyncio
import zlib
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import httpx

from services.ingest.errors import FetchFailed
from services.ingest.feed import Feed

MAX_REDIRECTS = 3
USER_AGENT = "traboule-ingest"


@dataclass(frozen=True, slots=True)
class Validators:
    """What the server said about its last answer; sent back to ask for changes only."""

    etag: str = ""
    last_modified: str = ""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A body that came, or `body` None for "304 not modified"."""

    body: bytes | None
    validators: Validators
    url: str


def new_client() -> httpx.AsyncClient:
    """HTTP client for all feeds: no redirects by itself, no bound on connections (a hanging feed holds one)."""
    return httpx.AsyncClient(
        follow_redirects=False,
        trust_env=False,
        timeout=None,
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=60),
        headers={"User-Agent": USER_AGENT, "Accept-Encoding": "gzip"},
    )


async def fetch(client: httpx.AsyncClient, feed: Feed, validators: Validators, url: str = "") -> Fetched:
    """Poll `feed` once.

    Raises
    ------
    FetchFailed
        `http_status`, `timeout`, `connection`, `too_large`, `gzip_limit` or `redirect_forbidden`.
    """
    url = url or feed.url
    try:
        async with asyncio.timeout(feed.timeout_s):
            return await _follow(client, feed, validators, url)
    except TimeoutError:
        raise FetchFailed("timeout", f"no complete answer from {_shown(url)} within {feed.timeout_s:g} s") from None
    except httpx.HTTPError as error:
        raise FetchFailed("connection", f"{_shown(url)}: {type(error).__name__} {error}") from error
    except (httpx.InvalidURL, ValueError) as error:
        # ValueError: an address in a redirect that cannot even be taken apart, such as ``http://[``.
        raise FetchFailed("connection", f"{_shown(url)} is, or redirects to, no usable address: {error}") from error


async def _follow(client: httpx.AsyncClient, feed: Feed, validators: Validators, url: str) -> Fetched:
    own_host = urlsplit(url).hostname
    for _ in range(MAX_REDIRECTS + 1):
        headers = dict(feed.headers) if urlsplit(url).hostname == own_host else {}
        if validators.etag:
            headers["If-None-Match"] = validators.etag
        if validators.last_modified:
            headers["If-Modified-Since"] = validators.last_modified
        async with client.stream("GET", url, headers=headers) as response:
            if response.status_code == httpx.codes.NOT_MODIFIED:
                return Fetched(None, validators, url)
            if response.is_redirect:
                url = _redirect(feed, url, response.headers.get("location", ""), own_host)
                continue
            if response.status_code != httpx.codes.OK:
                raise FetchFailed("http_status", f"{_shown(url)} answers {response.status_code}")
            body = await _read(response, feed.limits.body_bytes, feed.limits.gzip_ratio)
            found = Validators(response.headers.get("etag", "")[:500], response.headers.get("last-modified", "")[:100])
            return Fetched(body, found, url)
    raise FetchFailed("redirect_forbidden", f"{_shown(feed.url)} redirects more than {MAX_REDIRECTS} times")


def _redirect(feed: Feed, url: str, location: str, own_host: str | None) -> str:
    target = urljoin(url, location)
    before, after = urlsplit(url), urlsplit(target)
    if after.scheme not in {"http", "https"} or (before.scheme == "https" and after.scheme != "https"):
        raise FetchFailed("redirect_forbidden", f"{_shown(url)} redirects to the scheme {after.scheme!r}")
    if after.hostname != own_host and after.hostname not in feed.allowed_hosts:
        raise FetchFailed("redirect_forbidden", f"{_shown(url)} redirects to {after.hostname!r}, which is not allowed")
    return target


async def _read(response: httpx.Response, limit: int, ratio: int) -> bytes:
    stated = response.headers.get("content-length", "")
    if stated.isdecimal() and int(stated) > limit:
        raise FetchFailed("too_large", f"{stated} bytes announced, the limit is {limit}")
    encoding = response.headers.get("content-encoding", "identity").lower()
    if encoding not in {"identity", "gzip", "x-gzip", ""}:
        raise FetchFailed("connection", f"content encoding {encoding!r} was not asked for")
    inflater = zlib.decompressobj(16 + zlib.MAX_WBITS) if "gzip" in encoding else None
    body, received = bytearray(), 0
    async for chunk in response.aiter_raw():
        received += len(chunk)
        if inflater is None:
            body += chunk
        else:
            try:
                body += inflater.decompress(chunk, limit + 1 - len(body))
            except zlib.error as error:
                raise FetchFailed("connection", f"broken gzip encoding: {error}") from error
            if len(body) > 1 << 20 and len(body) > ratio * received:
                raise FetchFailed("gzip_limit", f"{received} packed bytes unpack to more than {ratio} times as many")
        if len(body) > limit:
            raise FetchFailed("too_large", f"more than the limit of {limit} bytes")
    if inflater is not None and not inflater.eof:
        raise FetchFailed("connection", "the gzip-encoded answer ends early")
    return bytes(body)


def _shown(url: str) -> str:
    """Address without its query, which may carry keys."""
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.hostname or ''}{':' + str(parts.port) if parts.port else ''}{parts.path}"
    except ValueError:
        return "an address that cannot be read"
