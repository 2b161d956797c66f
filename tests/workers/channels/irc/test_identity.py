"""The nick and NickServ."""

from __future__ import annotations

import pytest

from tests.workers.channels.irc.running_account import config
from tests.workers.channels.irc.transcript import line, sent
from workers.channels.irc.features import Features
from workers.channels.irc.identity import IrcIdentity

NICKSERV = {"password": "secret"}
SERVICE = ":NickServ!s@services"


def started(nick: str = "tester", **fields: object) -> tuple[IrcIdentity, list[str]]:
    identity = IrcIdentity(config(**{"regainSeconds": 60, **fields}))
    identity.on_welcome(nick)
    return identity, sent(identity.start(0.0, Features()))


def test_with_the_wanted_nick_there_is_nothing_to_do() -> None:
    identity, out = started()
    assert (out, identity.due, identity.settled) == ([], None, True)


def test_a_free_nick_is_taken_at_the_slow_pace() -> None:
    identity, out = started("tester_")
    assert (out, identity.due) == ([], 60.0)
    assert sent(identity.on_timer(60.0)) == ["NICK tester"]
    assert identity.receive(line(":s 433 tester_ tester :in use"), 60.1) == []
    assert identity.due == 120.0
    identity.receive(line(":tester_!u@h NICK :tester"), 121.0)
    assert identity.nick == "tester"
    assert sent(identity.on_timer(1000.0)) == []


@pytest.mark.parametrize("text", [":Tester!u@h QUIT :a.net b.net", ":tester!u@h NICK other"])
def test_the_nick_is_taken_when_its_holder_leaves(text: str) -> None:
    identity, _ = started("tester_")
    assert sent(identity.receive(line(text), 1.0)) == ["NICK tester"]


def test_changes_of_other_nicks_are_ignored() -> None:
    identity, _ = started("tester_")
    assert identity.receive(line(":other!u@h QUIT :bye"), 1.0) == []
    assert identity.receive(line(":other!u@h NICK :another"), 1.0) == []


def test_a_renamed_account_tries_to_get_its_nick_back() -> None:
    identity, _ = started()
    identity.receive(line(":tester!u@h NICK Guest123"), 5.0)
    assert (identity.nick, identity.due) == ("Guest123", 65.0)


def test_nickserv_is_told_the_password_and_joins_wait_for_its_answer() -> None:
    identity, out = started(nickserv=NICKSERV)
    assert out == ["PRIVMSG NickServ :IDENTIFY secret"]
    assert (identity.settled, identity.due) == (False, 5.0)
    identity.receive(line(f"{SERVICE} NOTICE tester :This nickname is registered."), 1.0)
    assert not identity.settled
    identity.receive(line(f"{SERVICE} NOTICE tester :You are now identified for tester."), 1.0)
    assert identity.settled
    assert identity.logged_in


@pytest.mark.parametrize(
    "text", [":s 900 tester t!u@h tester :You are now logged in", ":s MODE tester :+ir"]
)
def test_the_server_may_say_it_too(text: str) -> None:
    identity, _ = started(nickserv=NICKSERV)
    identity.receive(line(text), 1.0)
    assert identity.settled
    assert identity.logged_in


@pytest.mark.parametrize(
    "text", [":s MODE tester :-r", ":s MODE tester i", ":s MODE #room +r", ":s MODE other +r"]
)
def test_other_modes_are_no_login(text: str) -> None:
    identity, _ = started(nickserv=NICKSERV)
    identity.receive(line(text), 1.0)
    assert identity.logged_in is None


def test_without_an_answer_the_wait_ends() -> None:
    identity, _ = started(nickserv=NICKSERV)
    identity.receive(line(f"{SERVICE} NOTICE tester :You are not identified."), 1.0)
    assert not identity.settled
    assert identity.on_timer(5.0) == []
    assert identity.settled
    assert identity.nickserv_text == "You are not identified."


def test_a_logout_is_recognized() -> None:
    identity, _ = started(nickserv=NICKSERV)
    identity.receive(line(":s 901 tester t!u@h :You are now logged out"), 1.0)
    assert identity.logged_in is False


def test_ghost_frees_the_nick_and_we_take_it() -> None:
    identity, out = started("tester_", nickserv=NICKSERV)
    assert out == ["PRIVMSG NickServ :GHOST tester secret"]
    out = sent(identity.receive(line(f"{SERVICE} NOTICE tester_ :tester has been ghosted."), 0.5))
    assert out == ["NICK tester"]
    out = sent(identity.receive(line(":tester_!u@h NICK tester"), 0.6))
    assert out == ["PRIVMSG NickServ :IDENTIFY secret"]


def test_a_silent_nickserv_does_not_stop_us() -> None:
    identity, _ = started("tester_", nickserv=NICKSERV)
    assert identity.due == 2.0
    assert sent(identity.on_timer(2.0)) == ["NICK tester"]
    assert sent(identity.on_timer(60.0)) == ["PRIVMSG NickServ :GHOST tester secret"]


def test_regain_renames_us_by_itself() -> None:
    identity, out = started("tester_", nickserv={**NICKSERV, "onCollision": "regain"})
    assert out == ["PRIVMSG NickServ :REGAIN tester secret"]
    assert identity.receive(line(":tester_!u@h NICK tester"), 0.1)
    assert identity.due == 5.0  # only the wait for the login is left


def test_an_account_logs_in_under_any_nick() -> None:
    nickserv = {**NICKSERV, "account": "me", "onCollision": "none", "service": "Q@CServe"}
    identity, out = started("tester_", nickserv=nickserv)
    assert out == ["PRIVMSG Q@CServe :IDENTIFY me secret"]
    identity.receive(line(":Q!q@cserve NOTICE tester_ :You are now logged in as me."), 1.0)
    assert identity.logged_in
    identity.receive(line(":tester_!u@h NICK tester"), 2.0)
    assert sent(identity.on_timer(60.0)) == []


def test_our_mask_is_learnt_and_else_assumed_long() -> None:
    identity, _ = started()
    assert identity.mask_bytes(12, 64) == len("tester!@") + 12 + 64
    identity.receive(line(":tester!~user@host.example JOIN #a"), 1.0)
    assert identity.mask_bytes(12, 64) == len("tester!~user@host.example")
    identity.receive(line(":s 396 tester cloak.example :is now your displayed host"), 1.0)
    assert identity.mask_bytes(12, 64) == len("tester!~user@cloak.example")
    identity.receive(line(":tester!~user@cloak.example CHGHOST u h"), 1.0)
    assert identity.mask_bytes(12, 64) == len("tester!u@h")
    identity.receive(line(":tester JOIN #b"), 1.0)
    assert identity.user == "u"
