"""State servers killed in the middle of reads and writes: clients carry on by themselves and nothing acknowledged is lost."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.common.errors import ConfigError, StateUnavailable
from services.common.state.embedded import EmbeddedState, Name
from tests.builders.drawn_records import speed
from tests.builders.servers import state_of, state_servers
from tests.builders.waiting import PATIENCE_S, soon, until

PATIENT = str(PATIENCE_S)
"""How long clients try again, where a test is about what they do and not about how soon a server is back."""


@contextlib.asynccontextmanager
async def _killing(servers: EmbeddedState, name: Name, times: int, every_s: float = 0.25) -> AsyncIterator[None]:
    """Kill a server again and again while the watchdog starts it anew; waits for the last restart at the end."""
    watchdog = asyncio.ensure_future(servers.watch(most_restarts=50))

    async def kill() -> None:
        for _ in range(times):
            await asyncio.sleep(every_s)
            child = servers.servers[name].child
            assert child is not None
            child.kill()
            while servers.servers[name].child is child:
                await asyncio.sleep(0.02)

    killer = asyncio.ensure_future(kill())
    try:
        yield
        await killer
    finally:
        for task in (killer, watchdog):
            task.cancel()
        await asyncio.gather(killer, watchdog, return_exceptions=True)


async def test_jobs_and_settings_survive_kills_while_they_are_written(tmp_path: Path) -> None:
    """Whatever was acknowledged is there afterwards, and no job twice."""
    with state_servers(tmp_path) as servers:
        async with state_of(servers, STATE_RETRY_S=PATIENT) as state:
            acknowledged: list[str] = []
            versions: list[int] = []

            async def submit(writer: int) -> None:
                while len(acknowledged) < 400:
                    acknowledged.append(await state.jobs.submit("rounds", b"%d" % writer, tenant="t"))
                    versions.append(await state.settings.put("c", str(writer), len(acknowledged)))
                    await asyncio.sleep(0.01)

            async with _killing(servers, "durable", times=4):
                await asyncio.gather(*(submit(writer) for writer in range(4)))
            for job_id in acknowledged:
                assert (await state.jobs.get("rounds", job_id)).state == "QUEUED"
            assert await state.jobs.connection.read("XLEN", state.jobs.keys.jobs("rounds")) == len(acknowledged)
            assert sum([document.version for document in await state.settings.list_all("c")]) == len(versions)


async def test_workers_finish_every_job_while_the_server_is_killed(tmp_path: Path) -> None:
    """Claims, reports and results go on over restarts; each job is done."""
    with state_servers(tmp_path) as servers:
        async with state_of(servers, STATE_RETRY_S=PATIENT) as state:
            ids = [await state.jobs.submit("rounds", b"%d" % number) for number in range(60)]

            async def work() -> None:
                async for claimed in state.jobs.work("rounds", lease_s=3):
                    await asyncio.sleep(0.01)
                    if await claimed.report(b"half"):
                        await claimed.complete(claimed.job.payload * 2)

            workers = [asyncio.ensure_future(work()) for _ in range(2)]
            async with _killing(servers, "durable", times=2):
                give_up_at = time.monotonic() + PATIENCE_S
                jobs = []
                while time.monotonic() < give_up_at:
                    jobs = [await state.jobs.get("rounds", job_id) for job_id in ids]
                    if all(job.finished for job in jobs):
                        break
                    await asyncio.sleep(0.1)
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            assert [job.state for job in jobs] == ["DONE"] * len(ids)
            assert all(job.result == job.payload * 2 for job in jobs)


async def test_followers_and_writers_of_events_carry_on(tmp_path: Path) -> None:
    """A follower sees each event once and in order although the server dies under reader and writer."""
    with state_servers(tmp_path) as servers:
        async with state_of(servers, STATE_RETRY_S=PATIENT) as state:
            seen: list[int] = []

            async def follow() -> None:
                async for event in state.tail_events("x", after="0-0"):
                    seen.append(event.value)

            follower = asyncio.ensure_future(follow())
            async with _killing(servers, "live", times=3):
                for number in range(150):
                    await state.append_event("x", number)
                    await asyncio.sleep(0.005)
            await until(lambda: len(seen) >= 150, "the last event")
            follower.cancel()
            await asyncio.gather(follower, return_exceptions=True)
            assert seen == list(range(150))


async def test_a_loader_has_the_newest_records_after_kills(tmp_path: Path) -> None:
    """A reader that follows changes ends with what was published last, epochs only grow."""
    with state_servers(tmp_path) as servers:
        async with state_of(servers, STATE_RETRY_S=PATIENT) as state:
            values: list[float] = []
            epochs: list[int] = []

            async def load() -> None:
                async for _ in state.watch_latest("speed"):
                    latest = await state.latest("speed", "loops")
                    values.append(latest.records[0].value)  # type: ignore[union-attr]

            loader = asyncio.ensure_future(load())
            async with _killing(servers, "live", times=2):
                for number in range(100):
                    epochs.append((await state.publish_latest("speed", "loops", [speed("a", number)], received_at=1)).epoch)
                    await asyncio.sleep(0.01)
            await until(lambda: values and values[-1] == 99, "the last publication")
            loader.cancel()
            await asyncio.gather(loader, return_exceptions=True)
            assert values[-1] == 99
            assert epochs == sorted(set(epochs))


async def test_a_server_that_stays_away_is_an_error_in_time(tmp_path: Path) -> None:
    """Nothing hangs: after the time set, the caller gets a sentence, and everything works again when the server is back."""
    with state_servers(tmp_path) as servers:
        async with state_of(servers, STATE_RETRY_S="1") as state:
            servers.servers["durable"].stop()
            with pytest.raises(StateUnavailable, match=r"durable state server .* does not answer"):
                await soon(state.jobs.submit("rounds", b"x"))
            servers.servers["durable"].start()
            await state.jobs.submit("rounds", b"x")


async def test_a_server_that_keeps_dying_is_given_up(tmp_path: Path) -> None:
    """The watchdog does not start a broken server for ever."""
    with state_servers(tmp_path) as servers:
        watchdog = asyncio.ensure_future(servers.watch(most_restarts=2, within_s=3600))
        for _ in range(3):
            child = servers.servers["live"].child
            assert child is not None
            child.kill()
            while servers.servers["live"].child is child and not watchdog.done():
                await asyncio.sleep(0.02)
        with pytest.raises(StateUnavailable, match="died 3 times"):
            await soon(watchdog)


async def test_connecting_without_servers_says_what_to_do(tmp_path: Path) -> None:
    """No URL, or nobody there: a sentence each."""
    servers = EmbeddedState(tmp_path)
    with pytest.raises(StateUnavailable, match="does not answer"):
        async with state_of(servers, STATE_RETRY_S="0.2"):
            pass
    with pytest.raises(ConfigError, match=r"TRABOULE_STATE_DURABLE_URL.*traboule serve"):
        async with state_of(servers, STATE_DURABLE_URL="", STATE_LIVE_URL=""):
            pass


async def test_a_write_that_replicas_lack_is_not_acknowledged(tmp_path: Path) -> None:
    """With replicas to wait for and none there, durable writes fail in time; reads and the live server go on."""
    waiting = {"STATE_REPLICAS": "1", "STATE_REPLICA_TIMEOUT_MS": "50", "STATE_RETRY_S": "0.3"}
    with state_servers(tmp_path) as servers:
        async with state_of(servers, **waiting) as state:
            with pytest.raises(StateUnavailable, match="only 0 of 1 replicas"):
                await state.jobs.submit("rounds", b"x", job_id="a")
            assert (await state.jobs.get("rounds", "a")).state == "QUEUED"
            await state.append_event("x", 1)
