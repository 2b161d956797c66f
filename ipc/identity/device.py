"""A device identity and the tokens it was given: one private file.

    identity = Identity.load(Path("~/.local/state/trunkline/identity.json").expanduser())
    client = await Client.connect(url, token="…", identity=identity)

The key is made at the first use and stays. A gateway that has paired the device gives it a
token of its own, which is kept here and used when the shared secret is missing or refused.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Self

import msgspec

from ipc.errors import IpcError
from ipc.files import write_atomically
from ipc.identity import signature

PRIVATE = 0o600


class IdentityError(IpcError):
    """The file cannot be read or written."""


class _Token(msgspec.Struct, rename="camel"):
    token: str
    scopes: list[str] = []
    issued_at_ms: int = 0


class _File(msgspec.Struct, rename="camel"):
    device_id: str
    public_key: str
    private_key: str
    created_at_ms: int = 0
    version: int = 1
    tokens: dict[str, dict[str, _Token]] = {}  # by gateway, then by role


class Identity:
    """One device. ``id`` and ``public_key`` are what a gateway knows it by."""

    def __init__(self, path: Path, file: _File) -> None:
        self.path = path
        self._file = file
        self._private = signature.decode(file.private_key) or b""

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the identity, or make it. Blocks; raises ``IdentityError``.

        A wrong id or public key is put right, for the private key decides; a file that holds
        none is set aside as ``.broken`` and a new identity is made. Mode 0600 is restored.
        """
        try:
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                return cls._make(path)
            if path.stat().st_mode & 0o777 != PRIVATE:
                path.chmod(PRIVATE)
            file = _parse(data)
            if file is None:
                path.replace(path.with_name(f"{path.name}.broken"))
                return cls._make(path)
            identity = cls(path, file)
            identity._repair()
        except OSError as error:
            raise IdentityError(f"{path}: {error.strerror or error}") from None
        return identity

    @classmethod
    def _make(cls, path: Path) -> Self:
        private = signature.new_key()
        public = signature.public_key(private)
        file = _File(
            signature.device_id(public),
            signature.encode(public),
            signature.encode(private),
            int(time.time() * 1000),
        )
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
        write_atomically(fresh, _text(file), mode=PRIVATE)
        try:
            os.link(fresh, path)  # another process may have been first: then its key counts
        except FileExistsError:
            return cls.load(path)
        finally:
            fresh.unlink()
        return cls(path, file)

    @property
    def id(self) -> str:
        """The device's id."""
        return self._file.device_id

    @property
    def public_key(self) -> str:
        """The public key as it stands in frames."""
        return self._file.public_key

    def sign(self, statement: signature.Statement, version: int = signature.V3) -> str:
        """Return the signature over a statement."""
        return signature.sign(self._private, statement.text(version))

    def token(self, place: str, role: str) -> str | None:
        """Return the token that the gateway at ``place`` gave for ``role``."""
        found = self._file.tokens.get(place, {}).get(role)
        return None if found is None else found.token

    def keep(self, place: str, role: str, token: str, scopes: list[str], at_ms: int) -> None:
        """Remember a token; one that cannot be written down serves as long as we live."""
        if self.token(place, role) != token:
            self._file.tokens.setdefault(place, {})[role] = _Token(token, scopes, at_ms)
            self._save()

    def forget(self, place: str, role: str) -> None:
        """Drop a token that is no longer accepted."""
        if self._file.tokens.get(place, {}).pop(role, None) is not None:
            self._save()

    def _repair(self) -> None:
        public = signature.public_key(self._private)
        right = signature.device_id(public), signature.encode(public)
        if (self.id, self.public_key) != right:
            self._file.device_id, self._file.public_key = right
            self._save()

    def _save(self) -> None:
        try:
            write_atomically(self.path, _text(self._file), mode=PRIVATE)
        except OSError:
            return  # a full disk costs a pairing later, not this session


def _parse(data: bytes) -> _File | None:
    try:
        file = msgspec.json.decode(data, type=_File)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    raw = signature.decode(file.private_key)
    return file if raw is not None and len(raw) == signature.KEY_BYTES else None


def _text(file: _File) -> bytes:
    return msgspec.json.format(msgspec.json.encode(file))
