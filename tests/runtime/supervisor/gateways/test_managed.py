from __future__ import annotations

import asyncio

import pytest
import structlog

from ipc.frames.words import Phase
from runtime.supervisor.gateways.port import PortTaken
from runtime.supervisor.gateways.restarts import Outcome
from runtime.supervisor.lifecycle import Exit
from tests.support.front import front_house
from tests.support.until import until

pytestmark = pytest.mark.virtual_time


async def test_it_is_ready_when_its_session_is_open() -> None:
    async with front_house() as at:
        at.front.changed()  # to nobody yet
        at.front.start()
        await at.is_in(Phase.STARTING)
        assert not at.front.connected
        await until(lambda: at.source.puppets)
        at.link.open()
        assert await at.front.until(lambda: at.front.connected, 1.0)
        await at.is_in(Phase.RUNNING)
        row = at.front.status()
        assert (row.phase, row.connected, row.port) == ("running", True, 18789)
        assert (row.revision, row.outages, row.kind) == ("r1", 0, "own")
        assert row.pid == 999_999_999
        assert row.rss_bytes is None
        assert row.ready_at is not None
        assert (at.front.spawned, at.front.sessions, at.front.attempts) == (1, 1, 1)
        at.front.changed()
        assert at.link.changes == 1
        assert (at.front.url, at.front.port) == (at.source.url, 18789)


async def test_a_crash_is_an_outage_and_it_comes_back() -> None:
    async with front_house() as at:
        await at.up()
        at.source.puppets[-1].die(Exit(signal=9))
        await at.is_in(Phase.BACKOFF)
        row = at.front.status()
        assert (row.outages, row.connected, row.pid) == (1, False, None)
        assert row.last_error == "exited (signal 9)"
        assert row.next_try_at is not None
        await at.is_in(Phase.STARTING)
        assert len(at.source.links) == 2
        await until(lambda: at.source.links[0].ended)
        assert at.front.attempts == 2
        assert "close" not in at.source.did  # clients wait meanwhile


async def test_a_lost_session_is_one_outage_whatever_follows() -> None:
    async with front_house() as at:
        await at.up()
        with structlog.testing.capture_logs() as logs:
            at.link.lose()
        assert at.front.status().outages == 1
        assert logs[0]["event"] == "session lost"
        at.source.puppets[-1].die(Exit(signal=9))
        await at.is_in(Phase.BACKOFF)
        assert at.front.status().outages == 1


async def test_a_hung_gateway_is_an_outage_too() -> None:
    async with front_house() as at:
        await at.up()
        at.link.news.fault("no answer for 35 s")
        await at.is_in(Phase.BACKOFF)
        row = at.front.status()
        assert (row.outages, row.last_error) == (1, "no answer for 35 s")
        assert at.source.puppets[0].signals == ["terminate"]


async def test_a_gateway_that_refuses_us_is_faulty_and_its_source_is_told() -> None:
    async with front_house() as at:
        at.front.start()
        await until(lambda: at.source.puppets)
        at.link.news.refused("wrong token")
        await at.is_in(Phase.BACKOFF)
        assert "refused: wrong token" in at.source.did
        assert at.front.status().outages == 0


async def test_news_of_an_earlier_incarnation_change_nothing() -> None:
    async with front_house() as at:
        await at.up()
        at.source.puppets[-1].die(Exit(signal=9))
        await at.is_in(Phase.BACKOFF)
        await at.up()
        at.source.links[0].news.fault("late")
        await asyncio.sleep(1.0)
        assert at.phase is Phase.RUNNING


async def test_a_stop_on_purpose_is_no_outage_and_closes_the_socket() -> None:
    async with front_house() as at:
        await at.up()
        link = at.link
        at.front.stop()
        await at.is_in(Phase.STOPPED)
        assert at.source.did[-1] == "close"
        assert link.told == [("gateway.closing", {"restarting": False})]
        row = at.front.status()
        assert (row.outages, row.ready_at, row.next_try_at) == (0, None, None)


async def test_a_restart_replaces_it_in_place() -> None:
    async with front_house() as at:
        await at.up()
        link = at.link
        assert at.front.restart().outcome is Outcome.NOW
        await until(lambda: len(at.source.puppets) == 2)
        assert link.told == [("gateway.closing", {"restarting": True})]
        at.link.open()
        await at.is_in(Phase.RUNNING)
        assert at.front.status().outages == 0
        assert "close" not in at.source.did


async def test_a_restart_that_follows_too_closely_is_put_off_not_refused() -> None:
    async with front_house() as at:
        await at.up()
        at.front.restart()
        await until(lambda: len(at.source.puppets) == 2)
        at.link.open()
        await at.is_in(Phase.RUNNING)
        first, second = at.front.restart(), at.front.restart()
        assert (first.outcome, second.outcome) == (Outcome.DEFERRED, Outcome.DEFERRED)
        assert first.after == pytest.approx(2.5, abs=0.1)
        await asyncio.sleep(2.4)
        assert len(at.source.puppets) == 2
        await asyncio.sleep(0.3)
        assert len(at.source.puppets) == 3
        at.link.open()
        await asyncio.sleep(10.0)
        assert len(at.source.puppets) == 3


async def test_a_restart_asked_for_while_it_starts_follows_that_start() -> None:
    async with front_house() as at:
        at.front.start()
        await until(lambda: at.source.puppets)
        assert at.front.restart().after is None
        at.link.open()
        await until(lambda: len(at.source.puppets) == 2)


async def test_a_restart_is_satisfied_only_by_a_process_of_that_revision_or_a_later_one() -> None:
    async with front_house() as at:
        at.front.start()
        await until(lambda: at.source.puppets)  # it has read r1
        at.loaded.revision = "r2"
        assert at.front.restart().outcome is Outcome.DEFERRED
        at.link.open()
        await until(lambda: len(at.source.puppets) == 2)
        at.link.open()
        await at.is_in(Phase.RUNNING)
        assert at.front.status().revision == "r2"


async def test_a_restart_that_is_on_its_way_reads_what_has_changed_until_its_spawn() -> None:
    async with front_house() as at:
        at.source.deaf = True
        await at.up()
        assert at.front.restart().outcome is Outcome.NOW
        await at.is_in(Phase.STOPPING)  # the old process takes its time
        at.loaded.revision = "r2"
        assert at.front.restart().outcome is Outcome.JOINED
        at.source.puppets[0].die(Exit(code=0))
        await until(lambda: len(at.source.puppets) == 2)
        at.link.open()
        await at.is_in(Phase.RUNNING)
        await asyncio.sleep(60.0)
        assert at.front.status().revision == "r2"
        assert len(at.source.puppets) == 2
        at.source.puppets[1].die(Exit(code=0))


async def test_a_stop_takes_back_a_restart_that_was_put_off() -> None:
    async with front_house() as at:
        await at.up()
        at.front.restart()
        await until(lambda: len(at.source.puppets) == 2)
        at.link.open()
        await at.is_in(Phase.RUNNING)
        at.front.restart()
        at.front.stop()
        await at.is_in(Phase.STOPPED)
        await asyncio.sleep(10.0)
        assert len(at.source.puppets) == 2


async def test_a_taken_port_is_the_callers_to_hear() -> None:
    async with front_house() as at:
        at.source.taken = PortTaken("127.0.0.1", 18789, [])
        with pytest.raises(PortTaken):
            at.front.start()
        with pytest.raises(PortTaken):
            at.front.restart()
        assert at.phase is Phase.STOPPED


async def test_force_takes_the_port_only_where_it_is_not_ours() -> None:
    async with front_house() as at:
        await at.front.seize()
        assert at.source.did == ["seize"]
        at.front.open(force=True)
        await at.up()
        await at.front.seize()
        assert at.source.did.count("seize") == 1


async def test_until_gives_up_in_time_and_leaves_nothing() -> None:
    async with front_house() as at:
        began = asyncio.get_running_loop().time()
        assert not await at.front.until(lambda: at.front.connected, 2.0)
        assert asyncio.get_running_loop().time() == began + 2.0
        assert at.front._waiting == []


async def test_until_looks_after_what_was_posted_before() -> None:
    async with front_house() as at:
        at.front.start()
        at.front.stop()
        assert await at.front.until(lambda: at.phase is Phase.STOPPED, 10.0)
        assert not any(puppet.alive for puppet in at.source.puppets)


async def test_a_fault_of_who_is_told_costs_nothing() -> None:
    async with front_house() as at:
        at.error = RuntimeError("no room")
        with structlog.testing.capture_logs() as logs:
            await at.up()
        assert "change not told" in {line["event"] for line in logs}
        assert at.phase is Phase.RUNNING


async def test_only_a_gateway_that_is_not_ours_is_asked_to_shut_down() -> None:
    async with front_house() as at:
        await at.up()
        assert "Trunkline's own" in str(await at.front.shut_down())
        assert at.link.told == []  # it would have us end, and all accounts
        at.source.kind = "attached"
        at.front._session = None
        assert await at.front.shut_down() == "not connected"
        at.front._session = at.link
        assert await at.front.shut_down() is None
        at.link.wrong = "INVALID_REQUEST: unknown method: shutdown"
        assert await at.front.shut_down() == at.link.wrong
        assert await at.front.shut_down() == "it does not know the method shutdown"
        assert at.link.told == [("shutdown", {})] * 2
        at.front.stop()
        await at.is_in(Phase.STOPPED)
        assert len(at.link.told) == 2  # gateway.closing is for ours alone


async def test_work_beside_it_ends_with_it() -> None:
    ended = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async with front_house() as at:
        at.front.background(work())
        await asyncio.sleep(0)
    assert ended == [True]


async def test_a_session_that_fails_costs_only_that_incarnation() -> None:
    async with front_house() as at:
        at.source.broken = True
        with structlog.testing.capture_logs() as logs:
            at.front.start()
            await at.is_in(Phase.BACKOFF)
        assert "session failed" in {line["event"] for line in logs}
        assert at.front.status().last_error == "session failed: KeyError: 'a bug'"
        at.source.broken = False
        await at.up()


async def test_work_beside_it_that_fails_costs_nothing() -> None:
    async def work() -> None:
        raise OSError("no processes left")

    async with front_house() as at:
        with structlog.testing.capture_logs() as logs:
            at.front.background(work())
            await until(lambda: logs)
        await at.up()
