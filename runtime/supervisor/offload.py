"""What the supervisor needs to serve who is far away: a thread, a stream of log lines, a seal.

Whatever reads, checks or writes a whole file runs in one thread of its own, one thing after
the other, so that neither a large configuration nor a slow disk holds up the accounts.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, ParamSpec, TypeVar

import msgspec

from runtime.config.load import Reader
from runtime.supervisor.logs.line import timestamp
from runtime.supervisor.logs.recent import Recent
from runtime.supervisor.logs.store import LogStore

P = ParamSpec("P")
T = TypeVar("T")


class Remote:
    """``load`` reads the configuration, or a text, with the flags and the environment over it."""

    def __init__(self, logs: LogStore, load: Reader) -> None:
        self.load = load
        self.recent = Recent()
        self.since = timestamp()
        self._key = secrets.token_bytes(32)
        self._sealed = lru_cache(maxsize=64)(self._seal)  # every row of an account has one
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="aside")
        logs.subscribe(self._keep)

    async def aside(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the result of ``work``, done in the thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: work(*args, **kwargs))

    def seal(self, revision: str) -> str:
        """Return a revision as it may be told: without the key nobody can try passwords on it."""
        return self._sealed(revision)

    def _seal(self, revision: str) -> str:
        mac = hmac.new(self._key, revision.encode(), hashlib.sha256).digest()
        return f"hmac-sha256:v1:{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"

    def close(self) -> None:
        """Take no more work; what runs is finished."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _keep(self, name: str, line: dict[str, Any]) -> None:
        self.recent.add(msgspec.json.encode(line, enc_hook=str).decode(errors="replace"))
