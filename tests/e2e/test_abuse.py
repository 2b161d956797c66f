"""Floods and clients that do not read cost the gateway little, and nobody else their answers."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support import abuse, bad_agent
from tests.support.agent_packages import install_kind
from tests.support.daemon import Daemon
from tests.support.person import Person, talking
from tests.support.until import PATIENCE, until

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(180)]

MIB = 1 << 20
MORE_MIB = 64  # soon after the end of it
PEAK_MIB = 96  # for a moment, before the first are closed; 79 was seen
SECONDS = 4.0  # that each kind of abuse lasts


@pytest.mark.parametrize("kind", abuse.KINDS)
async def test_other_clients_are_answered_and_refused_connections_are_counted(
    tmp_path: Path, kind: str
) -> None:
    lib = install_kind(tmp_path / "lib", bad_agent.KIND, bad_agent.MANIFEST)
    config = abuse.configuration(tmp_path)
    async with Daemon(tmp_path, config, PYTHONPATH=str(lib)) as daemon:
        status = await abuse.all_running(daemon)
        gateway = psutil.Process(status["gateway"]["pid"])
        async with talking(daemon, "one") as person:
            await abuse.wrong_hooks(daemon, 0.1)  # what the first request imports
            await person.is_answered("before")
            refused, before = await abuse.refusals(daemon), gateway.memory_info().rss
            work = asyncio.ensure_future(_abused(daemon, kind, refused))
            most, answers = await beside(person, work, gateway)
            statuses = await work
        if kind not in abuse.UNREAD:
            least = sum(count for code, count in statuses.items() if 400 <= code < 500)
            assert least > 0
            async with asyncio.timeout(PATIENCE):
                while await abuse.refusals(daemon) - refused < least:  # noqa: ASYNC110 - it is polled
                    await asyncio.sleep(0.05)
        assert answers > 0
        await until(lambda: gateway.memory_info().rss - before < MORE_MIB * MIB)
        assert most - before < PEAK_MIB * MIB, f"{(most - before) / MIB:.1f} MiB more at its peak"
        after = (await daemon.status())["gateway"]
        assert (after["pid"], after["outages"]) == (gateway.pid, 0)


async def _abused(daemon: Daemon, kind: str, refused: int) -> Any:
    """Carry out a kind of abuse; clients that do not read stay until enough were closed."""
    if kind not in abuse.UNREAD:
        return await abuse.KINDS[kind](daemon, SECONDS)
    carry_out, closed = abuse.UNREAD[kind]

    async def enough() -> bool:
        return await abuse.refusals(daemon) - refused >= closed

    async with asyncio.timeout(4 * PATIENCE):
        return await carry_out(daemon, SECONDS, enough=enough)


async def beside(
    person: Person, work: asyncio.Future[Any], gateway: psutil.Process
) -> tuple[int, int]:
    """Talk until ``work`` is done; return the highest RSS, and how many lines it was."""
    count = most = 0
    while not work.done():
        await person.is_answered(f"line {count}")
        most = max(most, gateway.memory_info().rss)
        count += 1
    return most, count
