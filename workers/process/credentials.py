"""Keeps the result of a login, a session or token, in the account's own directory.

The configuration has only what a person has written. Credentials issued by a platform belong to the
account: one JSON file of mode 0600, replaced as a whole.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

FILE = "credentials.json"
MAX_BYTES = 1024 * 1024


class KeptCredentials:
    """The saved credentials of one account. ``secrets()`` returns the configured secrets.

    The file is read only when needed, because most channels have none. ``add_secret`` registers
    every string of a value as a secret, which is redacted in logs.
    """

    def __init__(
        self, directory: Path, secrets: Callable[[], Any], add_secret: Callable[[Any], None]
    ) -> None:
        self._path = directory / FILE
        self._secrets = secrets
        self._add_secret = add_secret
        self._read: dict[str, Any] | None = None

    @property
    def value(self) -> Any:
        """The last saved credentials; ``None`` at first. Raises ``OSError``."""
        return self._kept().get("credentials")

    @property
    def fresh(self) -> bool:
        """Whether the configured secrets have changed since the credentials were saved."""
        kept = self._kept()
        if kept.get("credentials") is None:
            return False
        return kept.get("secrets") != self._fingerprint(str(kept.get("salt", "")))

    def save(self, value: Any) -> None:
        """Replace them; ``None`` removes them. Blocks; raises ``OSError``, and ``ValueError`` for
        more than 1 MiB of JSON.
        """
        import secrets  # late, as all of these: few channels keep any

        from ipc.files import sync_directory, write_atomically
        from ipc.state_file import encode

        if value is None:
            self._path.unlink(missing_ok=True)
            sync_directory(self._path.parent)
            self._read = {}
            return
        self._add_secret(value)
        salt = secrets.token_hex(16)
        kept = {"credentials": value, "salt": salt, "secrets": self._fingerprint(salt)}
        text = encode(kept)
        if len(text) > MAX_BYTES:
            raise ValueError(f"credentials of {len(text)} bytes, at most {MAX_BYTES} are kept")
        write_atomically(self._path, text)
        self._read = kept

    def _kept(self) -> dict[str, Any]:
        if self._read is None:
            from ipc.state_file import StateFile

            # One that is damaged is set aside: a person must log in again.
            self._read = StateFile(self._path, dict[str, Any]).read() or {}
            self._add_secret(self._read.get("credentials"))
        return self._read

    def _fingerprint(self, salt: str) -> str:
        import hashlib

        import msgspec

        text = msgspec.json.encode(self._secrets(), order="sorted")
        return hashlib.blake2b(text, key=salt.encode()[:64], digest_size=32).hexdigest()
