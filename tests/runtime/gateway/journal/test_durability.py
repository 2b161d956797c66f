"""No record counts as stored before the disk has it: the order of the system calls is looked at."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
COMMITS = 20

# Stores records one after the other, and writes a line to its output when each is stored.
PROGRAM = """
import asyncio, os, sys
from pathlib import Path
from runtime.gateway.journal.stored import StoredJournal
from tests.support.journals import arrived, store

async def main():
    journal = StoredJournal(Path(sys.argv[1]))
    for number in range(1, int(sys.argv[2]) + 1):
        await store(journal, arrived(number, f"m{number}", cursor=b"%d" % number))
        os.write(1, b"stored %d\\n" % number)
    await journal.close()

asyncio.run(main())
"""


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_what_is_reported_as_stored_has_been_synchronized(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-y", "-o", str(trace), "-e", "trace=pwrite64,fdatasync,fsync,write"]
    program = [sys.executable, "-c", PROGRAM, str(tmp_path / "journal.db"), str(COMMITS)]
    done = subprocess.run(
        [*command, *program], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    if "Operation not permitted" in done.stderr:
        pytest.skip("strace may not trace here")
    assert done.returncode == 0, done.stderr
    dirty, syncs, reported = False, 0, 0
    for line in _calls(trace.read_text()):
        name, arguments = line
        if name == "pwrite64" and "journal.db-wal" in arguments:
            dirty = True
        elif name in ("fdatasync", "fsync") and "journal.db-wal" in arguments:
            dirty = False
            syncs += 1
        elif name == "write" and "stored " in arguments:
            assert not dirty, "reported before the log was on the disk"
            reported += 1
    assert reported == COMMITS
    assert syncs >= COMMITS


def _calls(trace: str) -> list[tuple[str, str]]:
    """Return the calls in the order in which they returned, writes as they began."""
    found = []
    begun: dict[str, str] = {}
    for line in trace.splitlines():
        thread, _, rest = line.partition(" ")
        rest = rest.strip()
        if rest.endswith("<unfinished ...>"):
            begun[thread] = rest.removesuffix("<unfinished ...>")
            if rest.startswith(("pwrite64", "write")):
                found.append(rest.split("(", 1))
            continue
        if rest.startswith("<... "):
            whole = begun.pop(thread, "")
            if whole.startswith(("fdatasync", "fsync")):
                found.append(whole.split("(", 1))
            continue
        if "(" in rest and " = " in rest:
            found.append(rest.split("(", 1))
    return [(name, arguments) for name, arguments in found]
