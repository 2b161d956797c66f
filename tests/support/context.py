"""A ``workers.plugin.Context`` that records what a plugin does, for tests of one plugin."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import structlog

from ipc.frames.bootstrap import MediaBoot
from ipc.frames.status import PLUGIN_FIELDS
from workers.login import LoginPrompt
from workers.media.store import MediaStore
from workers.messages import Happened, Inbound
from workers.process.children import PluginChild

T = TypeVar("T")


class FulfilledReceipt:
    """A receipt that is durable as soon as ``storing`` is set."""

    durable = True

    def __init__(self, storing: asyncio.Event) -> None:
        self._storing = storing

    def __await__(self) -> Generator[Any, None, None]:
        if not self._storing.is_set():
            yield from self._storing.wait().__await__()


class RecordingContext:
    """Records messages, readiness, status and log; ``until`` waits for any of it."""

    def __init__(self, config: Any, directory: Path, key: str = "irc:test") -> None:
        self.key = key
        self.account_id = key.partition(":")[2]
        self.config = config
        self.storage = directory
        self.media = MediaStore(MediaBoot(str(directory / "media")))
        self.run_dir = directory
        self.emitted: list[Inbound] = []
        self.happened: list[Happened] = []
        self.fields: dict[str, Any] = {}  # the status as it is now, camelCase
        self.logged: list[dict[str, Any]] = []
        self.cursor: Any = None
        self.named: str | None = None
        self.proxy: str | None = None
        self.is_ready = False
        self.ended: str | None = None  # why the plugin ended, told by ``end``
        self.taking = asyncio.Event()  # cleared: emit waits, as under back-pressure
        self.taking.set()
        self.storing = asyncio.Event()  # cleared: nothing is durable, as with a full disk
        self.storing.set()
        self.log: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
            None,
            processors=[self._remember],
            wrapper_class=structlog.make_filtering_bound_logger(0),
        )
        self._changed = asyncio.Event()
        self._http: aiohttp.ClientSession | None = None

    async def emit(self, *what: Inbound | Happened, cursor: Any = None) -> FulfilledReceipt:
        await self.taking.wait()
        self.emitted += [each for each in what if isinstance(each, Inbound)]
        self.happened += [each for each in what if isinstance(each, Happened)]
        self._changed.set()
        return FulfilledReceipt(self.storing) if cursor is None else self.mark(cursor)

    def mark(self, cursor: Any) -> FulfilledReceipt:
        self.cursor = cursor
        self._changed.set()
        return FulfilledReceipt(self.storing)

    async def safe(self) -> None:
        """Return at once: emitted messages are always safe here."""

    async def login(self, prompt: LoginPrompt, *, expires: float | None = None) -> Any:
        raise NotImplementedError("no plugin of ours logs in")

    def opened(self, state: str, query: Mapping[str, str]) -> bool:
        return False

    credentials: Any = None
    fresh_credentials = False

    async def save_credentials(self, credentials: Any) -> None:
        self.credentials = credentials

    async def child(self, argv: Sequence[str], env: Mapping[str, str] | None = None) -> PluginChild:
        return await PluginChild.start(argv, self.log, env)

    async def thread(self, function: Callable[..., T], *args: Any) -> T:
        return await asyncio.to_thread(function, *args)

    def from_thread(self, awaitable: Awaitable[T]) -> T:
        raise NotImplementedError("no plugin of ours emits from a thread")

    @property
    def http(self) -> aiohttp.ClientSession:
        """A session; ``close`` ends it."""
        if self._http is None:
            self._http = aiohttp.ClientSession()
        return self._http

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()

    def identity(self, id: str) -> None:
        self.named = id

    def url(self, path: str = "") -> str | None:
        return f"https://chat.example/channels/{self.key.replace(':', '/')}/{path}"

    def same(self, one: str | bytes, other: str | bytes) -> bool:
        return one == other

    def hmac(self, key: str | bytes, data: str | bytes, digest: str = "sha256") -> bytes:
        given = [each.encode() if isinstance(each, str) else each for each in (key, data)]
        return hmac.digest(given[0], given[1], digest)

    def ready(self) -> None:
        self.is_ready = True
        self._changed.set()

    def status(self, **fields: Any) -> None:
        for name, value in fields.items():
            first, *rest = name.split("_")
            camel = first + "".join(word.title() for word in rest)
            if camel not in PLUGIN_FIELDS:
                raise ValueError(f"not a plugin's field: {name}")
            if not isinstance(value, str | bool | int | float | None):
                raise ValueError(f"a status field is one plain value, not {value!r}")
            self.fields[camel] = value
        self._changed.set()

    def end(self, reason: str) -> None:
        """Wake all waiters: nothing will be recorded any more."""
        self.ended = reason
        self._changed.set()

    async def until(
        self, condition: Callable[[RecordingContext], bool], timeout: float = 10
    ) -> None:
        """Wait until ``condition`` holds of this context."""
        async with asyncio.timeout(timeout):
            while not condition(self):
                if self.ended is not None:
                    raise RuntimeError(f"the plugin ended: {self.ended}")
                self._changed.clear()
                await self._changed.wait()

    async def until_ready(self, timeout: float = 15) -> None:
        await self.until(lambda context: context.is_ready, timeout)

    async def message(self, text: str, timeout: float = 10) -> Inbound:
        """Wait for a message that holds ``text`` and return it."""
        await self.until(lambda c: any(text in m.text for m in c.emitted), timeout)
        return next(message for message in self.emitted if text in message.text)

    def _remember(self, logger: Any, method: str, event: Any) -> Any:
        self.logged.append(dict(event, level=method))
        self._changed.set()
        raise structlog.DropEvent
