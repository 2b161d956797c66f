"""Keeps a device identity and the tokens that gateways gave it, in one private file.

    identity = Identity.load(Path("~/.local/state/trunkline/identity.json").expanduser())
    client = await Client.connect(url, token="…", identity=identity)

The key is created at the first use and never changes. A gateway that has paired the device issues a
token, which is stored here and used if the shared secret is missing or refused.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Self

import msgspec

from ipc.errors import IpcError
from ipc.files import create_atomically
from ipc.hidden_fields import hide_fields
from ipc.identity import signature
from ipc.permissions import reason
from ipc.state_file import StateFile, encode


class IdentityError(IpcError):
    """The file of an identity cannot be read or written."""


@hide_fields("token")
class DeviceToken(msgspec.Struct, rename="camel"):
    """A token that a gateway has given the device for one role."""

    token: str
    scopes: list[str] = []
    issued_at_ms: int = 0


@hide_fields("private_key")
class IdentityFile(msgspec.Struct, rename="camel"):
    """The file of an identity: keys as base64url, ``tokens`` by gateway and role."""

    device_id: str
    public_key: str
    private_key: str
    created_at_ms: int = 0
    version: int = 1
    tokens: dict[str, dict[str, DeviceToken]] = {}


class Identity:
    """One device: its key, and the tokens that gateways have issued to it.

    A gateway identifies it by ``id`` and ``public_key``. ``store_token`` and ``forget`` change the
    tokens in memory; ``save`` writes them.
    """

    def __init__(self, file: StateFile[IdentityFile], value: IdentityFile) -> None:
        self.path = file.path
        self._file = file
        self._value = value
        self._private = signature.decode(value.private_key) or b""
        self._changed = False

    @classmethod
    def load(cls, path: Path) -> Self:
        """Load the identity, or create it. Blocks; raises ``IdentityError``.

        A wrong id or public key is corrected from the private key; a file without one is set aside
        as ``.damaged-…`` and a new identity is created. Mode 0600 is restored.
        """
        file = StateFile(path, IdentityFile)
        try:
            value = file.read()
            if value is not None and not _has_key(value):
                file.set_aside("no private key")
                value = None
            if value is None:
                return cls._make(path)
            identity = cls(file, value)
            identity._repair()
        except OSError as error:
            raise IdentityError(f"{path}: {reason(error)}") from None
        return identity

    @classmethod
    def _make(cls, path: Path) -> Self:
        private = signature.new_key()
        public = signature.public_key(private)
        value = IdentityFile(
            signature.device_id(public),
            signature.encode(public),
            signature.encode(private),
            int(time.time() * 1000),
        )
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            create_atomically(path, encode(value))
        except FileExistsError:  # another process was first: its key counts
            return cls.load(path)
        return cls(StateFile(path, IdentityFile), value)

    @property
    def id(self) -> str:
        """The device's id, the hash of its public key."""
        return self._value.device_id

    @property
    def public_key(self) -> str:
        """The public key in the form of frames (base64url)."""
        return self._value.public_key

    def sign(self, statement: signature.Statement, version: int = signature.V3) -> str:
        """Return the signature over a statement."""
        return signature.sign(self._private, statement.text(version))

    def token(self, place: str, role: str) -> str | None:
        """Return the token that the gateway at ``place`` gave for ``role``."""
        found = self._value.tokens.get(place, {}).get(role)
        return None if found is None else found.token

    def store_token(self, place: str, role: str, token: str, scopes: list[str], at_ms: int) -> None:
        """Store a token of the gateway at ``place``, issued ``at_ms`` (epoch milliseconds)."""
        if self.token(place, role) != token:
            self._value.tokens.setdefault(place, {})[role] = DeviceToken(token, scopes, at_ms)
            self._changed = True

    def forget(self, place: str, role: str) -> None:
        """Drop a token that is no longer accepted."""
        if self._value.tokens.get(place, {}).pop(role, None) is not None:
            self._changed = True

    async def save(self) -> None:
        """Save changes in a thread, off the loop.

        A failure is ignored: a full disk may require pairing again later, but does not end the
        session.
        """
        if self._changed:
            self._changed = False
            await self._file.save(self._value)

    def _repair(self) -> None:
        public = signature.public_key(self._private)
        right = signature.device_id(public), signature.encode(public)
        if (self.id, self.public_key) != right:
            self._value.device_id, self._value.public_key = right
            with contextlib.suppress(OSError):  # as for ``save``
                self._file.write(self._value)


def _has_key(value: IdentityFile) -> bool:
    raw = signature.decode(value.private_key)
    return raw is not None and len(raw) == signature.KEY_BYTES
