"""The negotiation, whole and split as a server may split it."""

from __future__ import annotations

import base64

import pytest

from tests.workers.channels.irc.running_account import config
from tests.workers.channels.irc.transcript import line, sent
from workers.channels.irc.capabilities import Capabilities
from workers.channels.irc.registration import Registration
from workers.errors import Transient

SASL = {"user": "bot", "password": "secret"}
LONG = {"user": "bot", "password": "x" * 290}  # its answer has exactly 400 characters
OFFER = "CAP * LS :message-tags server-time account-tag batch standard-replies sasl=PLAIN"
REQ = "CAP REQ :message-tags server-time account-tag batch standard-replies"
ALL = REQ.partition(":")[2]
AUTH = "AUTHENTICATE PLAIN"
SECRET = "AUTHENTICATE " + base64.b64encode(b"bot\0bot\0secret").decode()


def talk(*texts: str, **fields: object) -> list[str]:
    """Return everything that is sent after the first lines, in order."""
    registration = Registration(config(**fields))
    registration.start()
    out: list[str] = []
    for text in texts:
        out += sent(registration.receive(line(text)))
    return out


@pytest.mark.parametrize(
    ("said", "answers"),
    [
        pytest.param(
            [OFFER, f"CAP x ACK :{ALL}", "CAP x ACK :sasl", "AUTHENTICATE +", ":s 903 x :ok"],
            [REQ, "CAP REQ sasl", AUTH, SECRET, "CAP END"],
            id="as usual",
        ),
        pytest.param(
            ["CAP * LS * :message-tags server-time", "CAP * LS * :account-tag batch",
             "CAP * LS :standard-replies sasl=PLAIN", f"CAP x ACK :{ALL}", "CAP x ACK :sasl",
             "AUTHENTICATE +", ":s 903 x :ok"],
            [REQ, "CAP REQ sasl", AUTH, SECRET, "CAP END"],
            id="an offer in three lines",
        ),
        pytest.param(
            [OFFER, "CAP x ACK :message-tags server-time", "CAP x ACK :account-tag",
             "CAP x ACK :batch standard-replies ", "CAP x ACK :sasl", "AUTHENTICATE +",
             ":s 903 x :ok"],
            [REQ, "CAP REQ sasl", AUTH, SECRET, "CAP END"],
            id="an ACK in three lines",
        ),
        pytest.param(
            [OFFER, "CAP x ACK * :message-tags server-time sasl", "CAP x ACK :account-tag batch "
             "standard-replies", "AUTHENTICATE +", ":s 903 x :ok"],
            [REQ, "CAP REQ sasl", AUTH, SECRET, "CAP END"],
            id="an ACK of both requests, marked as split",
        ),
        pytest.param(
            [OFFER, "CAP x ACK :sasl", "AUTHENTICATE +", ":s 903 x :ok", f"CAP x ACK :{ALL}"],
            [REQ, "CAP REQ sasl", AUTH, SECRET, "CAP END"],
            id="the login is over before the other request is answered",
        ),
        pytest.param(
            [OFFER, f"CAP x NAK :{ALL[:30]}", "CAP x ACK :sasl", "AUTHENTICATE +", ":s 903 x :ok"],
            [REQ, "CAP REQ sasl", AUTH, SECRET, "CAP END"],
            id="a NAK of the rest, cut short",
        ),
        pytest.param(
            [OFFER, "CAP x ACK :sasl", "CAP x NAK :", "AUTHENTICATE +", ":s 903 x :ok"],
            [REQ, "CAP REQ sasl", AUTH, SECRET, "CAP END"],
            id="a NAK that names nothing",
        ),
        pytest.param(
            ["CAP * LS :sasl", "CAP x ACK :sasl", "AUTHENTICATE " + "A" * 400, "AUTHENTICATE +",
             ":s 903 x :ok"],
            ["CAP REQ sasl", AUTH, SECRET, "CAP END"],
            id="a challenge of 400 characters and its empty tail",
        ),
        pytest.param(
            ["CAP * LS :sasl", "CAP x ACK :sasl", "AUTHENTICATE " + "A" * 400,
             "AUTHENTICATE QQ==", ":s 903 x :ok"],
            ["CAP REQ sasl", AUTH, SECRET, "CAP END"],
            id="a challenge in two pieces",
        ),
        pytest.param(
            ["CAP * LS :sasl", "CAP x ACK :sasl", "AUTHENTICATE +", "AUTHENTICATE +"],
            ["CAP REQ sasl", AUTH, SECRET, "AUTHENTICATE *"],
            id="the password is sent once",
        ),
        pytest.param(
            ["CAP * LS :sasl", "CAP x ACK :sasl", "AUTHENTICATE +", ":s 900 x x!u@h bot :in",
             ":s 903 x :ok", ":s 903 x :ok", ":s 907 x :already"],
            ["CAP REQ sasl", AUTH, SECRET, "CAP END"],
            id="several words for one success",
        ),
        pytest.param(
            [OFFER, f"CAP x ACK :{ALL}", "CAP x NEW :draft/x", "CAP x DEL :batch",
             "CAP x ACK :sasl", "AUTHENTICATE +", ":s 903 x :ok"],
            [REQ, "CAP REQ sasl", AUTH, SECRET, "CAP END"],
            id="offers change meanwhile",
        ),
        pytest.param(
            [OFFER, OFFER, f"CAP x ACK :{ALL}", "CAP x ACK :~sasl", "AUTHENTICATE +",
             ":s 903 x :ok"],
            [REQ, "CAP REQ sasl", AUTH, SECRET, "CAP END"],
            id="an offer that comes twice, and a modifier",
        ),
    ],
)  # fmt: skip
def test_a_negotiation_comes_to_the_same_end_however_it_is_split(
    said: list[str], answers: list[str]
) -> None:
    assert talk(*said, sasl=SASL) == answers


def test_an_answer_of_exactly_one_piece_has_an_empty_tail() -> None:
    said = ["CAP * LS :sasl", "CAP x ACK :sasl", "AUTHENTICATE +"]
    pieces = [one.split()[1] for one in talk(*said, sasl=LONG)[2:]]
    assert [len(piece) for piece in pieces] == [400, 1]
    assert pieces[1] == "+"


def test_the_login_may_be_refused_though_nothing_else_is() -> None:
    with pytest.raises(Transient, match="refuses the capability sasl"):
        talk(OFFER, f"CAP x ACK :{ALL}", "CAP x NAK :sasl", sasl=SASL)


def test_offers_of_a_running_connection_are_taken() -> None:
    capabilities = Capabilities(sasl=True)
    capabilities.receive(line("CAP * LS :server-time"))
    capabilities.receive(line("CAP x ACK :server-time"))
    assert capabilities.end()
    assert capabilities.receive(line("CAP x NEW :batch sasl=PLAIN other")) == ["batch"]
    capabilities.receive(line("CAP x ACK :batch"))
    assert capabilities.enabled == {"server-time", "batch"}
    capabilities.receive(line("CAP x DEL :batch"))
    assert capabilities.enabled == {"server-time"}
    assert capabilities.receive(line("CAP x NEW :batch")) == ["batch"]
    capabilities.receive(line("CAP x ACK :-server-time"))
    assert capabilities.enabled == set()
    assert not capabilities.end()
