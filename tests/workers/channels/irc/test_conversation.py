"""The order of things on one connection."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workers.channels.irc.running_account import config
from tests.workers.channels.irc.transcript import line, play, registered, sent
from workers.channels.irc.conversation import Conversation
from workers.channels.irc.outputs import (
    AccountReady,
    Heard,
    PongReceived,
    Registered,
    StatusChanged,
    Undelivered,
)
from workers.errors import ChannelError, Transient


def test_joins_come_after_the_motd_and_ready_after_the_joins() -> None:
    conversation = Conversation(config(channels=["#a"]), 0.0)
    conversation.start()
    out = play(conversation, ":s 001 tester :Welcome", ":s 005 tester CASEMAPPING=ascii :are")
    assert Registered() in out
    assert sent(out) == ["PING lag-1"]
    assert sent(play(conversation, ":s 376 tester :End")) == ["JOIN #a"]
    assert conversation.features.casemapping == "ascii"
    assert AccountReady() in play(conversation, ":tester!u@h JOIN #a")


def test_an_account_without_channels_is_ready_at_once() -> None:
    _, out = registered()
    assert out.count(AccountReady()) == 1


def test_a_silent_channel_delays_ready_by_ten_seconds() -> None:
    conversation, out = registered(channels=["#a"])
    assert AccountReady() not in out
    assert AccountReady() not in conversation.on_timer(9.9)
    assert conversation.due == 10.0
    assert AccountReady() in conversation.on_timer(10.0)
    assert AccountReady() not in play(conversation, ":tester!u@h JOIN #a", now=11.0)


def test_a_missing_motd_is_not_waited_for() -> None:
    conversation = Conversation(config(channels=["#a"]), 0.0)
    play(conversation, ":s 001 tester :Welcome")
    assert conversation.due == 5.0
    assert "JOIN #a" in sent(conversation.on_timer(5.0))
    assert sent(play(conversation, ":s 376 tester :End")) == []


def test_joins_wait_for_nickserv() -> None:
    conversation, out = registered(channels=["#a"], nickserv={"password": "x"})
    assert sent(out)[-1] == "PRIVMSG NickServ :IDENTIFY x"
    out = play(conversation, ":NickServ!s@s NOTICE tester :You are now identified")
    assert "JOIN #a" in sent(out)
    assert any(isinstance(one, Heard) for one in out)


def test_a_bot_mode_is_set_where_there_is_one() -> None:
    conversation = Conversation(config(), 0.0)
    play(conversation, ":s 001 tester :Welcome", ":s 005 tester BOT=B :are supported")
    assert "MODE tester +B" in sent(play(conversation, ":s 422 tester :no motd"))


def test_a_ping_is_answered_at_any_time() -> None:
    conversation = Conversation(config(), 0.0)
    assert sent(play(conversation, "PING :a b")) == ["PONG :a b"]
    conversation, _ = registered()
    assert sent(play(conversation, "PING :token")) == ["PONG token"]


def test_the_lag_is_measured() -> None:
    conversation, _ = registered(pingSeconds=60)
    assert play(conversation, ":s PONG s :other", now=0.1) == [PongReceived("other")]
    assert StatusChanged() in play(conversation, ":s PONG s :lag-1", now=0.25)
    assert conversation.detail()["lagMs"] == 250
    assert conversation.due == 60.25
    assert sent(conversation.on_timer(60.25)) == ["PING lag-2"]
    assert "lag 250 ms" in conversation.summary()


def test_a_dead_connection_is_noticed() -> None:
    conversation, _ = registered(pingTimeoutSeconds=45)
    assert conversation.on_timer(44.9) == []
    with pytest.raises(Transient, match="no answer to a ping for 45 s"):
        conversation.on_timer(45.0)


def test_an_unread_answer_is_no_dead_connection() -> None:
    conversation, _ = registered(pingTimeoutSeconds=45)
    conversation.on_resumed(100.0)
    assert conversation.on_timer(100.0) == []
    play(conversation, ":s PONG s :lag-1", now=100.1)
    conversation.on_resumed(101.0)
    assert conversation.due == 160.1


def test_a_server_that_does_not_let_us_in_is_left() -> None:
    conversation = Conversation(config(connectSeconds=18), 0.0)
    assert conversation.on_timer(17.9) == []
    with pytest.raises(Transient, match="not let in within 18 s"):
        conversation.on_timer(18.0)


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("ERROR :Closing Link: x (K-Lined)", Transient, "K-Lined"),
        (":s 465 tester :You are banned", Transient, "banned"),
        (":s 465 tester :SASL only", Transient, "SASL only"),
        (":op!o@h KILL tester :spam", Transient, "killed by op: spam"),
    ],
)
def test_an_error_of_the_server_ends_the_conversation(
    text: str, error: type[ChannelError], words: str
) -> None:
    conversation, _ = registered()
    with pytest.raises(error, match=words):
        play(conversation, text)


def test_an_undelivered_message_is_reported() -> None:
    conversation, _ = registered()
    assert play(conversation, ":s 401 tester Ghost :No such nick") == [
        Undelivered(("ghost",), "401 No such nick")
    ]
    assert play(conversation, ":s 404 tester #A :Cannot send") == [
        Undelivered(("#a",), "404 Cannot send")
    ]
    assert play(conversation, ":s 301 tester al :away", ":s 501 tester :Unknown mode") == []


def test_the_detail_holds_what_is_known() -> None:
    conversation, _ = registered(channels=["#a"])
    play(conversation, ":s 005 tester NETWORK=Net :are supported", ":tester!u@h JOIN #a")
    assert conversation.detail() == {
        "nick": "tester",
        "network": "Net",
        "channels": {"#a": "joined"},
    }
    assert conversation.summary() == "tester on Net, #a joined"
    play(conversation, ":s 901 tester t!u@h :You are now logged out")
    assert "not logged in" in conversation.summary()
    assert conversation.mask_bytes == len("tester!u@h")


WORDS = st.sampled_from(
    ["tester", "#a", "#b", "x!u@h", "*", "LS", "ACK", "sasl", "lag-1", "+", "NickServ", "BOT=B", ""]
)
COMMANDS = st.from_regex(
    "001|005|376|396|401|433|437|470|474|900|901|903|CAP|AUTHENTICATE|PING|PONG|PRIVMSG|NOTICE|JOIN"
    "|PART|KICK|NICK|QUIT|MODE|INVITE|CHGHOST|KILL|ERROR|465|904",
    fullmatch=True,
)
LINES = st.builds(
    lambda source, command, params: f":{source} {command} {' '.join(params)}",
    st.sampled_from(["s", "tester!u@h", "x!u@h", "NickServ!s@s"]),
    COMMANDS,
    st.lists(WORDS, max_size=4),
)


@given(st.booleans(), st.lists(st.tuples(LINES, st.floats(0, 30)), max_size=40))
def test_nothing_a_server_says_breaks_the_client(
    inside: bool, history: list[tuple[str, float]]
) -> None:
    """Only errors that choose a policy come out, and what is due lies in the future."""
    conversation = Conversation(config(channels=["#a", "#b k"], nickserv={"password": "x"}), 0.0)
    conversation.start()
    now = 0.0
    with contextlib.suppress(ChannelError):
        if inside:
            play(conversation, ":s 001 tester :Welcome", ":s 376 tester :End")
        for text, wait in history:
            now += wait
            conversation.receive(line(text), now)
            conversation.on_timer(now)
            assert conversation.due is None or conversation.due > now
            assert conversation.summary()
