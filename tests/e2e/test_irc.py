"""Accounts on a real IRC server, and faults beside them."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import ECHO, Daemon
from tests.support.irc_server import IrcServer, RawClient
from tests.support.watching import watching

pytestmark = pytest.mark.e2e

ROOM = "#trunkline"


def configuration(server: IrcServer, *nicks: str, **more: Any) -> dict[str, Any]:
    """One IRC account for each nick, all in one room; ``more`` are other channels."""
    irc = {
        "server": "127.0.0.1",
        "port": server.port,
        "tls": False,
        "channels": [ROOM],
        "accounts": {nick: {"nick": nick} for nick in nicks},
    }
    supervisor = {"beatSeconds": 0.2, "suspectAfterSeconds": 1, "silentAfterSeconds": 2}
    return ECHO | {"channels": {"irc": irc, **more}, "supervisor": supervisor}


async def test_a_message_reaches_a_client_through_each_account_and_the_answer_comes_back(
    tmp_path: Path, irc_server: IrcServer
) -> None:
    async with Daemon(tmp_path, configuration(irc_server, "anna", "bert", "carl")) as daemon:
        for nick in ("anna", "bert", "carl"):
            await daemon.wait_phase(f"irc:{nick}", "running")
        person = await RawClient.connect(irc_server, "person", ROOM)
        async with watching(daemon) as watcher:
            person.say(ROOM, "anna: hello there")
            for nick in ("anna", "bert", "carl"):
                # The others may hear anna's answer as well by now.
                assert (await watcher.heard(f"irc:{nick}"))[0] == "anna: hello there"
            answer = await person.expect(lambda line: "PRIVMSG" in line and "hello there" in line)
            assert answer.startswith(":anna!")
            await watcher.heard("irc:anna", direction="out")
            assert not watcher.texts("irc:bert", "out")
        await person.close()


async def test_faults_of_some_accounts_do_not_affect_the_others(
    tmp_path: Path, irc_server: IrcServer, faulty_path: str
) -> None:
    faulty = {"accounts": {"one": {"fault": "callback", "after": 1.5}}}
    config = configuration(irc_server, "anna", "bert", "carl", "dora", faulty=faulty)
    async with Daemon(tmp_path, config, PYTHONPATH=faulty_path) as daemon:
        keys = [f"irc:{nick}" for nick in ("anna", "bert", "carl", "dora")]
        for key in keys:
            await daemon.wait_phase(key, "running")
        before = (await daemon.status())["accounts"]
        person = await RawClient.connect(irc_server, "person", ROOM)
        async with watching(daemon) as watcher:
            said = 0

            async def say(count: int) -> None:
                nonlocal said
                for _ in range(count):
                    said += 1
                    person.say(ROOM, f"line {said}")
                await watcher.heard("irc:carl", said)

            await say(2)
            os.kill(before["irc:anna"]["pid"], signal.SIGKILL)
            os.kill(before["irc:bert"]["pid"], signal.SIGSTOP)
            await say(2)
            await watcher.until(lambda: "backoff" in watcher.phases("irc:anna"))
            await watcher.until(lambda: "backoff" in watcher.phases("irc:bert"))
            await watcher.until(lambda: "backoff" in watcher.phases("faulty:one"))
            await say(2)
            after = {key: await daemon.wait_phase(key, "running") for key in keys}
            await say(2)
            lines = [f"line {number}" for number in range(1, said + 1)]
            for key in ("irc:carl", "irc:dora"):
                assert await watcher.heard(key, said) == lines
                assert after[key]["incarnation"] == before[key]["incarnation"]
            assert after["irc:anna"]["incarnation"] == before["irc:anna"]["incarnation"] + 1
            assert "SIGSTOP" in after["irc:bert"]["lastError"]
            assert "signal 9" in after["irc:anna"]["lastExit"]
        await person.close()


async def test_what_a_person_stopped_stays_stopped_over_a_restart_of_the_daemon(
    tmp_path: Path, irc_server: IrcServer
) -> None:
    daemon = Daemon(tmp_path, configuration(irc_server, "anna", "bert"))
    async with daemon:
        for key in ("irc:anna", "irc:bert"):
            await daemon.wait_phase(key, "running")
        stop = {"accounts": ["irc:anna"], "reason": "moving"}
        result = await daemon.call("channels.stop", stop)
        assert result["results"][0]["persisted"] is True
        assert result["results"][0]["stopped"] is True
        assert daemon.end() == 0
        await daemon.start()
        await daemon.wait_phase("irc:bert", "running")
        row = (await daemon.status())["accounts"]["irc:anna"]
        assert (row["phase"], row["cause"], row["hold"]["reason"]) == ("stopped", "held", "moving")
        await daemon.call("channels.start", {"accounts": ["irc:anna"]})
        await daemon.wait_phase("irc:anna", "running")


async def test_an_operator_does_not_wait_for_the_backoff(
    tmp_path: Path, irc_server: IrcServer
) -> None:
    config = configuration(irc_server, "anna")
    config["supervisor"]["restart"] = {"initialSeconds": 600, "maximumSeconds": 600}
    async with Daemon(tmp_path, config) as daemon:
        row = await daemon.wait_phase("irc:anna", "running")
        os.kill(row["pid"], signal.SIGKILL)
        waiting = await daemon.wait_phase("irc:anna", "backoff")
        assert waiting["nextTryAt"] is not None
        await daemon.call("channels.start", {"accounts": ["irc:anna"]})
        again = await daemon.wait_phase("irc:anna", "running")
        assert again["incarnation"] == row["incarnation"] + 1
        assert again["failures"] == 0
