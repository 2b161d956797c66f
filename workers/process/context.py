"""Implements the context of a plugin: emitting messages, cursors, logins, sending files.

The part that agents share is in ``workers.process.process_context``.
"""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import msgspec
import structlog

from ipc.frames.bootstrap import WorkerBoot
from ipc.frames.data import ADDRESSED, HAPPENED, INBOUND
from ipc.nesting import decode_json
from workers.links.control import WorkerControlLink
from workers.links.data import WorkerDataLink
from workers.links.events import EventEncoder, body_of, cursor_text, happened_body
from workers.login import LoginPrompt
from workers.messages import Happened, Inbound, Outbound, Sent
from workers.plugin import Manifest
from workers.process.credentials import KeptCredentials
from workers.process.logging import Redaction
from workers.process.login import AccountLogin
from workers.process.process_context import ProcessContext
from workers.process.receipts import EmitReceipt
from workers.secrets import field_at

MAX_IDENTITY = 512  # characters
_MEANT = INBOUND | ADDRESSED


class AccountContext(ProcessContext):
    """The ``workers.plugin.Context`` of one account."""

    def __init__(
        self,
        boot: WorkerBoot,
        config: Any,
        log: structlog.typing.FilteringBoundLogger,
        link: WorkerDataLink,
        control: WorkerControlLink,
        redact: Redaction,
        manifest: Manifest,
    ) -> None:
        super().__init__(boot, config, log, control, redact, manifest.media.max_down)
        self.account_id = boot.key.partition(":")[2]
        self._others = 0  # events that are not those of received messages
        self._events = EventEncoder(boot.key, boot.incarnation)
        self.logins = AccountLogin(control, redact.add)
        self._link = link
        self._manifest = manifest
        self._credentials = KeptCredentials(self.storage, self._secrets, redact.add)
        self._ingress_url = boot.ingress_url

    @property
    def messages_in(self) -> int:
        """How many messages were emitted."""
        return self._link.backlog.last - self._others

    @property
    def cursor(self) -> Any:
        """The last durable cursor; ``None`` at first."""
        stored = self._link.positions.stored
        return decode_json(stored, object) if stored else None

    async def emit(self, *what: Inbound | Happened, cursor: Any = None) -> EmitReceipt:
        """Emit messages and other events; wait while too many are unacknowledged.

        If cancelled, the remaining ones and the cursor are not emitted. Raises ``TypeError`` for
        anything but an ``Inbound`` or a ``Happened``, and ``ValueError`` beyond the limits of
        ``workers.messages``; then nothing is emitted.
        """
        if cursor is not None or len(what) != 1 or what[0].__class__ is not Inbound:
            return await self._emit_all(what, b"" if cursor is None else self._position(cursor))
        message: Any = what[0]  # the usual case, without a list and a loop
        link = self._link
        backlog = link.backlog
        if backlog.crowded:
            await link.wait_for_room()
        seq = backlog.last + 1
        flags = _MEANT if message.addressed else INBOUND
        link.post(self._events.inbound(seq, body_of(message)), flags)
        return EmitReceipt(link, seq)

    async def report_sent(self, message: Outbound, sent: Sent) -> None:
        """Emit the event of a message that the platform has accepted as ``sent``."""
        link = self._link
        if link.backlog.crowded:
            await link.wait_for_room()
        link.post(self._events.outbound(link.backlog.last + 1, message, sent), 0)
        self._others += 1

    def mark(self, cursor: Any) -> EmitReceipt:
        """Store a cursor without a message; raises the errors of ``emit`` for an invalid one."""
        return self._mark(self._position(cursor))

    async def safe(self) -> None:
        """Wait until everything emitted and marked so far is acknowledged."""
        await self._link.wait_acknowledged(self._link.backlog.last, self._link.positions.marked)

    def identity(self, id: str) -> None:
        """Set the account's identity at the platform; a cursor of another identity is dropped.

        Raises ``RuntimeError`` if something was already emitted under another one.
        """
        if not isinstance(id, str) or not 0 < len(id) <= MAX_IDENTITY:
            raise ValueError(f"an identity must be text of 1 to {MAX_IDENTITY} characters")
        link = self._link
        if id == link.positions.named:
            return
        if link.backlog.last or link.positions.marked:
            raise RuntimeError("identity() comes before the first emit() or mark()")
        if link.identify(id):
            self.log.warning("another identity: the cursor is dropped", identity=id)

    async def _emit_all(self, what: Sequence[Any], position: bytes) -> EmitReceipt:
        """Check all, then emit them in a row; the last one carries ``position``."""
        found = [self._prepared(each) for each in what]
        link, left = self._link, len(found)
        for numbered, body, flags in found:
            left -= 1
            if link.backlog.crowded:
                await link.wait_for_room()
            link.post(numbered(link.backlog.last + 1, body), flags, b"" if left else position)
            self._others += not flags & INBOUND
        if not found and position:
            return self._mark(position)
        return EmitReceipt(link, link.backlog.last)

    def _prepared(self, each: Any) -> tuple[Callable[[int, bytes], bytes], bytes, int]:
        if each.__class__ is Inbound:
            return self._events.inbound, body_of(each), _MEANT if each.addressed else INBOUND
        if each.__class__ is Happened:
            return self._events.happened, happened_body(each), HAPPENED
        raise TypeError(f"emit takes Inbound and Happened, not {type(each).__name__}")

    def _mark(self, position: bytes) -> EmitReceipt:
        return EmitReceipt(self._link, self._link.backlog.last, self._link.mark(position))

    def _position(self, cursor: Any) -> bytes:
        if not self._manifest.cursor:
            raise RuntimeError("the channel keeps no cursor: set cursor=True in its manifest")
        return cursor_text(cursor)

    async def login(self, prompt: LoginPrompt, *, expires: float | None = None) -> Any:
        """Show a login prompt to a person; see ``workers.plugin.Context``."""
        if "login" not in self._manifest.can:
            raise RuntimeError("the channel has no login: add the word to `can` in its manifest")
        self.log.info("a login is requested", kind=type(prompt).__name__)
        return await self.logins.ask(prompt, expires)

    def opened(self, state: str, query: Mapping[str, str]) -> bool:
        """Handle the redirect of a login page; return whether the login expected it."""
        return self.logins.opened(state, query)

    @property
    def credentials(self) -> Any:
        """The saved credentials of the last login; ``None`` at first."""
        return self._credentials.value

    @property
    def fresh_credentials(self) -> bool:
        """Whether the configured secrets have changed since the credentials were saved."""
        return self._credentials.fresh

    async def save_credentials(self, credentials: Any) -> None:
        """Save the credentials of a login, across restarts; ``None`` removes them."""
        await self.thread(self._credentials.save, credentials)

    def forget_credentials(self) -> None:
        """Remove the credentials at once, because the login has ended."""
        self._credentials.save(None)

    def _secrets(self) -> dict[str, Any]:
        """Return the resolved secrets of the configuration by field name."""
        fields = msgspec.to_builtins(self.config)
        return {name: field_at(fields, name) for name in sorted(self._manifest.secrets)}

    @asynccontextmanager
    async def ready_files(self, manifest: Manifest, message: Outbound) -> AsyncIterator[Outbound]:
        """Yield a message whose files are in the store; see ``workers.media.outgoing``."""
        from workers.media.outgoing import OutgoingFiles  # late: few accounts send files

        files = OutgoingFiles(manifest.id, manifest.media, lambda: self.media)
        async with files.ready(message) as ready:
            yield ready

    def url(self, path: str = "") -> str | None:
        """Return the URL at which the platform reaches the plugin's method ``http``."""
        if self._ingress_url is None:
            return None
        return self._ingress_url + quote(path.removeprefix("/"))

    def same(self, one: str | bytes, other: str | bytes) -> bool:
        """Compare two secrets in constant time."""
        return hmac.compare_digest(_bytes(one), _bytes(other))

    def hmac(self, key: str | bytes, data: str | bytes, digest: str = "sha256") -> bytes:
        """Return the signature of ``data`` under ``key``."""
        return hmac.digest(_bytes(key), _bytes(data), digest)


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else bytes(text)
