"""Events: appended, followed, worked through in groups, and dead letters after three deliveries."""

import asyncio
import contextlib

from services.common.records import AnyRecord
from services.common.state import Delivery, State
from tests.builders.drawn_records import speed
from tests.builders.waiting import soon, until_true


async def _next(iterator: object) -> Delivery:
    return await soon(anext(iterator))  # type: ignore[call-overload]


async def _give_up(waiting: "asyncio.Future[Delivery]") -> None:
    waiting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await waiting


async def test_events_are_read_in_order_from_any_place(state: State) -> None:
    """Ids order events and say where to read on."""
    ids = [await state.append_event("incidents", {"n": number}) for number in range(5)]
    events = await state.read_events("incidents", ids[1])
    assert [event.value["n"] for event in events] == [2, 3, 4]
    assert events[0].at_ms > 1_600_000_000_000
    assert await state.events.last_id("incidents") == ids[-1]
    assert await state.events.last_id("nothing") == "0-0"


async def test_old_events_are_dropped(state: State) -> None:
    """A stream does not grow for ever."""
    for number in range(1200):
        await state.events.append("many", number, max_length=300)
    assert 300 <= len(await state.read_events("many", count=5000)) < 1000


async def test_records_keep_their_kind(state: State) -> None:
    """An event that is a record comes back as that record."""
    await state.append_event("speeds", speed("a", 3.5))
    [event] = await state.read_events("speeds", cls=AnyRecord)
    assert event.value == speed("a", 3.5)


async def test_followers_get_what_comes_after_they_began(state: State) -> None:
    """Without a place to start, a follower gets new events only."""
    await state.append_event("x", "old")
    follower = state.tail_events("x")
    waiting = asyncio.ensure_future(anext(follower))
    for _ in range(600):  # when a follower begins is its own affair; once it did it gets the next event
        await state.append_event("x", "new")
        if (await asyncio.wait([waiting], timeout=0.1))[0]:
            break
    assert waiting.done()
    assert waiting.result().value == "new"


async def test_each_event_goes_to_one_member(state: State) -> None:
    """Two members of a group share the work; another group gets everything too."""
    for number in range(6):
        await state.append_event("work", number)
    one, two, other = (state.events.consume("work", group) for group in ("g", "g", "h"))
    got: list[int] = []
    for _ in range(3):
        for member in (one, two):
            delivery = await _next(member)
            got.append(delivery.value)
            await delivery.acknowledge()
    assert sorted(got) == list(range(6))
    assert [(await _next(other)).value for _ in range(6)] == list(range(6))


async def test_events_that_fail_three_times_become_dead_letters(state: State) -> None:
    """Each failure brings the event again after a while; the third puts it aside with the reason."""
    await state.append_event("work", {"bad": True})
    member = state.events.consume("work", "g", retry_after_s=0.05)
    buried = []
    for _ in range(3):
        delivery = await _next(member)
        buried.append((delivery.deliveries, await delivery.fail("cannot do it")))
    assert buried == [(1, False), (2, False), (3, True)]
    [letter] = await state.events.list_dead("work")
    assert (letter.value, letter.reason, letter.deliveries, letter.group) == ({"bad": True}, "cannot do it", 3, "g")
    await state.append_event("work", "good")
    assert (await _next(member)).value == "good"


async def test_members_that_die_each_time_leave_a_dead_letter(state: State) -> None:
    """An event nobody ever acknowledges is delivered three times, then put aside."""
    await state.append_event("work", "poison")
    for _ in range(3):
        member = state.events.consume("work", "g", retry_after_s=0.05)
        assert (await _next(member)).value == "poison"
    last = state.events.consume("work", "g", retry_after_s=0.05)
    waiting = asyncio.ensure_future(anext(last))
    await until_true(lambda: state.events.list_dead("work"))
    assert not waiting.done()
    await _give_up(waiting)
    [letter] = await state.events.list_dead("work")
    assert letter.value == "poison"
    assert "not acknowledged" in letter.reason


async def test_work_that_is_extended_is_not_given_away(state: State) -> None:
    """A slow member keeps its event as long as it says so, and no longer."""
    await state.append_event("work", "slow")
    slow, eager = (state.events.consume("work", "g", retry_after_s=100) for _ in range(2))
    delivery = await _next(slow)
    key = state.events.keys.events("work")

    async def idle_ms() -> int:
        [(_, _, idle, _)] = await state.events.connection.read("XPENDING", key, "g", delivery.id, delivery.id, 1)
        return int(idle)

    async def grow_old() -> None:
        [(_, member, _, _)] = await state.events.connection.read("XPENDING", key, "g", delivery.id, delivery.id, 1)
        await state.events.connection.execute("XCLAIM", key, "g", member, 0, delivery.id, "IDLE", 200_000, "JUSTID")

    await grow_old()
    assert await idle_ms() >= 200_000
    await delivery.extend()
    assert await idle_ms() < 100_000
    stealing = asyncio.ensure_future(anext(eager))
    await asyncio.sleep(0.3)
    assert not stealing.done()
    await grow_old()
    assert (await soon(stealing)).value == "slow"


async def test_events_that_cannot_be_decoded_are_put_aside_at_once(state: State) -> None:
    """A damaged event does not stop the ones behind it."""
    await state.events.connection.execute("XADD", state.events.keys.events("work"), "*", "value", b"\x63damaged", "write", "x")
    await state.append_event("work", "good")
    member = state.events.consume("work", "g")
    assert (await _next(member)).value == "good"
    [letter] = await state.events.list_dead("work")
    assert letter.value == b"\x63damaged"


async def test_waiting_readers_take_no_connection_from_others(state: State) -> None:
    """Hundreds of callers that watch something do not keep a worker from reading and writing."""
    connection = state.events.connection
    waits = [
        asyncio.create_task(connection.block("XREAD", "BLOCK", 1500, "STREAMS", state.events.keys.events("quiet"), "$"))
        for _ in range(300)
    ]
    await asyncio.sleep(0.5)
    assert await connection.read("PING", retry_s=0.0)
    assert not any(await asyncio.gather(*waits))
