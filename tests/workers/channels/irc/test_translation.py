"""Messages made into lines, and what was heard into messages."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workers.channels.irc.running_account import config
from tests.workers.channels.irc.transcript import play, registered
from workers.channels.irc.conversation import Conversation
from workers.channels.irc.outputs import Heard, Typing
from workers.channels.irc.translation import compose, to_happened, to_inbound, typing_line
from workers.errors import SendFailed
from workers.messages import Action, Attachment, Chat, Happened, Outbound, Sender


def composed(text: str, to: str = "#a", *, action: bool = False, **fields: object) -> list[str]:
    conversation, _ = registered()
    message = Outbound(to=to, text=text, key="k", action=action)
    return compose(message, config(**fields), conversation)


def test_a_text_becomes_lines() -> None:
    assert composed("one\ntwo") == ["PRIVMSG #a one", "PRIVMSG #a two"]
    assert composed(":) hi", "al") == ["PRIVMSG al ::) hi"]
    assert composed("waves", action=True) == ["PRIVMSG #a :\1ACTION waves\1"]
    assert composed("beep boop", notice=True) == ["NOTICE #a :beep boop"]


@pytest.mark.parametrize("action", [True, False])
def test_a_long_text_fits_with_the_prefix_the_server_adds(action: bool) -> None:
    conversation, _ = registered()
    mask = "tester!~tester@a-rather-long.host.example.org"
    play(conversation, f":{mask} JOIN #a")
    message = Outbound(to="#a", text="wörd " * 400, key="k", action=action)
    lines = compose(message, config(), conversation)
    longest = max(len(f":{mask} {line}\r\n".encode()) for line in lines)
    assert 500 < longest <= 512


@pytest.mark.parametrize(
    ("to", "text", "words"),
    [
        ("#a", "", "nothing to say"),
        ("#a", " \n ", "nothing to say"),
        ("#a", "x\n" * 41, "41 lines are more than maxLines allows"),
        ("al,bo", "x", "not a nick or channel"),
        ("$*.org", "x", "not a nick or channel"),
        ("#a b", "x", "not a nick or channel"),
        ("al\r\nQUIT", "x", "not a nick or channel"),
        (":al", "x", "not a nick or channel"),
        ("x" * 500, "x", "leaves no room"),
    ],
)
def test_what_cannot_be_said_is_refused(to: str, text: str, words: str) -> None:
    with pytest.raises(SendFailed, match=words) as failure:
        composed(text, to.replace(" ", " "))
    assert not failure.value.retryable


def test_files_are_said_as_addresses() -> None:
    conversation, _ = registered()

    def said(url: str) -> list[str]:
        message = Outbound(to="al", text="look", key="k", attachments=[Attachment(url)])
        return compose(message, config(), conversation)

    assert said("https://x.org/a.png") == ["PRIVMSG al look", "PRIVMSG al https://x.org/a.png"]
    with pytest.raises(SendFailed, match="carries no files"):
        said("data:text/plain,x")


def test_nothing_can_be_said_where_we_are_not() -> None:
    settings = config(channels=["#a"])
    conversation = Conversation(settings, 0.0)
    play(conversation, ":s 001 tester :hi", ":s 376 tester :x", ":s 474 tester #a :banned")
    with pytest.raises(SendFailed, match="not in #a: banned") as failure:
        compose(Outbound(to="#a", text="x", key="k"), settings, conversation)
    assert failure.value.retryable


def test_a_received_line_becomes_a_message() -> None:
    known: dict[str, Any] = {"id": "m1", "at": 5, "login": "acc", "me": "bot"}
    said = Heard("al", "al!u@h", "#a", "x", True, action=True, **known)
    got = to_inbound(said, lambda: "own", 9)
    assert (got.id, got.ts, got.chat.id, got.chat.kind) == ("m1", 5, "#a", "group")
    assert (got.addressed, got.action, got.sender.id) == (True, True, "al")
    assert (got.meta, got.named_as) == ({"mask": "al!u@h", "account": "acc"}, ["bot"])
    notice = to_inbound(
        Heard("al", "m", None, "x", False, notice=True, robot=True), lambda: "own", 9
    )
    assert (notice.id, notice.ts, notice.chat.id, notice.chat.kind) == ("own", 9, "al", "direct")
    assert notice.sender.bot
    assert notice.meta["notice"] is True


@pytest.mark.parametrize(
    ("login", "verified"), [("al", True), ("AL", True), ("other", False), (None, False)]
)
def test_services_vouch_for_the_nick_that_is_the_account_s_name(
    login: str | None, verified: bool
) -> None:
    said = Heard("al", "al!u@h", "#a", "x", True, login=login)
    assert to_inbound(said, lambda: "1", 5).sender.verified is verified


def test_typing_is_said_where_the_network_passes_it_on() -> None:
    conversation = Conversation(config(), 0.0)
    conversation.start()
    play(conversation, ":s CAP * LS :message-tags", ":s CAP * ACK :message-tags")
    assert typing_line(Action("typing", "k", "#a"), conversation) == "@+typing=active TAGMSG #a"
    stopped = Action("typing", "k", "al", remove=True)
    assert typing_line(stopped, conversation) == "@+typing=done TAGMSG al"
    with pytest.raises(SendFailed, match="not a nick or channel") as failure:
        typing_line(Action("typing", "k", "al QUIT"), conversation)
    assert failure.value.reason == "invalid"
    play(conversation, ":s CAP * DEL :message-tags")
    with pytest.raises(SendFailed, match="lacks message-tags") as failure:
        typing_line(Action("typing", "k", "#a"), conversation)
    assert failure.value.reason == "unsupported"


def test_typing_that_was_noticed_is_an_event() -> None:
    happened = to_happened(Typing("al", "#a", True, "al"), 5)
    sender = Sender("al", "al", verified=True)
    assert happened == Happened("typing", Chat("#a", "group"), 5, sender=sender, removed=True)
    assert to_happened(Typing("al", None, False), 5).chat == Chat("al", "direct")
