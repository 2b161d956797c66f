"""The ways in which a client proves itself, over the tries of one ``connect``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ipc.errors import RemoteError
from ipc.identity import signature
from ipc.identity.credentials import Claim, Credentials
from ipc.identity.device import Identity
from tests.ipc.identity.test_signature import statement

HERE, FAR = "ws://127.0.0.1:1", "ws://gateway.example:1"
CLAIM = Claim("cli", "cli", "operator", ("operator.read",), "Linux", "Family")
CHALLENGE = {"nonce": "n-1", "ts": 1_700_000_000_000}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "identity.json"


def refused(code: str) -> RemoteError:
    return RemoteError("INVALID_REQUEST", "unauthorized", details={"code": code})


def credentials(path: Path, place: str = HERE, **secrets: str | None) -> Credentials:
    given: dict[str, Any] = {"token": None, "password": None} | secrets
    return Credentials(place, **given, identity=Identity.load(path))


def test_without_identity_only_the_secrets_are_sent() -> None:
    assert Credentials(HERE, "t", "p", None).params(CLAIM, CHALLENGE) == {
        "auth": {"token": "t", "password": "p"}
    }
    assert Credentials(HERE, None, None, None).params(CLAIM, CHALLENGE) == {}


def test_the_device_signs_what_it_sends(path: Path) -> None:
    sent = credentials(path, token="secret").params(CLAIM, CHALLENGE)
    assert sent["auth"] == {"token": "secret"}
    assert (sent["device"]["nonce"], sent["device"]["signedAt"]) == ("n-1", CHALLENGE["ts"])
    connect = sent | {
        "client": {"id": "cli", "mode": "cli", "platform": "linux", "deviceFamily": "family"},
        "role": "operator",
        "scopes": ["operator.read"],
    }
    key = signature.decode(sent["device"]["publicKey"])
    assert key is not None
    assert signature.verify(key, sent["device"]["signature"], statement(connect))


async def test_a_kept_token_serves_when_there_is_no_secret(path: Path) -> None:
    own = credentials(path)
    own.on_granted({"deviceToken": "t-1", "role": "operator", "scopes": [], "issuedAtMs": 1})
    await own.save()
    assert Identity.load(path).token(HERE, "operator") == "t-1"
    assert own.params(CLAIM, CHALLENGE)["auth"] == {"deviceToken": "t-1"}
    assert not own.on_refused(refused("AUTH_DEVICE_TOKEN_MISMATCH"), "operator")
    await own.save()
    assert Identity.load(path).token(HERE, "operator") is None


def test_a_refused_secret_is_replaced_by_the_kept_token_once(path: Path) -> None:
    own = credentials(path, token="wrong")
    own.on_granted({"deviceToken": "t-1", "role": "operator"})
    own.params(CLAIM, CHALLENGE)
    assert own.on_refused(refused("AUTH_TOKEN_MISMATCH"), "operator")
    assert own.params(CLAIM, CHALLENGE)["auth"] == {"deviceToken": "t-1"}
    assert not own.on_refused(refused("AUTH_TOKEN_MISMATCH"), "operator")


def test_the_kept_token_is_not_shown_on_an_open_road(path: Path) -> None:
    own = credentials(path, FAR, token="wrong")
    own.on_granted({"deviceToken": "t-1", "role": "operator"})
    own.params(CLAIM, CHALLENGE)
    assert not own.on_refused(refused("AUTH_TOKEN_MISMATCH"), "operator")


def test_the_older_signature_is_tried_once(path: Path) -> None:
    own = credentials(path, token="secret")
    first = own.params(CLAIM, CHALLENGE)["device"]["signature"]
    assert own.on_refused(refused("DEVICE_AUTH_SIGNATURE_INVALID"), "operator")
    assert own.params(CLAIM, CHALLENGE)["device"]["signature"] != first
    assert not own.on_refused(refused("DEVICE_AUTH_SIGNATURE_INVALID"), "operator")
