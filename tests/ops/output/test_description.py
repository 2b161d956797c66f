"""What ``channels describe`` prints of an account's limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from ipc.frames.status import AccountStatus
from ops.output.description import show_changes, show_description, show_events
from ops.output.text import moment
from tests.support.commandline import trunkline
from tests.support.fakeserver import (
    BACKOFF,
    NOW,
    account,
    fake_supervisor,
)

MIB = 2**20


def printed(capsys: pytest.CaptureFixture[str], **told: Any) -> str:
    status = msgspec.to_builtins(AccountStatus("irc:libera", "irc", "libera"))
    show_description({"status": status, "label": "IRC"} | told)
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("soft", "hard", "text"),
    [
        (192 * MIB, 256 * MIB, "192.0 MiB soft, 256.0 MiB hard; by polling (why)"),
        (None, 256 * MIB, "no soft, 256.0 MiB hard; by polling (why)"),
    ],
)
def test_the_means_of_the_memory_limit_is_shown(
    capsys: pytest.CaptureFixture[str], soft: int | None, hard: int | None, text: str
) -> None:
    limits = {"memorySoftBytes": soft, "memoryHardBytes": hard}
    assert text in printed(capsys, limits=limits, limitsBy="polling (why)")


def test_an_account_without_limits_has_no_such_line(capsys: pytest.CaptureFixture[str]) -> None:
    limits = {"memorySoftBytes": None, "memoryHardBytes": None}
    assert "memory limits" not in printed(capsys, limits=limits, limitsBy="polling")
    assert "memory limits" not in printed(capsys)  # an older supervisor


@pytest.mark.parametrize(
    ("journal", "text"), [("off", "off: a kill of the gateway may lose messages"), ("on", "on")]
)
def test_it_is_said_what_the_journal_means_for_messages(
    capsys: pytest.CaptureFixture[str], journal: str, text: str
) -> None:
    status = msgspec.to_builtins(AccountStatus("irc:libera", "irc", "libera", journal=journal))
    lines = printed(capsys, status=status).splitlines()
    assert ["journal", text] in [line.split(maxsplit=1) for line in lines]


def test_what_a_person_has_to_do_is_not_called_the_last_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    row = AccountStatus("irc:a", "irc", "a", cause="unconfigured", todo="nick not set: complete x")
    status = msgspec.to_builtins(row)
    assert "last error" not in printed(capsys, status=status, why="nick not set")
    assert "  last error  refused\n" in printed(capsys, status=status | {"lastError": "refused"})


async def test_describe_says_why_and_what_next(state: Path) -> None:
    plugin = {"lastConnectedAt": NOW, "lastEventAt": 1e30, "detail": "3 rooms"}
    told = {
        "status": account("irc:libera", **BACKOFF, revision="0a1b", plugin=plugin),
        "configRevision": "2c3d",
        "label": "IRC",
        "name": "Libera",
        "identity": "bot on irc.libera.chat:6697",
        "why": "exited (signal 9)",
        "next": "it is started again by itself",
        "events": [{"at": NOW, "phase": "running", "cause": None, "text": None, "incarnation": 3}],
        "lines": [{"ts": NOW, "account": "irc:libera", "stream": "stderr", "text": "oops"}],
    }
    async with fake_supervisor(state, channels__describe=told) as fake:
        result = await trunkline(state, "channels", "describe", "irc:libera")
        as_json = await trunkline(state, "channels", "describe", "irc:libera", "--json")
    assert as_json.json == told
    for words in ("exited (signal 9)", "by itself", "bot on irc.libera.chat:6697", "oops"):
        assert words in result.out
    assert "revision 0a1b (now 2c3d)" in result.out
    assert f"plugin lastConnectedAt  {moment(NOW)}\n" in result.out
    assert "plugin lastEventAt      1e+30\n" in result.out
    assert ("channels.describe", {"account": "irc:libera"}) in fake.asked


def test_what_came_again_and_again_is_shown_with_its_number(
    capsys: pytest.CaptureFixture[str],
) -> None:
    often = {"at": NOW, "times": 17, "first": NOW - 3_600_000}
    event = {"phase": "backoff", "incarnation": 3, "text": "boom"} | often
    show_events([event, event | {"text": None}, event | {"by": "Ada"}])
    show_changes([{"text": "config.reload", "by": "Ada"} | often])
    said = f"(17 times since {moment(NOW - 3_600_000)})"
    lines = [line for line in capsys.readouterr().out.splitlines() if moment(NOW) in line]
    assert [line.endswith(said) for line in lines] == [True] * 4
    texts = (f"boom {said}", f"  {said}", f"boom (by Ada) {said}", f"config.reload {said}")
    assert [text in line for text, line in zip(texts, lines, strict=True)] == [True] * 4
