"""Keeps paired devices and nodes in ``devices.json`` of the state directory, mode 0600.

Tokens are stored as hashes, so that the file alone impersonates no device. A thread writes the
file, once for all that changed meanwhile; a change is answered after it is on disk.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import structlog

from ipc.state_file import StateFile

log = structlog.get_logger("gateway.registry")


class Record(msgspec.Struct, rename="camel", omit_defaults=True):
    """Base of all records: keys that do not apply are absent, in the file and on the wire."""


class Token(Record, kw_only=True):
    """The token of one role.

    The newest hash comes first; older ones stay valid beside it until the token is rotated or
    revoked. ``issued_at_ms`` belongs to the newest one.
    """

    hashes: list[str] = []
    scopes: list[str] = []
    created_at_ms: int = 0
    issued_at_ms: int = 0
    rotated_at_ms: int | None = None
    revoked_at_ms: int | None = None
    last_used_at_ms: int | None = None


class About(Record, kw_only=True):
    """What a device states about itself."""

    platform: str
    client_id: str
    client_mode: str
    display_name: str | None = None
    device_family: str | None = None
    remote_ip: str | None = None


class Device(About, kw_only=True):
    """A paired device. ``scopes`` are those approved for the role ``operator``."""

    device_id: str
    public_key: str
    operator_label: str | None = None  # the name that operators gave it
    roles: list[str]
    scopes: list[str]
    tokens: dict[str, Token] = {}
    created_at_ms: int = 0
    approved_at_ms: int = 0
    last_seen_at_ms: int | None = None
    last_seen_reason: str | None = None


class Surface(About, kw_only=True):
    """The capabilities and commands that a node offers."""

    node_id: str
    version: str = ""
    caps: list[str]
    commands: list[str]
    permissions: dict[str, bool] = {}


class ApprovedNode(Surface, kw_only=True):
    """A node whose ``commands`` an operator has approved."""

    created_at_ms: int = 0
    approved_at_ms: int = 0
    last_seen_at_ms: int | None = None
    last_seen_reason: str | None = None


class _Pairings(msgspec.Struct, rename="camel"):
    version: int = 1
    devices: dict[str, Device] = {}
    nodes: dict[str, ApprovedNode] = {}


class Registry:
    """The contents of the file. Change ``devices`` or ``nodes``, then call ``save_soon``."""

    def __init__(self, path: Path) -> None:
        self._file = StateFile(path, _Pairings, on_error=self._on_write_error)
        self._pairings = self._file.load() or _Pairings()
        damage = self._file.damage
        if damage is not None:
            log.error(
                "pairings cannot be read: every device must pair again",
                error=damage.reason,
                kept=str(damage.kept),
            )

    @property
    def devices(self) -> dict[str, Device]:
        """The paired devices by id."""
        return self._pairings.devices

    @property
    def nodes(self) -> dict[str, ApprovedNode]:
        """The approved nodes by id."""
        return self._pairings.nodes

    def save_soon(self) -> None:
        """Write the file soon; see ``wait_saved``."""
        self._file.save_soon(self._pairings)

    async def wait_saved(self) -> None:
        """Wait until every change so far is on disk, or its write has failed."""
        await self._file.wait_saved()

    def _on_write_error(self, error: OSError) -> None:
        log.error("pairings not written", path=str(self._file.path), error=str(error))
