"""What was said before we were here is never taken for new."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.workers.channels.irc.running_account import config
from tests.workers.channels.irc.transcript import line, play
from workers.channels.irc.conversation import Conversation
from workers.channels.irc.features import Features
from workers.channels.irc.outputs import Heard
from workers.channels.irc.playback import MAX_OPEN_BATCHES, Playback, server_time
from workers.channels.irc.translation import to_inbound

OURS = 1_700_000_000_000  # our clock, epoch ms, when the connection began
HOUR = 3_600_000


def at(ms: int) -> str:
    text = datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")
    return f"time={text.replace('+00:00', 'Z')}"


def history(*said: str) -> Playback:
    found = Playback(OURS)
    for text in said:
        got = line(text)
        if got.command == "BATCH":
            found.on_batch(got)
        elif got.command == "JOIN":
            found.on_entered(got.param(0).lower(), got)
        else:
            found.sync_clock(got)
    return found


def spoken(tags: str = "", to: str = "#c") -> str:
    return f"@{tags} :al!a@h PRIVMSG {to} :tester: hi" if tags else f":al!a@h PRIVMSG {to} :hi"


@pytest.mark.parametrize(
    ("before", "message", "old"),
    [
        pytest.param([], spoken(), False, id="no time, no batch: it is new"),
        pytest.param([], spoken("time=garbage"), False, id="a time that is none"),
        pytest.param([], spoken(at(OURS)), False, id="now"),
        pytest.param([], spoken(at(OURS - 6 * HOUR)), True, id="hours ago, by our clock"),
        pytest.param([], spoken(at(OURS - 50_000)), False, id="our clock may be ahead"),
        pytest.param(
            [f"@{at(OURS + HOUR)} :s 001 x :hi"], spoken(at(OURS + HOUR - 2_000)), True,
            id="seconds ago, by the server's clock",
        ),
        pytest.param(
            [f"@{at(OURS - HOUR)} :s 001 x :hi"], spoken(at(OURS - HOUR + 5)), False,
            id="the server's clock is behind ours",
        ),
        pytest.param(
            [f"@{at(OURS)} :s 001 x :hi", f"@{at(OURS + HOUR)} :s PONG s :x"],
            spoken(at(OURS + 5_000)), False, id="it waited unread for an hour",
        ),
        pytest.param(
            [f"@{at(OURS)} :s 001 x :hi", f"@{at(OURS + HOUR)} :me!u@h JOIN #C"],
            spoken(at(OURS + 5_000)), True, id="before we came back into the channel",
        ),
        pytest.param(
            [f"@{at(OURS)} :s 001 x :hi", f"@{at(OURS + HOUR)} :me!u@h JOIN #C"],
            spoken(at(OURS + 5_000), "#d"), False, id="but in another one",
        ),
        pytest.param(
            [":s BATCH +1 chathistory #c"], spoken(f"batch=1;{at(OURS + 5)}"), True, id="a batch"
        ),
        pytest.param([":s BATCH +1 znc.in/playback #c"], spoken("batch=1"), True, id="of ZNC"),
        pytest.param([":s BATCH +1 netjoin a b"], spoken("batch=1"), False, id="another kind"),
        pytest.param(
            [":s BATCH +1 chathistory #c", "@batch=1 :s BATCH +2 netjoin a b"],
            spoken("batch=2"), True, id="one within history",
        ),
        pytest.param(
            [":s BATCH +1 chathistory #c", ":s BATCH -1"], spoken("batch=1"), False, id="ended"
        ),
        pytest.param(
            [":s BATCH +1 chathistory #c", ":s BATCH +2 chathistory #d", ":s BATCH -2"],
            spoken("batch=1"), True, id="two that overlap",
        ),
        pytest.param([":s BATCH", ":s BATCH +", ":s BATCH -9"], spoken("batch="), False, id="odd"),
    ],
)  # fmt: skip
def test_messages_from_before_the_connection_are_history(
    before: list[str], message: str, old: bool
) -> None:
    assert history(*before).is_history(line(message), Features()) is old


def test_batches_that_never_end_cost_no_memory() -> None:
    found = history(*(f":s BATCH +{n} chathistory #c" for n in range(MAX_OPEN_BATCHES + 1)))
    assert not found.is_history(line(spoken("batch=0")), Features())
    assert found.is_history(line(spoken("batch=1")), Features())


@pytest.mark.parametrize("text", ["", "x", "0001-01-01T00:00:00", "9999-12-31T23:59:59Z", "24"])
def test_a_time_is_epoch_milliseconds_or_nothing(text: str) -> None:
    found = server_time(line(f"@time={text} :s PONG"))
    assert found is None or found >= 0


def test_playback_is_passed_on_at_every_connection_and_is_never_addressed() -> None:
    for _ in range(2):
        conversation = Conversation(config(channels=["#c"], nickserv={"password": "x"}), 0.0, OURS)
        conversation.start()
        play(conversation, ":s 001 tester :Welcome", ":s 376 tester :End", ":tester!u@h JOIN #c")
        old = at(OURS - 6 * HOUR)
        out = play(
            conversation,
            f"@{old} :al!a@h PRIVMSG #c :tester: a question",
            f"@{old} :al!a@h PRIVMSG tester :another",
            f"@{old} :NickServ!s@h NOTICE tester :You are now identified",
            f"@{at(OURS + 5)} :al!a@h PRIVMSG #c :tester: a new one",
        )
        heard = [to_inbound(one, lambda: "id", OURS) for one in out if isinstance(one, Heard)]
        assert [(m.addressed, m.meta.get("history")) for m in heard] == [
            (False, True),
            (False, True),
            (False, True),
            (True, None),
        ]
        assert conversation.identity.logged_in is None


@pytest.mark.parametrize(
    "told", ["KICK #c tester :out", "QUIT :gone", "NICK other", "PART #c", "MODE tester +r"]
)
def test_what_happened_then_does_not_happen_now(told: str) -> None:
    conversation = Conversation(config(channels=["#c"]), 0.0, OURS)
    conversation.start()
    play(conversation, ":s 001 tester :Welcome", ":s 376 tester :End", ":tester!u@h JOIN #c")
    play(conversation, ":s BATCH +1 chathistory #c")
    assert play(conversation, f"@batch=1 :tester!u@h {told}") == []
    assert conversation.identity.nick == "tester"
    assert conversation.rooms.detail() == {"#c": "joined"}
