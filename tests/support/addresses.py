"""A host name with two addresses, of which the first never answers."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest

SILENT = "127.0.0.9"


@contextlib.contextmanager
def two_addresses(
    monkeypatch: pytest.MonkeyPatch, port: int, good: str = "127.0.0.1"
) -> Iterator[None]:
    """Resolve every name to ``SILENT`` and then to ``good``, at which a server listens."""

    async def resolve(host: str, number: int) -> list[object]:
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, (SILENT, number)), (*kind, (good, number))]

    monkeypatch.setattr("ipc.dial.resolve", resolve)
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((SILENT, port))
        listener.listen(0)
        for _ in range(4):  # its backlog is full: what comes now is dropped by the kernel
            one = stack.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex((SILENT, port))
        yield
