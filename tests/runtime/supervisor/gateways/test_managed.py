from __future__ import annotations

import asyncio

import msgspec
import pytest
import structlog

from ipc.frames.words import Phase
from runtime.supervisor.gateways.port import PortTaken
from runtime.supervisor.gateways.restart_requests import Outcome
from runtime.supervisor.lifecycle import Exit
from tests.support.managed_gateway import PlayedKind, gateway_rig
from tests.support.until import until

pytestmark = pytest.mark.virtual_time


async def test_it_is_ready_when_its_session_is_open() -> None:
    async with gateway_rig() as rig:
        rig.gateway.send_changes()  # to nobody yet
        rig.gateway.start()
        await rig.is_in(Phase.STARTING)
        assert not rig.gateway.connected
        await until(lambda: rig.kind.puppets)
        rig.link.open()
        assert await rig.gateway.until(lambda: rig.gateway.connected, 1.0)
        await rig.is_in(Phase.RUNNING)
        row = rig.gateway.status()
        assert (row.phase, row.connected, row.port) == ("running", True, 18789)
        assert (row.revision, row.outages, row.kind) == ("r1", 0, "own")
        assert row.pid == 999_999_999
        assert row.rss_bytes is None
        assert row.ready_at is not None
        assert (rig.gateway.spawned, rig.gateway.sessions, rig.gateway.attempts) == (1, 1, 1)
        rig.gateway.send_changes()
        assert rig.link.changes == 1
        assert (rig.gateway.url, rig.gateway.port) == (rig.kind.url, 18789)


async def test_a_crash_is_an_outage_and_it_comes_back() -> None:
    async with gateway_rig() as rig:
        await rig.up()
        rig.kind.puppets[-1].die(Exit(signal=9))
        await rig.is_in(Phase.BACKOFF)
        row = rig.gateway.status()
        assert (row.outages, row.connected, row.pid) == (1, False, None)
        assert row.last_error == "exited (signal 9)"
        assert row.next_try_at is not None
        await rig.is_in(Phase.STARTING)
        assert len(rig.kind.links) == 2
        await until(lambda: rig.kind.links[0].ended)
        assert rig.gateway.attempts == 2
        assert "close" not in rig.kind.did  # clients wait meanwhile


async def test_a_lost_session_is_one_outage_whatever_follows() -> None:
    async with gateway_rig() as rig:
        await rig.up()
        with structlog.testing.capture_logs() as logs:
            rig.link.lose()
        assert rig.gateway.status().outages == 1
        assert logs[0]["event"] == "session lost"
        rig.kind.puppets[-1].die(Exit(signal=9))
        await rig.is_in(Phase.BACKOFF)
        assert rig.gateway.status().outages == 1


async def test_a_hung_gateway_is_an_outage_too() -> None:
    async with gateway_rig() as rig:
        await rig.up()
        rig.link.news.fault("no answer for 35 s")
        await rig.is_in(Phase.BACKOFF)
        row = rig.gateway.status()
        assert (row.outages, row.last_error) == (1, "no answer for 35 s")
        assert rig.kind.puppets[0].signals == ["terminate"]


async def test_a_gateway_that_refuses_us_is_faulty() -> None:
    async with gateway_rig() as rig:
        rig.gateway.start()
        await until(lambda: rig.kind.puppets)
        rig.link.news.refused("wrong token")
        await rig.is_in(Phase.BACKOFF)
        assert rig.gateway.status().last_error == "wrong token"
        assert rig.gateway.status().outages == 0


async def test_news_of_an_earlier_incarnation_change_nothing() -> None:
    async with gateway_rig() as rig:
        await rig.up()
        rig.kind.puppets[-1].die(Exit(signal=9))
        await rig.is_in(Phase.BACKOFF)
        await rig.up()
        rig.kind.links[0].news.fault("late")
        await asyncio.sleep(1.0)
        assert rig.phase is Phase.RUNNING


async def test_a_stop_on_purpose_is_no_outage_and_closes_the_socket() -> None:
    async with gateway_rig() as rig:
        await rig.up()
        link = rig.link
        rig.gateway.stop()
        await rig.is_in(Phase.STOPPED)
        assert rig.kind.did[-1] == "close"
        assert link.told == [("gateway.closing", {"restarting": False})]
        row = rig.gateway.status()
        assert (row.outages, row.ready_at, row.next_try_at) == (0, None, None)


async def test_a_restart_replaces_it_in_place() -> None:
    async with gateway_rig() as rig:
        await rig.up()
        link = rig.link
        assert rig.gateway.restart().outcome is Outcome.NOW
        await until(lambda: len(rig.kind.puppets) == 2)
        assert link.told == [("gateway.closing", {"restarting": True})]
        rig.link.open()
        await rig.is_in(Phase.RUNNING)
        assert rig.gateway.status().outages == 0
        assert "close" not in rig.kind.did


async def test_a_failed_gateway_has_no_open_port_until_it_is_tried_again() -> None:
    async with gateway_rig() as rig:
        await rig.up()
        rig.kind.puppets[-1].die(Exit(code=78, text="the secret env:NO_SUCH is not set"))
        await rig.is_in(Phase.FAILED)
        assert rig.kind.did[-1] == "close", "clients are refused, they do not hang in the backlog"
        rig.gateway.start()
        await rig.is_in(Phase.STARTING)
        assert rig.kind.did[-1] == "open"


async def test_a_restart_that_follows_too_closely_is_put_off_not_refused() -> None:
    async with gateway_rig() as rig:
        await rig.up()
        rig.gateway.restart()
        await until(lambda: len(rig.kind.puppets) == 2)
        rig.link.open()
        await rig.is_in(Phase.RUNNING)
        first, second = rig.gateway.restart(), rig.gateway.restart()
        assert (first.outcome, second.outcome) == (Outcome.DEFERRED, Outcome.DEFERRED)
        assert first.after == pytest.approx(2.5, abs=0.1)
        await asyncio.sleep(2.4)
        assert len(rig.kind.puppets) == 2
        await asyncio.sleep(0.3)
        assert len(rig.kind.puppets) == 3
        rig.link.open()
        await asyncio.sleep(10.0)
        assert len(rig.kind.puppets) == 3


async def test_a_restart_asked_for_while_it_starts_follows_that_start() -> None:
    async with gateway_rig() as rig:
        rig.gateway.start()
        await until(lambda: rig.kind.puppets)
        assert rig.gateway.restart().after is None
        rig.link.open()
        await until(lambda: len(rig.kind.puppets) == 2)


async def test_a_restart_is_satisfied_only_by_a_process_of_that_revision_or_a_later_one() -> None:
    async with gateway_rig() as rig:
        rig.gateway.start()
        await until(lambda: rig.kind.puppets)  # it has read r1
        rig.loaded.revision = "r2"
        assert rig.gateway.restart().outcome is Outcome.DEFERRED
        rig.link.open()
        await until(lambda: len(rig.kind.puppets) == 2)
        rig.link.open()
        await rig.is_in(Phase.RUNNING)
        assert rig.gateway.status().revision == "r2"


async def test_a_restart_that_is_on_its_way_reads_what_has_changed_until_its_spawn() -> None:
    async with gateway_rig() as rig:
        rig.kind.deaf = True
        await rig.up()
        assert rig.gateway.restart().outcome is Outcome.NOW
        await rig.is_in(Phase.STOPPING)  # the old process takes its time
        rig.loaded.revision = "r2"
        assert rig.gateway.restart().outcome is Outcome.JOINED
        rig.kind.puppets[0].die(Exit(code=0))
        await until(lambda: len(rig.kind.puppets) == 2)
        rig.link.open()
        await rig.is_in(Phase.RUNNING)
        await asyncio.sleep(60.0)
        assert rig.gateway.status().revision == "r2"
        assert len(rig.kind.puppets) == 2
        rig.kind.puppets[1].die(Exit(code=0))


async def test_a_stop_takes_back_a_restart_that_was_put_off() -> None:
    async with gateway_rig() as rig:
        await rig.up()
        rig.gateway.restart()
        await until(lambda: len(rig.kind.puppets) == 2)
        rig.link.open()
        await rig.is_in(Phase.RUNNING)
        rig.gateway.restart()
        rig.gateway.stop()
        await rig.is_in(Phase.STOPPED)
        await asyncio.sleep(10.0)
        assert len(rig.kind.puppets) == 2


async def test_a_taken_port_is_the_callers_to_hear() -> None:
    async with gateway_rig() as rig:
        rig.kind.taken = PortTaken("127.0.0.1", 18789, [])
        with pytest.raises(PortTaken):
            rig.gateway.start()
        with pytest.raises(PortTaken):
            rig.gateway.restart()
        assert rig.phase is Phase.STOPPED


async def test_force_takes_the_port_only_where_it_is_not_ours() -> None:
    async with gateway_rig() as rig:
        await rig.gateway.open()
        await rig.gateway.open(force=True)
        assert rig.kind.did == ["open", "open by force"]
        await rig.up()
        await rig.gateway.open(force=True)
        assert rig.kind.did.count("open by force") == 1


async def test_a_kind_without_a_port_of_ours_is_started_without_opening_one() -> None:
    async with gateway_rig() as rig:
        rig.kind.listener = None
        await rig.gateway.open(force=True)
        await rig.up()
        rig.gateway.stop()
        await rig.is_in(Phase.STOPPED)
        assert rig.kind.did == []


async def test_another_kind_is_kept_from_its_next_start_on() -> None:
    async with gateway_rig() as rig:
        await rig.up()
        other = PlayedKind()
        other.policy = msgspec.structs.replace(other.policy, initial=7.0)
        rig.gateway.set_kind(other)
        rig.kind.puppets[-1].die(Exit(signal=9))
        await rig.is_in(Phase.BACKOFF)
        assert rig.gateway.kind is other
        assert rig.gateway.child.policy.initial == 7.0
        await rig.is_in(Phase.STARTING)
        await until(lambda: other.puppets)


async def test_a_stop_gives_up_what_comes_before_the_process() -> None:
    async with gateway_rig() as rig:
        await rig.up()
        stopping = rig.kind.stopping
        assert stopping is not None
        assert not stopping.is_set()
        rig.gateway.restart()
        await until(lambda: len(rig.kind.puppets) == 2)
        assert stopping.is_set()
        assert rig.kind.stopping is not stopping


async def test_until_returns_false_at_its_timeout() -> None:
    async with gateway_rig() as rig:
        began = asyncio.get_running_loop().time()
        assert not await rig.gateway.until(lambda: rig.gateway.connected, 2.0)
        assert asyncio.get_running_loop().time() == began + 2.0


async def test_until_looks_after_what_was_posted_before() -> None:
    async with gateway_rig() as rig:
        rig.gateway.start()
        rig.gateway.stop()
        assert await rig.gateway.until(lambda: rig.phase is Phase.STOPPED, 10.0)
        assert not any(puppet.alive for puppet in rig.kind.puppets)


async def test_an_exception_of_the_change_callback_has_no_effect() -> None:
    async with gateway_rig() as rig:
        rig.error = RuntimeError("no room")
        with structlog.testing.capture_logs() as logs:
            await rig.up()
        assert "callback of a change failed" in {line["event"] for line in logs}
        assert rig.phase is Phase.RUNNING


async def test_only_a_gateway_that_is_not_ours_is_asked_to_shut_down() -> None:
    async with gateway_rig() as rig:
        await rig.up()
        assert "Trunkline's own" in str(await rig.gateway.shut_down())
        assert rig.link.told == []  # it would have us end, and all accounts
        rig.kind.name = "attached"
        rig.gateway._session = None
        assert await rig.gateway.shut_down() == "not connected"
        rig.gateway._session = rig.link  # as it was
        assert await rig.gateway.shut_down() is None
        rig.link.wrong = "INVALID_REQUEST: unknown method: shutdown"
        assert await rig.gateway.shut_down() == rig.link.wrong
        assert await rig.gateway.shut_down() == "it does not know the method shutdown"
        assert rig.link.told == [("shutdown", None)] * 2
        rig.gateway.stop()
        await rig.is_in(Phase.STOPPED)
        assert len(rig.link.told) == 2  # gateway.closing is for ours alone


async def test_work_beside_it_ends_with_it() -> None:
    ended = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async with gateway_rig() as rig:
        rig.gateway.background(work())
        await asyncio.sleep(0)
    assert ended == [True]


async def test_a_session_that_fails_costs_only_that_incarnation() -> None:
    async with gateway_rig() as rig:
        rig.kind.broken = True
        with structlog.testing.capture_logs() as logs:
            rig.gateway.start()
            await rig.is_in(Phase.BACKOFF)
        assert "session failed" in {line["event"] for line in logs}
        assert rig.gateway.status().last_error == "session failed: KeyError: 'a bug'"
        rig.kind.broken = False
        await rig.up()


async def test_work_beside_it_that_fails_costs_nothing() -> None:
    async def work() -> None:
        raise OSError("no processes left")

    async with gateway_rig() as rig:
        with structlog.testing.capture_logs() as logs:
            rig.gateway.background(work())
            await until(lambda: logs)
        await rig.up()
