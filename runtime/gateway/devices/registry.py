"""Keeps paired devices and nodes in ``devices.json`` of the state directory, mode 0600.

Tokens are stored as hashes, so that the file alone impersonates no device. A thread writes the
file, once for all that changed meanwhile; a change is answered after it is on disk.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import structlog

from ipc.files import write_atomically
from runtime.gateway.jobs import Jobs

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


class Node(Surface, kw_only=True):
    """A node whose ``commands`` an operator has approved."""

    created_at_ms: int = 0
    approved_at_ms: int = 0
    last_seen_at_ms: int | None = None
    last_seen_reason: str | None = None


class _File(msgspec.Struct, rename="camel"):
    version: int = 1
    devices: dict[str, Device] = {}
    nodes: dict[str, Node] = {}


class Registry:
    """The contents of the file. Change ``devices`` or ``nodes``, then call ``changed``."""

    def __init__(self, path: Path, jobs: Jobs) -> None:
        self._path = path
        self._jobs = jobs
        self._file = _load(path)
        self._dirty = False
        self._saving: asyncio.Event | None = None

    @property
    def devices(self) -> dict[str, Device]:
        """The paired devices by id."""
        return self._file.devices

    @property
    def nodes(self) -> dict[str, Node]:
        """The approved nodes by id."""
        return self._file.nodes

    def changed(self) -> None:
        """Schedule a write of the file."""
        self._dirty = True
        if self._saving is None:
            self._saving = asyncio.Event()
            self._jobs.start(self._save())

    async def saved(self) -> None:
        """Wait until every change so far is on disk, or its write has failed."""
        if self._saving is not None:
            await self._saving.wait()

    async def _save(self) -> None:
        assert self._saving is not None
        try:
            while self._dirty:
                self._dirty = False
                text = msgspec.json.format(msgspec.json.encode(self._file))
                try:
                    await asyncio.to_thread(write_atomically, self._path, text)
                except OSError as error:
                    log.error("pairings not written", path=str(self._path), error=str(error))
        finally:
            self._saving.set()
            self._saving = None


def _load(path: Path) -> _File:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_File)
    except FileNotFoundError:
        return _File()
    except (OSError, msgspec.DecodeError, UnicodeError, RecursionError) as error:
        log.error("pairings cannot be read: every device must pair again", error=str(error))
    try:
        path.replace(path.with_name(f"{path.name}.broken"))
    except OSError:
        log.error("the broken file stays in its place", path=str(path))
    return _File()
