"""Apps of Slack under the real daemon, against a server that stands for Slack's."""

from __future__ import annotations

import os
import re
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.support.admission import approve
from tests.support.answers import answered_or_unknown
from tests.support.daemon import ECHO, Daemon
from tests.support.restarts import kill_next
from tests.support.watching import watching
from workers.testing.fakes.slack import FakeSlack, fake_slack

pytestmark = pytest.mark.e2e

DOCS = (Path(__file__).parents[2] / "docs" / "slack.md").read_text()
OFTEN = {"ack_seconds": 2.0, "resends": (0.3,) * 100}  # so that tests need not wait for minutes


def tokens(number: int) -> dict[str, str]:
    return {
        "botToken": f"xoxb-secretofthebot-{number}",
        "appToken": f"xapp-1-A{number}-secretoftheapp-{number}",
    }


def bot(number: int) -> str:
    return tokens(number)["botToken"]


def configuration(fake: FakeSlack, count: int) -> dict[str, Any]:
    accounts = {f"app{number}": tokens(number) for number in range(1, count + 1)}
    # One person writes to all chats at once.
    queue = {"mode": "followup", "cap": 1000}
    channels = {"slack": {"apiRoot": fake.root, "accounts": accounts}}
    return ECHO | {"queue": queue, "channels": channels}


async def test_the_commands_of_the_documentation_make_an_app_that_answers(tmp_path: Path) -> None:
    (add,) = (
        each.split() for each in re.findall(r"^trunkline (.*slack:work.*)", DOCS, re.MULTILINE)
    )
    assert "trunkline pairing approve slack CODE" in DOCS
    assert add[:3] == ["channels", "add", "slack:work"]
    assert [each.partition("=")[0] for each in add[3:]] == ["botToken", "appToken"]
    async with fake_slack(**OFTEN) as fake, Daemon(tmp_path, ECHO) as daemon:  # type: ignore[arg-type]
        fields = [f"{name}={value}" for name, value in tokens(1).items()]
        code, _, error = await daemon.command(*add[:3], *fields, f"apiRoot={fake.root}")
        assert code == 0, error
        await daemon.wait_phase("slack:work", "running")
        await fake.say(bot(1), "hello")
        await fake.until(lambda: len(fake.app(bot(1)).texts) == 1, 60)
        await approve(daemon, "slack", fake.app(bot(1)).texts[0])
        await fake.say(bot(1), "hello again")
        await fake.until(lambda: fake.app(bot(1)).texts[1:] == ["echo: hello again"], 60)
        _, shown, _ = await daemon.command("channels", "describe", "slack:work")
        assert "@bot1 in Fake" in shown
        kept = [
            daemon.output,
            *(each for each in (tmp_path / "state").rglob("*") if each.is_file()),
        ]
        assert not [each for each in kept if b"secretofthe" in each.read_bytes()]


async def test_killed_workers_lose_nothing_and_answer_nothing_twice(tmp_path: Path) -> None:
    async with fake_slack(**OFTEN) as fake, Daemon(tmp_path, configuration(fake, 2)) as daemon:  # type: ignore[arg-type]
        rows = [await daemon.wait_phase(f"slack:app{number}", "running") for number in (1, 2)]
        said = [f"message {number}" for number in range(40)]
        killed: list[int] = []
        async with watching(daemon) as watcher:
            for number, text in enumerate(said):
                for app in (1, 2):
                    await fake.say(bot(app), text, f"D{number}")  # each chat has its own pace
                if number in (10, 30):
                    killed.append(await kill_next(daemon, "slack:app1", killed))
            await watcher.until(lambda: len(watcher.texts("slack:app1")) >= len(said))
            await watcher.until(lambda: len(watcher.texts("slack:app2")) >= len(said))
            heard = {number: watcher.texts(f"slack:app{number}") for number in (1, 2)}
        one, two = fake.app(bot(1)), fake.app(bot(2))
        await fake.until(lambda: len(one.acknowledged) == len(two.acknowledged) == len(said), 60)
        await fake.say(bot(1), "the last", "D99")
        # What was with a worker when it was killed is unknown, and not sent again.
        everything = [*said, "the last"]
        await answered_or_unknown(daemon, "slack:app1", everything, lambda: one.texts, 120)
        assert await answered_or_unknown(daemon, "slack:app2", said, lambda: two.texts, 120) == []
        assert one.undelivered == two.undelivered == 0
        assert Counter(heard[1]) == Counter(said), "nothing lost, nothing twice"
        assert heard[2] == said
        status = await daemon.status()
        assert status["accounts"]["slack:app2"]["pid"] == rows[1]["pid"]


async def test_what_comes_while_the_gateway_is_down_is_answered_once(tmp_path: Path) -> None:
    async with fake_slack(**OFTEN) as fake, Daemon(tmp_path, configuration(fake, 1)) as daemon:  # type: ignore[arg-type]
        await daemon.wait_phase("slack:app1", "running")
        said = [f"message {number}" for number in range(20)]
        app = fake.app(bot(1))
        os.kill((await daemon.status())["gateway"]["pid"], signal.SIGKILL)
        for number, text in enumerate(said):
            await fake.say(bot(1), text, f"D{number}")
        await kill_next(daemon, "slack:app1", [])
        await fake.until(lambda: len(app.acknowledged) == len(said), 120)
        await answered_or_unknown(daemon, "slack:app1", said, lambda: app.texts, 120)
        assert app.undelivered == 0


async def test_faults_of_one_app_stay_with_it(tmp_path: Path) -> None:
    async with fake_slack(**OFTEN) as fake, Daemon(tmp_path, configuration(fake, 3)) as daemon:  # type: ignore[arg-type]
        for number in (1, 2, 3):
            await daemon.wait_phase(f"slack:app{number}", "running")
        fake.app(bot(1)).error = "token_revoked"
        await fake.end_connections(bot(1))
        fake.app(bot(2)).socket_mode = False
        await fake.disconnect(bot(2), "link_disabled", close=True)
        await daemon.wait(lambda status: "token_revoked" in str(status["accounts"]["slack:app1"]))
        await daemon.wait(
            lambda status: "Settings, Socket Mode" in str(status["accounts"]["slack:app2"])
        )
        await fake.say(bot(3), "hello")
        await fake.until(lambda: fake.app(bot(3)).texts == ["echo: hello"], 60)
        fake.app(bot(2)).socket_mode = True
        await daemon.wait_phase("slack:app2", "running")
        await fake.say(bot(2), "hello again")
        await fake.until(lambda: fake.app(bot(2)).texts == ["echo: hello again"], 60)
