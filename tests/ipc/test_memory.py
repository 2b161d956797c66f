"""Memory that was freed goes back to the kernel."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from ipc import memory
from ipc.memory import FreedMemory

# Many texts, and between them what stays: without giving back the heap keeps all of it.
PROGRAM = """
from ipc.memory import trim_heap
from ipc.procfs import rss_bytes
texts, kept = [], []
for number in range(2_000):
    texts.append(bytes(40_000))
    kept.append(bytes(600))  # more than 512: of the heap, not of an arena of Python
before = rss_bytes()
del texts
left = rss_bytes()
trim_heap()
print(before - left, left - rss_bytes())
"""


def test_freed_memory_between_what_is_in_use_is_given_back() -> None:
    run = [sys.executable, "-c", PROGRAM]
    out = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    by_itself, given_back = map(int, out.split())
    assert by_itself < 20 << 20
    assert given_back > 40 << 20


async def test_it_is_given_back_once_much_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    given = asyncio.Event()
    monkeypatch.setattr(memory, "PAUSE", 0)
    monkeypatch.setattr(memory, "trim_heap", given.set)
    freed = FreedMemory(1000)
    freed.add(999)
    await asyncio.sleep(0.01)
    assert not given.is_set()
    freed.add(1)
    await given.wait()
    given.clear()
    freed.add(999)
    freed.add(1)
    freed.close()
    await asyncio.sleep(0.01)
    assert not given.is_set()
