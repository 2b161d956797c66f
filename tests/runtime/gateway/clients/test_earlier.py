"""What a gateway that was killed has said, and what may be done again."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import pytest

from ipc.frames.websocket import ErrorShape, error_response, event, response
from ipc.websocket.resumption import Resume
from runtime.gateway.clients.earlier import (
    EarlierTalk,
    Standing,
    may_repeat,
    read_earlier,
    standings,
)
from runtime.gateway.clients.method_table import Repeat

CHALLENGE = event("connect.challenge", {"nonce": "n", "ts": 1})
HELLO = response("c", {"type": "hello-ok", "server": {"version": "1", "connId": "id"}})
REFUSED = error_response("c", ErrorShape("UNAVAILABLE", "gateway starting"))
HEALTH = event("health", {}, 1)
TICK = event("tick", {"ts": 1}, 2)
FOR_IT_ALONE = event("node.invoke.request", {})


@pytest.mark.parametrize(
    ("said", "messages", "talk"),
    [
        ([], 0, EarlierTalk()),
        ([CHALLENGE], 0, EarlierTalk("n")),
        ([CHALLENGE], 1, EarlierTalk("n")),
        ([CHALLENGE], 3, EarlierTalk("n", requests=2)),
        ([CHALLENGE, REFUSED], 1, EarlierTalk("n", refused=True)),
        ([CHALLENGE, HELLO], 1, EarlierTalk("n", "id")),
        ([CHALLENGE, response("c")], 1, EarlierTalk("n")),
        ([event("connect.challenge"), CHALLENGE], 0, EarlierTalk("n")),
        ([CHALLENGE, HELLO, HEALTH, TICK, FOR_IT_ALONE], 2, EarlierTalk("n", "id", False, 2, 1)),
        (
            [CHALLENGE, HELLO, HEALTH, response("c", {}), REFUSED],
            4,
            EarlierTalk("n", "id", False, 1, 3, ("c", "c")),
        ),
    ],
)
def test_messages_mean(said: list[bytes], messages: int, talk: EarlierTalk) -> None:
    assert read_earlier(Resume(b"", b"", True, tuple(said), messages)) == talk


@pytest.mark.parametrize(
    ("asked", "answered", "standings_"),
    [
        ("ab", "", "uu"),
        ("ab", "a", "au"),
        ("ab", "b", "ua"),
        ("ab", "ba", "aa"),
        ("aa", "", "uu"),
        ("aba", "a", "au?"),  # the answer may be that of the last
        ("aba", "ab", "aa?"),
        ("aba", "aa", "aua"),
        ("aaa", "a", "a??"),
        ("b", "a", "u"),
    ],
)
def test_of_requests_with_one_id_it_is_not_known_which_has_the_answer(
    asked: str, answered: str, standings_: str
) -> None:
    letters = {Standing.ANSWERED: "a", Standing.UNANSWERED: "u", Standing.UNKNOWN: "?"}
    found = standings(tuple(asked), tuple(answered))
    assert "".join(letters[each] for each in found) == standings_
    assert found.count(Standing.ANSWERED) == sum((Counter(asked) & Counter(answered)).values())


class Keyed(msgspec.Struct):
    idempotency_key: str | None = None


@pytest.mark.parametrize(
    ("repeat", "params", "again"),
    [
        (Repeat.ALWAYS, None, True),
        (Repeat.ALWAYS, Keyed("k"), True),
        (Repeat.WITH_KEY, Keyed("k"), True),
        (Repeat.WITH_KEY, Keyed(), False),
        (Repeat.WITH_KEY, None, False),
        (Repeat.NEVER, None, False),
        (Repeat.NEVER, Keyed("k"), False),
    ],
)
def test_what_may_be_done_again(repeat: Repeat, params: Any, again: bool) -> None:
    assert may_repeat(repeat, params) is again
