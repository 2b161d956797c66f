"""``trunkline pairing …``: what it asks, and what it shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from ops.exits import ExitCode
from tests.support.commandline import trunkline
from tests.support.fakeserver import fake_gateway

REQUEST = {
    "channel": "irc",
    "accountId": "libera",
    "requestId": "r1",
    "senderId": "ada",
    "metadata": {"name": "Ada L."},
    "createdAt": "2026-01-01T00:00:00.000Z",
    "expiresAt": "2026-01-01T01:00:00.000Z",
    "verified": False,
}
LIST: dict[str, Any] = {
    "requests": [REQUEST],
    "people": [{"account": "irc:libera", "senderId": "bob", "state": "blocked"}],
}
LISTED: dict[str, Any] = {"channels.pairing.list": LIST}
APPROVED = {"senderId": "ada", "account": "irc:libera", "requestId": "r1"}
WHO = {"channel": "irc", "accountId": "libera", "senderId": "ada"}


async def test_the_list_shows_requests_and_decisions(state: Path) -> None:
    async with fake_gateway(**LISTED) as fake:
        where = ["--url", fake.url, "--token", "secret"]
        result = await trunkline(state, "pairing", "list", "--channel", "irc", *where)
    assert result.code == 0
    assert fake.asked[-1] == ("channels.pairing.list", {"channel": "irc"})
    assert len(result.out.split("\n\n")) == 2, "two tables"
    for word in ("irc:libera", "ada", "Ada L.", "no", "bob", "blocked"):
        assert word in result.out


@pytest.mark.parametrize(
    ("words", "method", "params", "said"),
    [
        (
            ["approve", "irc", "ABCD2345"],
            "channels.pairing.approve",
            {"channel": "irc", "code": "ABCD2345", "notify": False, "unverified": False},
            "ada may talk to irc:libera",
        ),
        (
            ["approve", "ABCD2345", "--notify", "--unverified"],
            "channels.pairing.approve",
            {"code": "ABCD2345", "notify": True, "unverified": True},
            "ada may talk to irc:libera",
        ),
        (
            ["dismiss", "irc:libera", "ada"],
            "channels.pairing.dismiss",
            {"channel": "irc", "accountId": "libera", "requestId": "r1"},
            "dismissed",
        ),
        (["block", "irc:libera", "ada"], "channels.pairing.block", WHO, "blocked"),
        (["unblock", "irc:libera", "ada"], "channels.pairing.unblock", WHO, "neither blocked"),
    ],
)
async def test_each_decision_is_one_request(
    words: list[str], method: str, params: dict[str, Any], said: str, state: Path
) -> None:
    answers = LISTED | {method: APPROVED}
    async with fake_gateway(**answers) as fake:
        where = ["--url", fake.url, "--token", "secret"]
        result = await trunkline(state, "pairing", *words, *where)
    assert result.code == 0, result.err
    assert fake.asked[-1] == (method, params)
    assert said in result.out


async def test_only_a_pending_request_can_be_dismissed(state: Path) -> None:
    async with fake_gateway(**LISTED) as fake:
        where = ["--url", fake.url, "--token", "secret"]
        result = await trunkline(state, "pairing", "dismiss", "irc:libera", "nobody", *where)
    assert (result.code, result.out) == (1, "")
    assert "does not wait" in result.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["dismiss", "libera", "ada"], "is not an account"),
        (["approve", "a", "b", "c"], "a channel and a code"),
    ],
)
async def test_what_cannot_be_meant_is_a_usage_error(
    words: list[str], said: str, state: Path
) -> None:
    async with fake_gateway(**LISTED) as fake:
        where = ["--url", fake.url, "--token", "secret"]
        result = await trunkline(state, "pairing", *words, *where)
    assert result.code == 2
    assert said in result.err


@pytest.mark.parametrize(
    ("commands", "owners"),
    [
        (None, ["irc:ada"]),
        ({"ownerAllowFrom": ["irc:bob"]}, ["irc:bob", "irc:ada"]),
        ({"ownerAllowFrom": ["irc:ada", "irc:bob"]}, ["irc:bob", "irc:ada"]),
    ],
)
async def test_an_owner_is_one_of_those_that_there_were(
    commands: dict[str, Any] | None, owners: list[str], state: Path
) -> None:
    answers: dict[str, Any] = {
        "channels.pairing.approve": APPROVED,
        "config.get": {"hash": "h", "parsed": {"commands": commands} if commands else {}},
        "config.patch": {"ok": True, "hash": "i"},
    }
    async with fake_gateway(**answers) as fake:
        where = ["--url", fake.url, "--token", "secret"]
        result = await trunkline(state, "pairing", "approve", "ABCD2345", "--owner", *where)
    assert result.code == 0, result.err
    assert "irc:ada stands in commands.ownerAllowFrom" in result.out
    method, params = fake.asked[-1]
    assert (method, params["baseHash"]) == ("config.patch", "h")
    assert msgspec.json.decode(params["raw"]) == {"commands": {"ownerAllowFrom": owners}}


async def test_an_unverified_sender_cannot_become_an_owner(state: Path) -> None:
    words = ["pairing", "approve", "ABCD2345", "--owner", "--unverified"]
    result = await trunkline(state, *words)
    assert result.code == ExitCode.USAGE
    assert "vouches" in result.err
