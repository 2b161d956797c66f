"""Who a worker on a link is, and how it proves that."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from ipc.identity.peer import PeerCredentials, PeerProof, parse_peer, peer_name

PROOF = PeerProof(b"secret")
TOKEN = PROOF.token("irc:libera", 3)


def test_a_token_is_of_one_incarnation_and_one_boot() -> None:
    assert PeerProof(b"secret").token("irc:libera", 3) == TOKEN
    others = {
        PROOF.token("irc:libera", 4),
        PROOF.token("irc:other", 3),
        PeerProof(b"another").token("irc:libera", 3),
    }
    assert TOKEN not in others
    assert len(others) == 3


@pytest.mark.parametrize(
    ("peer", "key", "incarnation", "token", "accepted"),
    [
        (b"irc:libera#3", "irc:libera", 3, TOKEN, True),
        (b"irc:libera#3", "irc:libera", 3, "", False),
        (b"irc:libera#3", "irc:libera", 3, TOKEN[:-1], False),
        (b"irc:libera#3", "irc:libera", 3, TOKEN.upper(), False),
        (b"irc:libera#3", "irc:libera", 3, "gr\u00fc\u00dfe", False),  # refused, not an exception
        (b"irc:libera#4", "irc:libera", 3, TOKEN, False),  # another's name
        (b"irc:libera#4", "irc:libera", 4, TOKEN, False),  # an earlier one's token
        (b"\x00\xff\x01", "irc:libera", 3, TOKEN, False),
    ],
)
def test_only_the_right_token_under_the_right_name_is_accepted(
    peer: bytes, key: str, incarnation: int, token: str, accepted: bool
) -> None:
    assert PROOF.accepts(peer, key, incarnation, token) is accepted


@pytest.mark.parametrize(
    ("peer", "parsed"),
    [
        (peer_name("irc:libera", 3).encode(), ("irc:libera", 3)),
        (b"irc:#chan#7", ("irc:#chan", 7)),
        (b"nobody", ("", 0)),
        (b"irc:libera#x", ("irc:libera", 0)),
        ("irc:libera#\u00b2".encode(), ("irc:libera", 0)),  # a digit that is no decimal
        (b"\xff#1", ("\ufffd", 1)),
    ],
)
def test_a_routing_id_is_read_whatever_is_in_it(peer: bytes, parsed: tuple[str, int]) -> None:
    assert parse_peer(peer) == parsed


def test_credentials_hold_a_routing_id_that_nothing_public_tells() -> None:
    known = PROOF.credentials("irc:libera", 3)
    assert (known.name, known.token) == ("irc:libera#3", TOKEN)
    assert (known.routing_id[:1], len(known.routing_id)) == (b"w", 21)
    others = [
        PROOF.credentials("irc:libera", 4),
        PROOF.credentials("irc:other", 3),
        PeerProof(b"another").credentials("irc:libera", 3),
    ]
    assert len({known.routing_id, *(each.routing_id for each in others)}) == 4
    for shown in (repr(known), str(known)):
        assert TOKEN not in shown
        assert known.routing_id.hex() not in shown


@pytest.mark.parametrize(
    ("name", "token"),
    [
        (b"irc:libera#3", b""),
        (b"irc:libera#3", TOKEN.upper().encode()),
        (b"irc:libera#3", "gr\u00fc\u00dfe".encode()),
        (b"irc:libera#3", b"\xff" * 64),
        (b"irc:libera#4", TOKEN.encode()),
        (b"irc:libera#03", TOKEN.encode()),  # the same number, not the same name
        ("irc:libera#\u0663".encode(), TOKEN.encode()),  # a decimal in another script
        (b"irc:libera", TOKEN.encode()),
        (b"\xff\xfe", TOKEN.encode()),
        (b"", b""),
    ],
)
def test_what_does_not_prove_a_peer_is_no_error(name: bytes, token: bytes) -> None:
    assert PROOF.verify(name, token) is None


def test_a_peer_is_admitted_with_its_credentials() -> None:
    known = PROOF.verify(b"irc:libera#3", TOKEN.encode())
    assert known == PROOF.credentials("irc:libera", 3)


def test_a_routing_id_is_derived_without_openssl(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first use would cost each worker 0.4 MiB of its own."""

    def refuse(*args: object, **more: object) -> None:
        pytest.fail("OpenSSL is used")

    for module, name in ((hmac, "digest"), (hmac, "new"), (hashlib, "sha256"), (hashlib, "new")):
        monkeypatch.setattr(module, name, refuse)
    assert len(PeerCredentials("irc:a#1", "token").routing_id) == 21
