"""A client on this host trusts the gateway's own certificate and no other."""

from __future__ import annotations

import ssl
from contextlib import suppress
from pathlib import Path

import pytest
import trustme

from ipc.identity.trust import trusting


def make(place: Path, name: str) -> tuple[Path, ssl.SSLContext]:
    """Return a certificate's file and the server's context with it."""
    made = trustme.CA().issue_cert(name)
    path = place / f"{name}.pem"
    made.cert_chain_pems[0].write_to_path(str(path))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.configure_cert(context)
    return path, context


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext) -> None:
    """Do both ends of a TLS handshake in memory; raises what the client objects to."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [server.wrap_bio(up, down, server_side=True), client.wrap_bio(down, up)]
    for _ in range(4):
        for end in (ends[1], ends[0]):
            with suppress(ssl.SSLWantReadError):
                end.do_handshake()
    assert ends[1].version()


def test_its_own_certificate_is_enough_whatever_name_is_in_it(tmp_path: Path) -> None:
    path, server = make(tmp_path, "gateway.example")
    shake_hands(server, trusting(path))


def test_another_certificate_is_refused(tmp_path: Path) -> None:
    path, _ = make(tmp_path, "gateway.example")
    _, other = make(tmp_path, "other.example")
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(other, trusting(path))


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        trusting(tmp_path / "cert.pem")
