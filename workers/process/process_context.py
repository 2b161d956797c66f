"""Implements what plugins and agents may use: programs, threads, HTTP, files, status.

It is deliberately narrow: plugins and agents cannot damage what they cannot reach.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from ipc.frames.bootstrap import MediaBoot, WorkerBoot
from ipc.frames.control import MAX_PROBLEM
from ipc.frames.status import PLUGIN_FIELDS
from workers.errors import SendFailed
from workers.links.control import WorkerControlLink
from workers.plugin import ChildProgram
from workers.process.logging import Redaction

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
TEND_SECONDS = 3600.0


class ProcessContext:
    """The common part of the contexts of accounts and agents.

    ``max_down`` is the largest size in bytes of an incoming file.
    """

    def __init__(
        self,
        boot: WorkerBoot,
        config: Any,
        log: structlog.typing.FilteringBoundLogger,
        control: WorkerControlLink,
        redact: Redaction,
        max_down: int,
    ) -> None:
        self.key = boot.key
        self.config = config
        self.storage = Path(boot.storage)
        self.run_dir = Path(boot.run_dir)
        self.log = log
        self.proxy = boot.proxy
        self.media_refusal = ""  # why the last file was not stored, as long as that lasts
        self._control = control
        self._redact = redact
        self._max_down = max_down
        self._media_boot = boot.media or MediaBoot(str(self.storage / "media"))
        self._media: MediaStore | None = None
        self._tend_at = 0.0
        self._tending: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._children: list[Any] = []
        self._threads: ThreadPoolExecutor | None = None
        self._http: aiohttp.ClientSession | None = None

    async def child(
        self, argv: Sequence[str], env: Mapping[str, str] | None = None
    ) -> ChildProgram:
        """Start a program that ends with this process; raises ``OSError``."""
        from workers.process.children import PluginChild  # late: few plugins need it

        child = await PluginChild.start(argv, self.log, env)
        self._children = [each for each in self._children if not each.finished] + [child]
        return child

    async def thread(self, function: Callable[..., T], *args: Any) -> T:
        """Call ``function(*args)`` in a thread of this account's own pool; return its result."""
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
        """The space that files take in bytes; 0 until this process has used files."""
        return 0 if self._media is None else self._media.directory.used

    def start_media_sweep(self) -> None:
        """Start removing expired files, once an hour; called before each beat."""
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

    async def close(self) -> None:
        """Release what the plugin got: end child programs, drop queued thread work, close HTTP."""
        if self._tending is not None:
            self._tending.cancel()
        for child in self._children:
            child.kill()
            await child.wait()  # of a process that was killed: at once
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
        if self._http is not None:
            await self._http.close()

    def ready(self) -> None:
        """Report that the account works. A second call does nothing."""
        self._control.send_ready()

    def status(self, **fields: Any) -> None:
        """Report the connection's status; see ``workers.plugin.Context``."""
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


async def _awaited(awaitable: Awaitable[T]) -> T:
    return await awaitable


def _camel(name: str) -> str:
    return _AFTER_LINE.sub(lambda found: found[1].upper(), name)
