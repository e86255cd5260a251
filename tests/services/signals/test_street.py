"""What a street shows when the service stalls, dies, loses its state server or its caller: checked second by second."""

import random
from pathlib import Path

import pytest
from traboule.signals.v1 import control_pb2

from services.common.errors import Unavailable
from services.common.state.embedded import EmbeddedState
from services.signals.audit import CommandSigner
from services.signals.lease import Lease, LeaseTimes
from tests.builders.signal_street import Post, Street, authority, open_post, signals_state
from tests.builders.signals import find_violations, limits_of
from traffic_lights.api import Mode, Source
from traffic_lights.guard import TRUST_GAP_S

START_S = 1_000_000


def _signer(servers: EmbeddedState) -> CommandSigner:
    return CommandSigner.from_file(Path(servers.home) / "keys" / "signals.pem")


async def _actions(post: Post) -> list[tuple[str, str]]:
    entries, _ = await post.audit.read(after=0, count=100_000)
    return [(e.action, e.detail) for e in entries]


async def test_a_disturbed_service_never_shows_anything_unsafe(servers: EmbeddedState) -> None:
    """Half an hour of stalls, audit failures, lost callers, restarts and imports anew: no violation on the street."""
    rng, message = random.Random(5), authority()
    async with signals_state(servers) as state:
        post = await open_post(state, _signer(servers), START_S)
        await post.room.import_all([message], validate_only=False)
        street, t, kinds = Street(message), START_S, []
        queue = post.loop.subscribe(["k1"])
        while len(street.states) < 2000:
            t += 1
            if rng.random() < 0.2:
                post.set_clock(t)
                assert post.loop.accept([], [street.report(t - 0.5)], "cabinet")[1] == []
            await post.tick(t)
            street.obey(queue)
            street.pass_second()
            if rng.random() > 0.04:
                continue
            kinds.append(rng.choice(["stall", "audit", "caller", "restart", "import", "override"]))
            quiet = rng.randint(1, TRUST_GAP_S - 2)
            if kinds[-1] == "override":
                post.loop.sites["k1"].controller.override(rng.randrange(2), t + 100)
            elif kinds[-1] == "import":
                street.resumed.add(len(street.states))
                await post.room.import_all([message], validate_only=False)
            elif kinds[-1] == "restart":
                await post.loop.lease.release()
                post = await open_post(state, _signer(servers), t)
            if kinds[-1] in ("override", "import"):
                continue
            post.audit.away[0] = kinds[-1] == "audit"
            if kinds[-1] == "caller":
                post.loop.unsubscribe(queue)
            for _ in range(quiet):
                t += 1
                if kinds[-1] != "stall":
                    await post.tick(t)
                    assert kinds[-1] != "audit" or len(street.obey(queue)) <= 2
                street.pass_second(lost=True)
            post.audit.away[0] = False
            if kinds[-1] in ("caller", "restart"):
                queue = post.loop.subscribe(["k1"])
                post.set_clock(t)
                assert post.loop.accept([], [street.report(t)], "cabinet")[1] == []
                street.resumed.add(len(street.states))
        assert len(set(kinds)) == 6
        assert find_violations(limits_of(post.loop.sites["k1"].intersection), street.states, street.lost, street.resumed) == []
        assert len({s for s in street.states if 2 in s}) > 1
        assert await post.audit.is_intact()


async def test_a_stalled_loop_does_not_shorten_a_yellow(servers: EmbeddedState) -> None:
    """Three seconds without a tick in the middle of a change: the street sees the whole rest of it."""
    message = authority()
    async with signals_state(servers) as state:
        post = await open_post(state, _signer(servers), START_S)
        await post.room.import_all([message], validate_only=False)
        street, queue, t = Street(message), post.loop.subscribe(["k1"]), START_S
        while 1 not in street.shown:
            t += 1
            await post.tick(t)
            street.obey(queue)
        group = street.shown.index(1)
        t += 3
        yellow = 1
        while street.shown[group] == 1:
            t += 1
            commands = await post.tick(t)
            assert len(commands) <= 1, "no burst of commands that make up for the past"
            street.obey(queue)
            yellow += street.shown[group] == 1
        assert yellow == message.signal_groups[group].clearing_s


async def test_without_a_report_a_restarted_service_starts_in_red_and_says_so(servers: EmbeddedState) -> None:
    """The longest intergreen in all-red, in the audit, with numbers that go on growing."""
    message = authority()
    async with signals_state(servers) as state:
        numbers = []
        for _ in range(2):
            post = await open_post(state, _signer(servers), START_S)
            await post.room.import_all([message], validate_only=False)
            street, queue, red_s = Street(message), post.loop.subscribe(["k1"]), 0
            for t in range(START_S, START_S + 40):
                await post.tick(t)
                numbers += [c.sequence for c in street.obey(queue)]
                red_s += not any(street.states) and not {2, 3} & set(street.shown)
                street.pass_second()
            longest_s = max(i.intergreen_s for i in message.intergreens)
            first = next(k for k, s in enumerate(street.states) if {2, 3} & set(s))
            assert first == longest_s
            await post.loop.lease.release()
        assert numbers == sorted(numbers)
        said = [d for a, d in await _actions(post) if a == "resume"]
        assert len(said) == 2
        assert all("all-red for the longest intergreen" in d for d in said)


async def test_reports_that_contradict_lead_to_a_new_start(servers: EmbeddedState) -> None:
    """A street that shows something else than it was told is believed once it had time to obey; strange reports are not."""
    message = authority()
    async with signals_state(servers) as state:
        post = await open_post(state, _signer(servers), START_S)
        await post.room.import_all([message], validate_only=False)
        street, queue, t = Street(message), post.loop.subscribe(["k1"]), START_S
        for t in range(START_S, START_S + 30):
            await post.tick(t)
            street.obey(queue)
        before = len([a for a, _ in await _actions(post) if a == "resume"])
        good = street.report(t)
        cases = [
            (street.report(t + 60), "in the future"),
            (street.report(t - 60), "60 s old"),
            (
                control_pb2.ControllerReport(intersection_id="k1", observed_unix_ms=t * 1000, aspects=good.aspects[1:]),
                "nothing is",
            ),
            (control_pb2.ControllerReport(intersection_id="k9", observed_unix_ms=t * 1000), "not under control"),
        ]
        for report, words in cases:
            used, refused = post.loop.accept([], [report], "cabinet")
            assert used == 0
            assert words in refused[0]
        assert post.loop.accept([], [good], "cabinet") == (1, [])
        assert "cabinet reports" in post.loop.accept([], [street.report(t + 1)], "stranger")[1][0]
        assert "older than" in post.loop.accept([], [good], "cabinet")[1][0]
        street.shown = bytes(2 if k == 0 else 0 for k in range(len(street.groups)))
        assert post.loop.accept([], [street.report(t + 2)], "cabinet") == (1, [])
        await post.tick(t + 2)
        actions = await _actions(post)
        assert len([a for a, _ in actions if a == "resume"]) == before + 1
        assert "does not show what it was told" in [d for a, d in actions if a == "resume"][-1]


async def test_nothing_is_sent_during_a_fault_and_control_begins_anew(servers: EmbeddedState) -> None:
    """A fault is on record; after it the guard starts from the report, not from where it was."""
    message = authority()
    async with signals_state(servers) as state:
        post = await open_post(state, _signer(servers), START_S)
        await post.room.import_all([message], validate_only=False)
        street, queue, t = Street(message), post.loop.subscribe(["k1"]), START_S
        for t in range(START_S, START_S + 20):
            await post.tick(t)
        post.loop.accept([], [street.report(t, fault=True)], "cabinet")
        street.obey(queue)
        for k in range(1, 10):
            assert await post.tick(t + k) == []
        t += 10
        street.shown = bytes(len(street.groups))
        post.set_clock(t)
        post.loop.accept([], [street.report(t)], "cabinet")
        for k in range(30):
            await post.tick(t + k)
            street.obey(queue)
            street.pass_second()
        longest_s = max(i.intergreen_s for i in message.intergreens)
        assert next(k for k, s in enumerate(street.states) if {2, 3} & set(s)) == longest_s
        assert [d for a, d in await _actions(post) if a == "fault"] == ["begins: nothing is sent", "is over"]


async def test_two_services_never_command_at_once(servers: EmbeddedState) -> None:
    """The second stands by, refuses orders, takes over when the first is silent, with higher numbers; the first stops first."""
    clock = [0.0]
    async with signals_state(servers) as state:
        times = LeaseTimes(ttl_s=10.0, margin_s=2.0)
        leases = [Lease(state, times, holder=name, monotonic=lambda: clock[0]) for name in ("first", "second")]
        message = authority()
        first = await open_post(state, _signer(servers), START_S, leases[0])
        await first.room.import_all([message], validate_only=False)
        second = await open_post(state, _signer(servers), START_S, leases[1])
        for post in (first, second):
            await post.room.restore()
            post.loop.subscribe(["k1"])
        with pytest.raises(Unavailable, match="lease of control is with first"):
            second.loop.require_control()
        old = await first.tick(START_S)
        assert old
        assert await second.tick(START_S) == []
        held = []
        for clock[0] in range(1, 40):
            await leases[1].attempt()
            held.append((leases[0].held, leases[1].held))
        assert (True, True) not in held
        assert held[6] == (True, False)
        assert held[-1] == (False, True)
        assert await first.tick(START_S + 40) == []
        new = await second.tick(START_S + 40)
        assert min(c.sequence for c in new) > max(c.sequence for c in old)
        assert not await leases[0].attempt()


async def test_a_renewed_lease_keeps_its_fence_and_a_released_one_is_free(servers: EmbeddedState) -> None:
    """Renewing does not begin control anew; after giving back the next need not wait."""
    async with signals_state(servers) as state:
        first, second = Lease(state), Lease(state)
        assert await first.attempt()
        fence = first.fence
        assert await first.attempt()
        assert first.fence == fence
        assert not await second.attempt()
        await first.release()
        assert not first.held
        assert await second.attempt()
        assert second.fence > fence


async def test_a_strategy_that_fails_leads_to_the_plan(servers: EmbeddedState) -> None:
    """Whatever a strategy answers or raises, the loop goes on with the fixed plan and says why."""

    class Broken:
        answers = iter([99, -5, None, "s1", float("nan"), True])

        def choose(self, view: object, detection: object) -> int:  # noqa: ARG002
            answer = next(self.answers, None)
            if answer is None:
                raise RuntimeError("drawn to fail")
            return answer  # type: ignore[return-value]

    message = authority()
    async with signals_state(servers) as state:
        post = await open_post(state, _signer(servers), START_S)
        await post.room.import_all([message], validate_only=False)
        await post.room.set_mode(["k1"], Mode.ACTIVE)
        site = post.loop.sites["k1"]
        site.controller._strategy = Broken()
        reasons = set()
        for t in range(START_S, START_S + 200):
            post.set_clock(t)
            values = [
                control_pb2.Detection(
                    intersection_id="k1", detector_id=d.detector_id, observed_unix_ms=t * 1000, vehicle_count=3
                )
                for d in message.detectors
            ]
            assert post.loop.accept(values, [])[1] == []
            await post.tick(t)
            assert site.last is not None
            reasons.add(site.last.reason)
            assert site.last.source is not Source.ADAPTIVE or "minimum green" in site.last.reason
        assert any("asked for 99" in r for r in reasons)
        assert any("RuntimeError: drawn to fail" in r for r in reasons)


async def test_detectors_with_impossible_values_or_clocks_are_refused(servers: EmbeddedState) -> None:
    """NaN and negative counts, values from the future; after the clock was set back old values do not count as fresh."""
    message = authority()
    async with signals_state(servers) as state:
        post = await open_post(state, _signer(servers), START_S)
        await post.room.import_all([message], validate_only=False)
        board, name = post.loop.sites["k1"].board, message.detectors[0].detector_id

        def value(at_s: float, **fields: float) -> control_pb2.Detection:
            return control_pb2.Detection(
                intersection_id="k1",
                detector_id=name,
                observed_unix_ms=int(at_s * 1000),
                **fields,  # type: ignore[arg-type]
            )

        for fields in (
            {"queue_vehicles": float("nan")},
            {"queue_vehicles": -1.0},
            {"occupancy": float("inf")},
            {"vehicle_count": -3},
        ):
            assert "finite" in str(board.accept(value(START_S, **fields), START_S))
        assert "future" in str(board.accept(value(START_S + 60), START_S))
        assert board.accept(value(START_S, queue_vehicles=7.0), START_S) is None
        assert name not in board.list_stale(START_S + 1)
        back_s = START_S - 3600
        assert name in board.list_stale(back_s), "a value from before the clock was set back is not fresh"
        assert board.accept(value(back_s, queue_vehicles=1.0), back_s) is None
        assert name not in board.list_stale(back_s)
