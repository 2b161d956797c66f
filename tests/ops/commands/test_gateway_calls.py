"""``ops.commands.gateway_calls``: every command that only asks speaks, and fails, alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

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
        "blocked",
    ),
]


@pytest.mark.parametrize(("words", "method", "params", "said"), DONE)
async def test_what_was_done_is_one_word_or_the_answer(
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
