"""The file of a device identity, and the ways in which a client proves itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ipc.errors import RemoteError
from ipc.identity import signature
from ipc.identity.credentials import Claim, Credentials
from ipc.identity.device import Identity, IdentityError
from tests.ipc.identity.test_signature import statement

HERE, FAR = "ws://127.0.0.1:1", "ws://gateway.example:1"
CLAIM = Claim("cli", "cli", "operator", ("operator.read",), "Linux", "Family")
CHALLENGE = {"nonce": "n-1", "ts": 1_700_000_000_000}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "identity.json"


def refused(code: str) -> RemoteError:
    return RemoteError("INVALID_REQUEST", "unauthorized", details={"code": code})


def test_an_identity_is_made_once_and_for_its_owner_only(path: Path) -> None:
    made = Identity.load(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    again = Identity.load(path)
    assert (again.id, again.public_key) == (made.id, made.public_key)
    assert [each.name for each in path.parent.iterdir()] == ["identity.json"]
    raw = signature.decode(made.public_key)
    assert raw is not None
    assert made.id == signature.device_id(raw)


def test_a_wrong_id_is_put_right_and_the_mode_restored(path: Path) -> None:
    made = Identity.load(path)
    text = path.read_text().replace(made.id, "f" * 64).replace(made.public_key, "A" * 43)
    path.write_text(text)
    path.chmod(0o644)
    assert Identity.load(path).id == made.id
    stored = json.loads(path.read_text())
    assert (stored["deviceId"], stored["publicKey"]) == (made.id, made.public_key)
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "text", ["", "[", "{}", '{"deviceId":"a","publicKey":"b","privateKey":"c"}']
)
def test_a_file_without_a_key_is_set_aside(path: Path, text: str) -> None:
    path.parent.mkdir()
    path.write_text(text)
    assert Identity.load(path).id
    assert path.with_name("identity.json.broken").read_text() == text


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(IdentityError, match=r"identity\.json"):
        Identity.load(tmp_path / "file" / "identity.json")


def test_tokens_are_kept_by_gateway_and_role(path: Path) -> None:
    identity = Identity.load(path)
    identity.keep(HERE, "operator", "t-1", ["operator.read"], 5)
    identity.keep(FAR, "operator", "t-2", [], 6)
    again = Identity.load(path)
    assert again.token(HERE, "operator") == "t-1"
    assert again.token(HERE, "node") is None
    assert again.token(FAR, "operator") == "t-2"
    again.forget(HERE, "operator")
    assert Identity.load(path).token(HERE, "operator") is None


def test_nothing_of_cryptography_is_loaded_before_it_is_needed() -> None:
    code = "import sys, ipc.websocket.client; sys.exit('cryptography' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


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
    assert signature.signs(key, sent["device"]["signature"], statement(connect))


def test_a_kept_token_serves_when_there_is_no_secret(path: Path) -> None:
    own = credentials(path)
    own.granted({"deviceToken": "t-1", "role": "operator", "scopes": [], "issuedAtMs": 1})
    assert own.params(CLAIM, CHALLENGE)["auth"] == {"deviceToken": "t-1"}
    assert not own.other_way(refused("AUTH_DEVICE_TOKEN_MISMATCH"), "operator")
    assert Identity.load(path).token(HERE, "operator") is None


def test_a_refused_secret_is_replaced_by_the_kept_token_once(path: Path) -> None:
    Identity.load(path).keep(HERE, "operator", "t-1", [], 1)
    own = credentials(path, token="wrong")
    own.params(CLAIM, CHALLENGE)
    assert own.other_way(refused("AUTH_TOKEN_MISMATCH"), "operator")
    assert own.params(CLAIM, CHALLENGE)["auth"] == {"deviceToken": "t-1"}
    assert not own.other_way(refused("AUTH_TOKEN_MISMATCH"), "operator")


def test_the_kept_token_is_not_shown_on_an_open_road(path: Path) -> None:
    Identity.load(path).keep(FAR, "operator", "t-1", [], 1)
    own = credentials(path, FAR, token="wrong")
    own.params(CLAIM, CHALLENGE)
    assert not own.other_way(refused("AUTH_TOKEN_MISMATCH"), "operator")


def test_the_older_signature_is_tried_once(path: Path) -> None:
    own = credentials(path, token="secret")
    first = own.params(CLAIM, CHALLENGE)["device"]["signature"]
    assert own.other_way(refused("DEVICE_AUTH_SIGNATURE_INVALID"), "operator")
    assert own.params(CLAIM, CHALLENGE)["device"]["signature"] != first
    assert not own.other_way(refused("DEVICE_AUTH_SIGNATURE_INVALID"), "operator")
