"""The file of a device identity and its tokens."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ipc.errors import RemoteError
from ipc.identity import signature
from ipc.identity.credentials import Claim
from ipc.identity.device import Identity, IdentityError

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
    (kept,) = path.parent.glob("identity.json.damaged-*")
    assert kept.read_text() == text


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(IdentityError, match=r"identity\.json"):
        Identity.load(tmp_path / "file" / "identity.json")


async def test_tokens_are_kept_by_gateway_and_role(path: Path) -> None:
    identity = Identity.load(path)
    identity.store_token(HERE, "operator", "t-1", ["operator.read"], 5)
    identity.store_token(FAR, "operator", "t-2", [], 6)
    await identity.save()
    again = Identity.load(path)
    assert again.token(HERE, "operator") == "t-1"
    assert again.token(HERE, "node") is None
    assert again.token(FAR, "operator") == "t-2"
    again.forget(HERE, "operator")
    await again.save()
    assert Identity.load(path).token(HERE, "operator") is None


async def test_a_token_that_cannot_be_written_serves_as_long_as_we_live(path: Path) -> None:
    identity = Identity.load(path)
    path.parent.rename(path.parent.with_name("gone"))
    identity.store_token(HERE, "operator", "t-1", [], 5)
    await identity.save()
    assert identity.token(HERE, "operator") == "t-1"


def test_a_file_that_cannot_be_read_is_kept_and_named(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(IdentityError, match=r"identity\.json"):
        Identity.load(path)
    assert path.is_dir()


def test_nothing_of_cryptography_is_loaded_before_it_is_needed() -> None:
    code = "import sys, ipc.websocket.client; sys.exit('cryptography' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
