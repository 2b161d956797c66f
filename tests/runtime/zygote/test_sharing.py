"""How much a child copies of what it shares; each case in an interpreter of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

SETUP = """
import gc, os, sys
from runtime.zygote.sharing import share

def private_kib():
    with open("/proc/self/smaps_rollup", "rb", 0) as rollup:
        text = rollup.read()
    begin = text.index(b"Private_Dirty:") + len("Private_Dirty:")
    return int(text[begin : text.index(b"kB", begin)])

def of_a_child(work):
    reader, writer = os.pipe()
    if os.fork() == 0:
        before = private_kib()
        kept = work()
        os.write(writer, str(private_kib() - before).encode())
        os._exit(0)
    os.wait()
    return os.read(reader, 20).decode()
"""
HOLES = """
many = [bytes(47) for _ in range(100_000)]  # 8 MiB of blocks of 80 bytes
last = [bytes(47) for _ in range(4)]
many[::170] = [None] * len(many[::170])  # a hole in every pool but few
%s
print(of_a_child(lambda: [bytes(47) for _ in range(400)]))
"""
LOOKUPS = """
def names(prefix, between):
    kept = []
    for number in range(3000):
        kept.append(sys.intern(f"{prefix}{number:05}"))
        kept.extend(f"between {n:03}" for n in range(between))
    return kept[:: between + 1], kept
class Named: pass
old, kept = names("old", 70)  # each in a page of its own, or nearly
new, _ = names("new", 0)
def look(names):
    for name in names:
        getattr(Named, name, None)
look(old)
%s
print(of_a_child(lambda: look(new)))
"""
OBJECTS = """
objects = [[] for _ in range(100_000)]
%s
print(of_a_child(gc.collect))
"""


def copied(code: str) -> int:
    """Return the KiB that a child has copied of what it shared."""
    done = subprocess.run(
        [sys.executable, "-c", SETUP + code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.parametrize("case", [HOLES, LOOKUPS, OBJECTS], ids=["new", "looked up", "collected"])
def test_a_child_copies_less_of_what_is_prepared_to_be_shared(case: str) -> None:
    plain, shared = copied(case % "gc.collect()"), copied(case % "share()")
    if case is LOOKUPS and sys.version_info[:2] == (3, 12):
        # Interned names are immortal in that version alone: nothing is written to them.
        assert max(plain, shared) < 1024
    else:
        assert shared * 3 < plain


def test_the_collector_that_was_off_for_the_imports_is_on_again() -> None:
    assert copied("gc.disable(); share(); print(int(gc.isenabled()))") == 1
