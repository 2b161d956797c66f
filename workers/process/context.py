"""Give a plugin its context: emit messages, report that it is ready, report its status.

It is deliberately narrow: what a plugin cannot reach in the worker it cannot damage.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import msgspec
import structlog

from ipc.frames.bootstrap import MediaBoot, WorkerBoot
from ipc.frames.control import MAX_PROBLEM
from ipc.frames.data import HAPPENED, INBOUND
from ipc.frames.status import PLUGIN_FIELDS
from ipc.nesting import decode_json
from workers.errors import SendFailed
from workers.links.control import WorkerControlLink
from workers.links.data import WorkerDataLink
from workers.links.events import EventEncoder, body_of, cursor_text, flags_of, happened_body
from workers.login import LoginPrompt
from workers.messages import Happened, Inbound, Outbound
from workers.plugin import ChildProgram, Manifest
from workers.process.credentials import KeptCredentials
from workers.process.logging import Redaction
from workers.process.login import AccountLogin
from workers.process.receipts import EmitReceipt
from workers.secrets import field_at

if TYPE_CHECKING:  # each is imported where a plugin first needs it
    from concurrent.futures import ThreadPoolExecutor

    import aiohttp

    from workers.media.store import MediaStore

T = TypeVar("T")

_AFTER_LINE = re.compile(r"_([a-z])")
MAX_THREADS = 8
HTTP_SECONDS = 60.0  # of one request; a plugin that polls for longer says so with the request
CONNECT_SECONDS = 15.0
MAX_FIELD = 2_000  # characters of a status field
MAX_IDENTITY = 512  # characters
TEND_SECONDS = 3600.0


class AccountContext:
    """The ``workers.plugin.Context`` of one account. ``messages_in`` counts emitted messages."""

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
        self.key = boot.key
        self.account_id = boot.key.partition(":")[2]
        self.config = config
        self.storage = Path(boot.storage)
        self.run_dir = Path(boot.run_dir)
        self.log = log
        self.messages_in = 0
        self.events = EventEncoder(boot.key, boot.incarnation)
        self._link = link
        self._control = control
        self._redact = redact
        self._manifest = manifest
        self.logins = AccountLogin(control, redact.learn)
        self._credentials = KeptCredentials(self.storage, self._secrets, redact.learn)
        self.proxy = boot.proxy
        self._media_boot = boot.media or MediaBoot(str(self.storage / "media"))
        self._max_down = manifest.media.max_down
        self._media: MediaStore | None = None
        self._tend_at = 0.0
        self._tending: asyncio.Task[None] | None = None
        self.media_refusal = ""  # why the last file was not stored, as long as that lasts
        self._ingress_url = boot.ingress_url
        self._loop = asyncio.get_running_loop()
        self._children: list[Any] = []
        self._threads: ThreadPoolExecutor | None = None
        self._http: aiohttp.ClientSession | None = None

    @property
    def cursor(self) -> Any:
        """The last durable cursor, ``None`` at first."""
        stored = self._link.positions.stored
        return decode_json(stored, object) if stored else None

    async def emit(self, *what: Inbound | Happened, cursor: Any = None) -> EmitReceipt:
        """Emit messages and what else has happened; wait while too many are unacknowledged.

        When cancelled, those that are not emitted yet are not, nor is the cursor. Raises
        ``TypeError`` for anything but an ``Inbound`` or a ``Happened``, ``ValueError`` for what is
        beyond the limits of ``workers.messages``: then none is emitted.
        """
        if cursor is not None or len(what) != 1 or what[0].__class__ is not Inbound:
            return await self._emit_all(what, b"" if cursor is None else self._position(cursor))
        message: Any = what[0]  # the usual case, without a list and a loop
        link = self._link
        if link.crowded():
            await link.wait_for_room()
        seq = link.backlog.last + 1
        link.post(self.events.inbound(seq, body_of(message)), flags_of(message))
        self.messages_in += 1
        return EmitReceipt(link, seq)

    def mark(self, cursor: Any) -> EmitReceipt:
        """Keep a cursor without a message; raises as ``emit`` for one that cannot be kept."""
        return self._mark(self._position(cursor))

    async def safe(self) -> None:
        """Wait until everything emitted and marked so far is acknowledged."""
        await self._link.reached(self._link.backlog.last, self._link.positions.marked)

    def identity(self, id: str) -> None:
        """Name the account at the platform: a cursor of another identity is dropped.

        Raises ``RuntimeError`` when something was emitted already under another one.
        """
        if not isinstance(id, str) or not 0 < len(id) <= MAX_IDENTITY:
            raise ValueError(f"an identity is text of 1 to {MAX_IDENTITY} characters")
        link = self._link
        if id == link.positions.named:
            return
        if link.backlog.last or link.positions.marked:
            raise RuntimeError("identity() comes before the first emit() or mark()")
        if link.identify(id):
            self.log.warning("another identity: the cursor is dropped", identity=id)

    async def _emit_all(self, what: Sequence[Any], position: bytes) -> EmitReceipt:
        """Emit in a row what is checked before the first is; the last brings ``position``."""
        found = [self._prepared(each) for each in what]
        link, left = self._link, len(found)
        for numbered, body, flags in found:
            left -= 1
            if link.crowded():
                await link.wait_for_room()
            link.post(numbered(link.backlog.last + 1, body), flags, b"" if left else position)
            self.messages_in += flags & INBOUND
        if not found and position:
            return self._mark(position)
        return EmitReceipt(link, link.backlog.last)

    def _prepared(self, each: Any) -> tuple[Callable[[int, bytes], bytes], bytes, int]:
        if each.__class__ is Inbound:
            return self.events.inbound, body_of(each), flags_of(each)
        if each.__class__ is Happened:
            return self.events.happened, happened_body(each), HAPPENED
        raise TypeError(f"emit takes Inbound and Happened, not {type(each).__name__}")

    def _mark(self, position: bytes) -> EmitReceipt:
        return EmitReceipt(self._link, self._link.backlog.last, self._link.mark(position))

    def _position(self, cursor: Any) -> bytes:
        if not self._manifest.cursor:
            raise RuntimeError("the channel keeps no cursor: say cursor=True in its manifest")
        return cursor_text(cursor)

    async def login(self, prompt: LoginPrompt, *, expires: float | None = None) -> Any:
        """Have a person log the account in; see ``workers.plugin.Context``."""
        if "login" not in self._manifest.can:
            raise RuntimeError("the channel has no login: put the word into `can` in its manifest")
        self.log.info("a login is asked for", kind=type(prompt).__name__)
        return await self.logins.ask(prompt, expires)

    def opened(self, state: str, query: Mapping[str, str]) -> bool:
        """Take what the page of a login has led back with; return whether it was asked for."""
        return self.logins.opened(state, query)

    @property
    def credentials(self) -> Any:
        """What a login has brought and was saved, ``None`` at first."""
        return self._credentials.value

    @property
    def fresh_credentials(self) -> bool:
        """Whether the configured secrets are others than when the credentials were saved."""
        return self._credentials.fresh

    async def save_credentials(self, credentials: Any) -> None:
        """Keep what a login has brought, over restarts; ``None`` forgets it."""
        await self.thread(self._credentials.save, credentials)

    def forget_credentials(self) -> None:
        """Remove them at once: the login has ended."""
        self._credentials.save(None)

    def _secrets(self) -> dict[str, Any]:
        """Return the secrets of the configuration, resolved, by the names of their fields."""
        fields = msgspec.to_builtins(self.config)
        return {name: field_at(fields, name) for name in sorted(self._manifest.secrets)}

    async def child(
        self, argv: Sequence[str], env: Mapping[str, str] | None = None
    ) -> ChildProgram:
        """Start a program that ends with this process; raises ``OSError`` when that fails."""
        from workers.process.children import PluginChild  # late: few plugins need it

        child = await PluginChild.start(argv, self.log, env)
        self._children = [each for each in self._children if not each.finished] + [child]
        return child

    async def thread(self, function: Callable[..., T], *args: Any) -> T:
        """Return what ``function(*args)`` returns in a thread of this account's own pool."""
        if self._threads is None:
            from concurrent.futures import ThreadPoolExecutor  # late: few plugins need it

            self._threads = ThreadPoolExecutor(MAX_THREADS, "plugin")
        return await self._loop.run_in_executor(self._threads, function, *args)

    def from_thread(self, awaitable: Awaitable[T]) -> T:
        """Await something on the loop from another thread, and return its result.

        Raises ``RuntimeError`` on the loop's own thread, which it would block for ever.
        """
        if asyncio._get_running_loop() is self._loop:
            close = getattr(awaitable, "close", None)
            if close is not None:
                close()  # or Python warns that it was never awaited
            raise RuntimeError("from_thread is for other threads: await it here")
        return asyncio.run_coroutine_threadsafe(_awaited(awaitable), self._loop).result()

    @property
    def http(self) -> aiohttp.ClientSession:
        """A session of aiohttp through the account's ``proxy``, closed with the account."""
        if self._http is None:
            import aiohttp  # late: it takes 0.15 s and 8 MiB where no channel has loaded it

            limits = aiohttp.ClientTimeout(total=HTTP_SECONDS, connect=CONNECT_SECONDS)
            self._http = aiohttp.ClientSession(timeout=limits, proxy=self.proxy)
        return self._http

    @property
    def media(self) -> MediaStore:
        """The files of the account's messages."""
        if self._media is None:
            from workers.media.store import MediaStore  # late: few accounts have files

            self._media = MediaStore(
                self._media_boot,
                max_down=self._max_down,
                proxy=self.proxy,
                on_refusal=self._note_refusal,
            )
        return self._media

    @property
    def media_bytes(self) -> int:
        """The space that the files take, as far as they were used in this process."""
        return 0 if self._media is None else self._media.directory.used

    def tend_media(self) -> None:
        """Begin to remove the files that are too old, once an hour; called before each beat."""
        now = self._loop.time()
        if now < self._tend_at:
            return
        self._tend_at = now + TEND_SECONDS
        if self._media is not None or os.path.isdir(self._media_boot.directory):
            self._tending = self._loop.create_task(self._sweep_media())

    async def _sweep_media(self) -> None:
        try:
            await self.media.sweep()
        except (OSError, SendFailed) as error:
            self.log.warning("old files were not removed", error=str(error))

    def _note_refusal(self, refusal: str) -> None:
        self.media_refusal = self._redact(refusal)[:MAX_PROBLEM]

    @asynccontextmanager
    async def ready_files(self, manifest: Manifest, message: Outbound) -> AsyncIterator[Outbound]:
        """Yield a message whose files are in the store; see ``workers.media.outgoing``."""
        from workers.media.outgoing import OutgoingFiles  # late: few accounts send files

        files = OutgoingFiles(manifest.id, manifest.media, lambda: self.media)
        async with files.ready(message) as ready:
            yield ready

    async def close(self) -> None:
        """End what the plugin has been given: children, threads that have not begun, HTTP."""
        if self._tending is not None:
            self._tending.cancel()
        for child in self._children:
            child.kill()
            await child.wait()  # of a process that was killed: at once
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
        if self._http is not None:
            await self._http.close()

    def url(self, path: str = "") -> str | None:
        """Return the address at which the platform reaches the plugin's ``http``."""
        if self._ingress_url is None:
            return None
        return self._ingress_url + quote(path.removeprefix("/"))

    def same(self, one: str | bytes, other: str | bytes) -> bool:
        """Return whether two secrets are the same, in a time that does not depend on them."""
        return hmac.compare_digest(_bytes(one), _bytes(other))

    def hmac(self, key: str | bytes, data: str | bytes, digest: str = "sha256") -> bytes:
        """Return the signature of ``data`` under ``key``."""
        return hmac.digest(_bytes(key), _bytes(data), digest)

    def ready(self) -> None:
        """Report that the account works now. A second call does nothing."""
        self._control.send_ready()

    def status(self, **fields: Any) -> None:
        """Report the connection; see ``workers.plugin.Context``."""
        patch = {_camel(name): self._short(value) for name, value in fields.items()}
        if strange := sorted(set(patch) - PLUGIN_FIELDS):
            raise ValueError(
                f"not a plugin's to set: {', '.join(strange)};"
                f" allowed: {', '.join(sorted(PLUGIN_FIELDS))}"
            )
        self._control.patch(patch)

    def _short(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._redact(value)[:MAX_FIELD]
        if value is None or isinstance(value, bool | int | float):
            return value
        raise ValueError(f"a status field is text, a number, a boolean or None, not {value!r}")


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else bytes(text)


async def _awaited(awaitable: Awaitable[T]) -> T:
    return await awaitable


def _camel(name: str) -> str:
    return _AFTER_LINE.sub(lambda found: found[1].upper(), name)
