"""Latest state: whole feeds are published atomically; readers that follow epochs have what was published."""

import random

from services.common.state import Published, State
from tests.builders.drawn_records import speed, trip_update
from tests.builders.waiting import soon


async def test_a_publication_sets_changes_and_deletes(state: State) -> None:
    """New, changed, unchanged and vanished entities are told apart."""
    first = await state.publish_latest("speed", "loops", [speed("a", 1), speed("b", 2), speed("c", 3)], received_at=100)
    assert (first.changed, first.removed) == (3, 0)
    second = await state.publish_latest("speed", "loops", [speed("a", 1), speed("b", 9)], received_at=110)
    assert (second.changed, second.removed) == (1, 1)
    assert second.epoch > first.epoch
    changes = await state.latest("speed", "loops", first.epoch)
    assert [record.entity for record in changes.records] == ["b"]
    assert (changes.removed, changes.complete, changes.epoch) == (("c",), False, second.epoch)
    everything = await state.latest("speed", "loops")
    assert {record.entity: record.value for record in everything.records if hasattr(record, "value")} == {"a": 1, "b": 9}
    assert everything.complete


async def test_a_feed_that_repeats_itself_changes_nothing_but_stays_fresh(state: State) -> None:
    """The epoch stays; the stored record says when it was last received."""
    first = await state.publish_latest("speed", "loops", [speed("a", 1)], received_at=100)
    again = await state.publish_latest("speed", "loops", [speed("a", 1, received_at=130)], received_at=130)
    assert again == Published(first.epoch, 0, 0)
    assert (await state.latest("speed", "loops")).records[0].received_at == 130
    [feed] = await state.list_feeds("speed")
    assert (feed.feed, feed.entities, feed.received_at, feed.epoch) == ("loops", 1, 130, first.epoch)


async def test_pushed_parts_leave_the_rest_alone(state: State) -> None:
    """With whole=False only what is named is deleted."""
    await state.publish_latest("speed", "loops", [speed("a", 1), speed("b", 2)], received_at=1)
    part = await state.publish_latest("speed", "loops", [speed("c", 3)], received_at=2, whole=False, removed=["a", "never"])
    assert (part.changed, part.removed) == (1, 1)
    assert {record.entity for record in (await state.latest("speed", "loops")).records} == {"b", "c"}
    assert set(await state.feeds.get("speed", "loops", ["b", "a"])) == {"b"}


async def test_a_reader_following_epochs_equals_the_truth(state: State) -> None:
    """Random publications against a plain dictionary, with a reader that sometimes falls behind."""
    draw = random.Random(7)
    truth: dict[str, float] = {}
    seen: dict[str, float] = {}
    epoch = 0
    for _ in range(120):
        if draw.random() < 0.5:
            truth = {f"e{draw.randrange(40)}": float(draw.randrange(5)) for _ in range(draw.randrange(40))}
            await state.publish_latest("speed", "loops", [speed(name, value) for name, value in truth.items()], received_at=1)
        else:
            gone = draw.sample(sorted(truth), min(len(truth), 2))
            added = {f"e{draw.randrange(40)}": float(draw.randrange(5)) for _ in range(3)}
            records = [speed(name, value) for name, value in added.items()]
            await state.publish_latest("speed", "loops", records, received_at=1, whole=False, removed=gone)
            truth = {name: value for name, value in truth.items() if name not in gone} | added
        if draw.random() < 0.6:
            changes = await state.latest("speed", "loops", epoch)
            if changes.complete:
                seen = {}
            assert not (changes.complete and changes.removed)
            seen |= {record.entity: record.value for record in changes.records}  # type: ignore[union-attr]
            for name in changes.removed:
                seen.pop(name, None)
            epoch = changes.epoch
            assert seen == truth


async def test_epochs_from_another_life_get_everything(state: State) -> None:
    """A reader whose epoch the server never gave (it was set up anew) is given all records."""
    published = await state.publish_latest("speed", "loops", [speed("a", 1)], received_at=1)
    assert (await state.latest("speed", "loops", published.epoch + 10)).complete
    unknown = await state.latest("speed", "nothing")
    assert (unknown.epoch, unknown.records, unknown.complete) == (0, (), True)


async def test_watchers_get_present_feeds_then_changes(state: State) -> None:
    """Each feed once at the start, then as it changes; other kinds are not mentioned."""
    await state.publish_latest("speed", "loops", [speed("a", 1)], received_at=1)
    await state.publish_latest("alerts", "x", [], received_at=1)
    watch = state.watch_latest("speed", "trip_updates")
    assert [(change.kind, change.feed) for change in await anext(watch)] == [("speed", "loops")]
    later = await state.publish_latest("trip_updates", "rt", [trip_update("t", 60)], received_at=2)
    [change] = await soon(anext(watch))
    assert (change.kind, change.feed, change.epoch) == ("trip_updates", "rt", later.epoch)


async def test_two_thousand_trips_are_published_at_once(state: State) -> None:
    """A whole feed of 2 000 trips of ten stops is one publication; the next one changes what changed, and nothing else."""
    for number in range(3):
        records = [trip_update(f"trip{index}", 60 * number) for index in range(2000)]
        published = await state.publish_latest("trip_updates", "rt", records, received_at=number)
        assert (published.changed, published.removed) == (2000, 0)
    latest = await state.latest("trip_updates", "rt", published.epoch - 1)
    assert len(latest.records) == 2000
    assert {record.stop_times[0].arrival_delay_s for record in latest.records} == {120}  # type: ignore[union-attr]
