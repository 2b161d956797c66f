"""``ops.commands.gateway_calls``: every command that only asks speaks, and fails, alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ops.exits import ExitCode
from tests.support.commandline import trunkline
from tests.support.fakeserver import Refusal, fake_gateway

# words, method, params, what is printed
DONE: list[tuple[list[str], str, dict[str, Any], str]] = [
    (["deadletters", "retry", "a1"], "deadletters.retry", {"id": "a1"}, "queued"),
    (["deadletters", "discard", "a1"], "deadletters.discard", {"id": "a1"}, "discarded"),
    (["devices", "approve", "r1"], "device.pair.approve", {"requestId": "r1"}, "approved"),
    (["devices", "remove", "d1"], "device.pair.remove", {"deviceId": "d1"}, "removed"),
    (["nodes", "reject", "r1"], "node.pair.reject", {"requestId": "r1"}, "rejected"),
    (["nodes", "remove", "n1"], "node.pair.remove", {"nodeId": "n1"}, "removed"),
    (
        ["pairing", "block", "irc:libera", "mallory"],
        "channels.pairing.block",
        {"channel": "irc", "accountId": "libera", "senderId": "mallory"},
        "mallory is blocked in irc:libera",
    ),
]


@pytest.mark.parametrize(("words", "method", "params", "said"), DONE)
async def test_what_was_done_is_one_line_or_the_answer(
    words: list[str], method: str, params: dict[str, Any], said: str, state: Path
) -> None:
    answers: dict[str, Any] = {method: {"ok": True}}
    async with fake_gateway(**answers) as fake:
        where = ["--url", fake.url, "--token", "secret"]
        plain = await trunkline(state, *words, *where)
        as_json = await trunkline(state, *words, *where, "--json")
    assert (plain.code, plain.out.strip()) == (0, said)
    assert json.loads(as_json.out) == {"ok": True}
    assert [call for call in fake.asked if call[0] != "connect"] == [(method, params)] * 2


@pytest.mark.parametrize(("words", "method", "params", "said"), DONE)
async def test_a_refusal_is_one_sentence_and_an_exit_code(
    words: list[str], method: str, params: dict[str, Any], said: str, state: Path
) -> None:
    refusal: dict[str, Any] = {method: Refusal("INVALID_REQUEST", "there is no such thing")}
    async with fake_gateway(**refusal) as fake:
        result = await trunkline(state, *words, "--url", fake.url, "--token", "secret")
    assert result.code != 0
    assert "there is no such thing" in result.err
    assert "Traceback" not in result.err
    assert result.out == ""


LETTER = {"id": "a1", "account": "irc:libera", "chat": "#room", "state": "failed", "at": 1}
SESSION = {"key": "agent:main:main", "updatedAt": 1}
RUN = {"runAtMs": 1, "status": "ok", "durationMs": 1500, "summary": "word " * 40 + "end"}
# A list that has a limit, and the answer with one of three rows.
CUT: list[tuple[list[str], str, dict[str, Any]]] = [
    (["sessions", "list"], "sessions.list", {"sessions": [SESSION], "totalCount": 3}),
    (["deadletters", "list"], "deadletters.list", {"letters": [LETTER], "count": 3}),
    (["cron", "runs", "j1"], "cron.runs", {"entries": [RUN], "total": 3}),
]


@pytest.mark.parametrize(("words", "method", "answer"), CUT)
async def test_a_list_that_is_cut_says_so(
    words: list[str], method: str, answer: dict[str, Any], state: Path
) -> None:
    answers: dict[str, Any] = {method: answer}
    async with fake_gateway(**answers) as fake:
        where = ["--limit", "1", "--url", fake.url, "--token", "secret"]
        result = await trunkline(state, *words, *where)
    assert (result.code, result.err) == (0, "2 more; --limit shows more of them\n")


@pytest.mark.parametrize(
    ("words", "method", "refusal", "listed_by"),
    [
        ("devices approve r1", "device.pair.approve", "unknown requestId", "devices list"),
        ("devices rotate d1", "device.token.rotate", "token rotation denied", "devices list"),
        ("nodes reject r1", "node.pair.reject", "unknown requestId", "nodes list"),
        ("nodes describe n1", "node.describe", "unknown nodeId", "nodes status"),
        ("nodes invoke n1 x", "node.invoke", "node not connected", "nodes status"),
        ("sessions reset k", "sessions.resolve", "session not found", "sessions list"),
    ],
)
async def test_what_is_not_there_is_listed_by_a_command(
    words: str, method: str, refusal: str, listed_by: str, state: Path
) -> None:
    answers: dict[str, Any] = {method.replace(".", "__"): Refusal("INVALID_REQUEST", refusal)}
    async with fake_gateway(**answers) as fake:
        result = await trunkline(state, *words.split(), "--url", fake.url, "--token", "secret")
    result.complains(ExitCode.ERROR, f"{refusal}; `trunkline {listed_by}` shows them")


async def test_another_refusal_is_left_as_it_is(state: Path) -> None:
    async with fake_gateway(node__rename=Refusal("INVALID_REQUEST", "name required")) as fake:
        where = ("--url", fake.url, "--token", "secret")
        result = await trunkline(state, "nodes", "rename", "n1", "x", *where)
    result.complains(ExitCode.ERROR, "name required")
    assert "shows them" not in result.err


STEERING = "\x1b[2J\u202eabc\r\n"  # clears the screen, turns the line around, begins another one
SEND = "message send --account irc:a -t x -m y"
STATE: dict[str, Any] = {"state": {}}
STEERED: list[tuple[str, dict[str, Any]]] = [
    (SEND, {"send": {"messageId": STEERING}}),
    (f"{SEND} --queue", {"send": {"outboxId": STEERING}}),
    (SEND, {"send": Refusal("UNAVAILABLE", STEERING)}),
    (
        "pairing approve AAAA2222",
        {"channels.pairing.approve": {"senderId": STEERING, "account": STEERING}},
    ),
    ("sessions reset k", {"sessions.resolve": {"key": STEERING}, "sessions.reset": {}}),
    ("cron add --name x --every 1h -m y", {"cron.add": {"id": STEERING} | STATE}),
    ("cron run j", {"cron.run": {"runId": STEERING}}),
    ("cron run j", {"cron.run": {"reason": STEERING}}),
    ("agent -m x --agent a --no-wait", {"agent": {"status": "accepted", "runId": STEERING}}),
    ("gateway probe", {"health": Refusal("UNAVAILABLE", STEERING)}),
]


@pytest.mark.parametrize(("words", "answers"), STEERED)
async def test_what_a_gateway_or_a_platform_answers_cannot_steer_the_terminal(
    words: str, answers: dict[str, Any], state: Path
) -> None:
    async with fake_gateway(**answers) as fake:
        result = await trunkline(state, *words.split(), "--url", fake.url, "--token", "secret")
    printed = result.out + result.err
    assert "abc" in printed
    assert not set(printed) & {"\x1b", "\u202e", "\r"}
