"""Which requests name an account or an agent that the gateway lacks, and what is said then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ops.exits import ExitCode
from tests.support.commandline import trunkline
from tests.support.fakeserver import Refusal, fake_gateway

ROWS: dict[str, Any] = {
    "channels__status": {"channelAccounts": {"irc": [{"accountId": "libera"}]}},
    "agents__list": {"agents": [{"id": "echo", "phase": "running"}, {"id": "tied"}]},
}
NOTHING: dict[str, Any] = {
    "sessions__list": {"sessions": [], "hasMore": False, "totalCount": 0},
    "deadletters__list": {"letters": [], "count": 0},
}
NO = Refusal("INVALID_REQUEST", "no")
AWAY = Refusal("UNAVAILABLE", "away")
CRON = "cron add --name x --every 1h --message y"
ASK = "agent -m x --agent echo --deliver --reply-to y --reply-channel"


async def said(state: Path, words: str, **methods: Any) -> Any:
    async with fake_gateway("secret", **ROWS | NOTHING | methods) as fake:
        return await trunkline(state, *words.split(), "--url", fake.url, "--token", "secret")


@pytest.mark.parametrize(
    ("words", "methods", "sentence"),
    [
        ("sessions list --agent ehco", {}, "agent 'ehco' (did you mean echo?); known: echo, tied"),
        ("sessions list --agent ehco --json", {}, "unknown agent 'ehco'"),
        ("deadletters list --account irc:other", {}, "account 'irc:other'; known: irc:libera"),
        ("deadletters list --account irc", {}, "unknown account 'irc'"),
        ("messages forget --sender x --account irc", {"messages__forget": NO}, "account 'irc'"),
        ("pairing list --channel none", {"channels__pairing__list": NO}, "channel 'none'; known"),
        ("channels why irc:none x", {"channels__why": NO}, "channel 'irc:none'; known: irc:libera"),
        (f"{CRON} --agent none", {"cron__add": AWAY}, "unknown agent 'none'; known: echo, tied"),
        ("agent -m x --agent none", {"agent": NO}, "unknown agent 'none'; known: echo, tied"),
        ("agent -m x --to y --channel none", {"agent": NO}, "unknown account or channel 'none'"),
        (f"{ASK} none", {"agent": NO}, "unknown account or channel 'none'; known: irc:libera"),
        (f"{ASK} irc --reply-account none", {"agent": NO}, "channel 'irc:none'; known: irc:libera"),
    ],
)
async def test_a_name_that_there_is_not_is_named_with_those_that_there_are(
    state: Path, words: str, methods: dict[str, Any], sentence: str
) -> None:
    result = await said(state, words, **methods)
    result.complains(ExitCode.ERROR, sentence)
    assert not result.out


@pytest.mark.parametrize(
    "words",
    [
        "sessions list",
        "sessions list --agent tied",
        "deadletters list",
        "deadletters list --account irc:libera",
        "deadletters list --account agent:echo",
    ],
)
async def test_nothing_of_a_known_one_is_no_error(state: Path, words: str) -> None:
    result = await said(state, words)
    assert (result.code, result.out, result.err) == (0, "none\n", "")


async def test_what_is_left_of_one_that_was_removed_is_shown(state: Path) -> None:
    letter = {"id": "abc", "account": "irc:gone", "at": 0}
    listed = {"letters": [letter], "count": 1}
    result = await said(state, "deadletters list --account irc:gone", deadletters__list=listed)
    assert (result.code, "irc:gone" in result.out) == (0, True)


@pytest.mark.parametrize(
    ("words", "methods"),
    [
        (f"{CRON} --agent echo", {"cron__add": AWAY}),
        ("agent -m x --agent main", {"agent": NO}),
        ("agent -m x --agent none", {"agent": NO, "agents__list": NO}),
    ],
)
async def test_another_refusal_stays_as_it_is(
    state: Path, words: str, methods: dict[str, Any]
) -> None:
    result = await said(state, words, **methods)
    refusal = methods.get("agent") or methods["cron__add"]
    result.complains(ExitCode.ERROR, str(refusal))
    assert "unknown" not in result.err
