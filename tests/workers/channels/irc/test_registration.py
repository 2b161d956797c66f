"""Being let in, or not."""

from __future__ import annotations

import base64

import pytest

from tests.workers.channels.irc.running_account import config
from tests.workers.channels.irc.transcript import line, sent
from workers.channels.irc.registration import Registration
from workers.errors import ChannelError, Misconfigured, NeedsLogin, Transient

SASL = {"user": "bot", "password": "secret"}


def play(*texts: str, **fields: object) -> list[str]:
    """Return the last lines sent after the server said ``texts``."""
    registration = Registration(config(**fields))
    registration.start()
    out = []
    for text in texts:
        out = sent(registration.receive(line(text)))
    return out


def test_the_first_lines_do_not_wait_for_the_server() -> None:
    first = sent(Registration(config(password="pw", realname="A Bot", username="u")).start())
    assert first == ["CAP LS 302", "PASS pw", "NICK tester", "USER u 0 * :A Bot"]


def test_what_is_offered_and_useful_is_requested() -> None:
    offer = "CAP * LS :server-time sasl=PLAIN chghost"
    assert play(offer) == ["CAP REQ server-time"]
    assert play("CAP * LS :") == ["CAP END"]
    assert play(offer, "CAP * ACK :server-time") == ["CAP END"]
    assert play(offer, "CAP * NAK :server-time") == ["CAP END"]
    assert play("CAP * NEW :batch") == []


def test_an_offer_in_several_lines_is_read_to_its_end() -> None:
    assert play("CAP * LS * :message-tags") == []
    assert play("CAP * LS * :message-tags", "CAP * LS :server-time") == [
        "CAP REQ :message-tags server-time"
    ]


def test_sasl_plain_logs_in_before_the_registration() -> None:
    texts = ["CAP * LS :sasl=EXTERNAL,PLAIN", "CAP * ACK :sasl", "AUTHENTICATE +"]
    assert play(*texts[:1], sasl=SASL) == ["CAP REQ sasl"]
    assert play(*texts[:2], sasl=SASL) == ["AUTHENTICATE PLAIN"]
    [answer] = play(*texts, sasl=SASL)
    assert base64.b64decode(answer.split()[1]) == b"bot\0bot\0secret"
    assert play(*texts, ":s 903 x :ok", sasl=SASL) == ["CAP END"]


@pytest.mark.parametrize("length", [286, 287, 300, 700])
def test_a_long_password_goes_in_pieces(length: int) -> None:
    sasl = {"user": "bot", "password": "x" * length}
    answer = [
        one.split()[1]
        for one in play("CAP * LS :sasl", "CAP * ACK :sasl", "AUTHENTICATE +", sasl=sasl)
    ]
    assert all(len(piece) <= 400 for piece in answer)
    assert len(answer[-1]) < 400
    plain = base64.b64decode("".join(piece for piece in answer if piece != "+"))
    assert plain == b"bot\0bot\0" + b"x" * length


@pytest.mark.parametrize(
    ("texts", "error", "words"),
    [
        ([":s 904 x :SASL authentication failed"], NeedsLogin, "SASL login refused"),
        ([":s 902 x :locked"], NeedsLogin, "locked"),
        ([":s 905 x :too long"], Misconfigured, "too long"),
        ([":s 906 x :aborted"], Transient, "aborted"),
        ([":s 908 x EXTERNAL :are available", ":s 904 x :no"], Misconfigured, "EXTERNAL"),
        ([":s 908 x PLAIN,X :are available", ":s 904 x :no"], NeedsLogin, "refused"),
        (["CAP * LS :server-time"], Transient, "offers no SASL"),
        (["CAP * LS :sasl=EXTERNAL"], Misconfigured, "EXTERNAL, not PLAIN"),
        (["CAP * LS :sasl", "CAP * NAK :sasl"], Transient, "refuses the capability"),
        ([":s 001 tester :Welcome"], Transient, "without SASL"),
    ],
)
def test_without_the_login_there_is_no_going_on(
    texts: list[str], error: type[ChannelError], words: str
) -> None:
    with pytest.raises(error, match=words):
        play(*texts, sasl=SASL)


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        (":s 464 x :Password incorrect", NeedsLogin, "server password refused"),
        ("ERROR :Access denied: Bad password?", Transient, "Bad password"),
        ("ERROR :Throttled: Reconnecting too fast, password or not", Transient, "Throttled"),
        ("ERROR :Trying to reconnect too fast.", Transient, "too fast"),
        (":s 465 x :You are banned (spam)", Transient, r"banned from this server.*spam"),
        (":s 465 x :banned - temporary, 1 min", Transient, "temporary"),
        (":s 465 x :Your host is throttled", Transient, "throttled"),
        (":s 465 x :Use SASL to connect", Transient, "Use SASL"),
    ],
)
def test_a_refusal_has_its_error_class(text: str, error: type[ChannelError], words: str) -> None:
    with pytest.raises(error, match=words):
        play(text)


def test_a_taken_nick_is_replaced_until_one_is_free() -> None:
    assert play(":s 433 * tester :in use") == ["NICK tester_"]
    assert play(":s 433 * a :x", ":s 436 * b :x") == ["NICK tester__"]
    assert play(":s 437 * a :x", ":s 432 * tester_ :too long") == ["NICK tester__"]
    with pytest.raises(Transient, match="every nick like tester is taken"):
        play(*[":s 433 * x :in use"] * 40)


def test_a_nick_that_services_hold_is_replaced_too() -> None:
    held = ":s 432 * tester :Nickname is reserved by services for now"
    assert play(held) == ["NICK tester_"]
    with pytest.raises(Misconfigured, match="takes no nick like tester") as refused:
        play(*[held] * 40)
    assert not refused.value.final
    with pytest.raises(Transient, match="every nick like tester"):
        play(":s 433 * tester :in use", *[held] * 40)


def test_the_server_decides_what_we_are_called() -> None:
    registration = Registration(config(nick="averylongnick"))
    registration.receive(line(":s 001 averylong :Welcome"))
    assert registration.done
    assert registration.nick == "averylong"


def test_no_password_is_sent_without_a_configured_one() -> None:
    assert play("CAP * LS :", "CAP * ACK :sasl") == []
    assert play("AUTHENTICATE +") == []


def test_other_lines_are_ignored() -> None:
    assert play(":s NOTICE * :*** Looking up your hostname", ":s 020 * :wait", "FOO") == []
