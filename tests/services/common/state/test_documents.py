"""Documents, snapshots and audit logs."""

import asyncio

import pytest

from services.common.errors import Aborted, CorruptData, NotFound
from services.common.state import State
from services.common.state.audit import AuditEntry
from tests.builders.waiting import soon


async def test_documents_have_versions(state: State) -> None:
    """Who writes on an old version is told so, and writes nothing."""
    assert await state.settings.put("plans", "p", {"stops": 3}) == 1
    assert await state.settings.put("plans", "p", {"stops": 4}, expected_version=1) == 2
    with pytest.raises(Aborted, match="version 2, not 1"):
        await state.settings.put("plans", "p", {"stops": 5}, expected_version=1)
    with pytest.raises(Aborted):
        await state.settings.put("plans", "p", {}, expected_version=0)
    assert (await state.settings.get("plans", "p", dict[str, int])).value == {"stops": 4}
    await state.settings.put("plans", "a", {}, expected_version=0)
    assert [document.id for document in await state.settings.list_all("plans")] == ["a", "p"]
    assert await state.settings.delete("plans", "a")
    with pytest.raises(NotFound, match="plans/a"):
        await state.settings.get("plans", "a")


async def test_documents_are_kept_as_long_as_is_said(state: State) -> None:
    """A collection goes some time after its last write; others stay."""
    await state.settings.put("plans/a", "p", 1, kept_s=1)
    await state.settings.put("plans/b", "p", 1, kept_s=100)
    await state.settings.put("plans/c", "p", 1)
    lasts = [await state.settings.connection.read("TTL", state.settings.keys.documents(f"plans/{name}")) for name in "abc"]
    assert lasts[0] == 1
    assert 90 < lasts[1] <= 100
    assert lasts[2] == -1
    async with asyncio.timeout(20):
        while await state.settings.find("plans/a", "p") is not None:
            await asyncio.sleep(0.1)
    assert await state.settings.find("plans/b", "p") is not None


async def test_only_one_of_many_writers_wins(state: State) -> None:
    """Ten writers with the same expected version: one succeeds."""
    await state.documents.put("c", "x", 0)
    results = await asyncio.gather(
        *(state.documents.put("c", "x", number, expected_version=1) for number in range(10)), return_exceptions=True
    )
    assert sum(result == 2 for result in results) == 1
    assert sum(isinstance(result, Aborted) for result in results) == 9


async def test_snapshots_are_replaced_as_a_whole(state: State) -> None:
    """The pointer moves with a new epoch; the same bytes again change nothing; watchers see each one."""
    with pytest.raises(NotFound):
        await state.snapshots.get("speeds")
    first = await state.snapshots.publish("speeds", b"one", at=5)
    assert await state.snapshots.publish("speeds", b"one", at=6) == first
    watch = state.snapshots.watch("speeds")
    assert (await anext(watch)).blob == b"one"
    second = await state.snapshots.publish("speeds", b"two", at=7)
    assert second > first
    newest = await soon(anext(watch))
    assert (newest.epoch, newest.blob, newest.at) == (second, b"two", 7)
    assert await state.snapshots.get("speeds") == newest


def _entry(number: int) -> AuditEntry:
    return AuditEntry(at=number, tenant="control", subject="operator é", action="set_stage", details={"intersection": number})


async def test_audit_logs_form_a_chain_even_with_many_writers(state: State) -> None:
    """Concurrent writers leave one unbroken chain in which nothing is missing."""
    await asyncio.gather(*(state.audit.append("services", [_entry(2 * n), _entry(2 * n + 1)]) for n in range(8)))
    assert await state.audit.verify("services") == 16
    entries = await state.audit.read("services", after=4)
    assert [entry.sequence for entry in entries] == list(range(5, 17))
    assert sorted(entry.at for entry in await state.audit.read("services")) == list(range(16))


@pytest.mark.parametrize("harm", ["change", "remove", "cut", "insert"])
async def test_tampering_with_an_audit_log_is_found(state: State, harm: str) -> None:
    """A changed, removed, cut-off or inserted entry breaks the chain."""
    await state.audit.append("services", [_entry(number) for number in range(5)])
    connection, key = state.audit.connection, state.audit.keys.audit("services")
    raw = await connection.read("XRANGE", key, "-", "+")
    if harm == "cut":
        await connection.execute("XDEL", key, raw[-1][0])
    elif harm == "insert":
        await connection.execute("XADD", key, "*", "entry", raw[2][1][b"entry"])
    else:
        await connection.execute("DEL", key)
        for number, (_, fields) in enumerate(raw):
            entry = (
                fields[b"entry"].replace(b"set_stage", b"set_speed") if (harm, number) == ("change", 2) else fields[b"entry"]
            )
            if (harm, number) != ("remove", 2):
                await connection.execute("XADD", key, "*", "entry", entry)
    with pytest.raises(CorruptData, match="audit log services"):
        await state.audit.verify("services")


async def test_with_a_key_nobody_without_it_can_write_a_chain(state: State) -> None:
    """Entries made without the key do not verify with it."""
    await state.audit.append("services", [_entry(1)])
    with pytest.raises(CorruptData):
        await state.with_audit_key(b"k" * 32).audit.verify("services")
