"""A thousand sessions have a turn of one agent at once, and more wait for their own."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.daemon import Daemon
from tests.support.session_crowd import LINES, all_talk, crowd, crowd_config, install

pytestmark = pytest.mark.e2e

MIB = 1 << 20
AT_ONCE = 1000
PEOPLE = AT_ONCE + 20  # these wait until others are answered
MORE_MIB = 96  # that the gateway may need for them, with what it imports and caches meanwhile


@pytest.fixture
def many_files() -> Iterator[None]:
    """Let this process open as many files as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.usefixtures("many_files")
async def test_a_thousand_sessions_at_once_are_all_answered_once(tmp_path: Path) -> None:
    config = crowd_config(PEOPLE, AT_ONCE)
    lib = install(tmp_path / "lib")
    async with Daemon(tmp_path, config, PYTHONPATH=str(lib)) as daemon:
        status = await daemon.wait(
            lambda s: all(
                row["phase"] == "running" for row in [*s["accounts"].values(), *s["agents"]]
            )
        )
        gateway = psutil.Process(status["gateway"]["pid"])
        async with crowd(daemon, PEOPLE) as people:
            before = gateway.memory_info().rss
            rounds = [await all_talk(people) for _ in range(2)]
            grown = gateway.memory_info().rss - before
        # Nobody was answered before a thousand had a turn, and no session ever had two.
        for heard in rounds:
            assert heard.wrong == []
            assert heard.most == {AT_ONCE: PEOPLE * len(LINES)}
        async with await daemon.client() as client:
            runs = (await client.call("status"))["runs"]
        assert (runs["waiting"], runs["running"]) == (0, 0)
        ended = {state: count for state, count in runs["ended"].items() if count}
        assert ended == {"final": 2 * PEOPLE * len(LINES)}
        assert grown < MORE_MIB * MIB, f"{grown / MIB:.1f} MiB more"
