"""No record counts as stored before the disk has it: the system calls are looked at.

A kill cannot show a missing fsync(2), for the kernel outlives it. So the calls are recorded, and
the disk is put together as a loss of power at each of them would leave it.
"""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from contextlib import closing
from pathlib import Path

import pytest

from runtime.gateway.journal.database import Database
from tests.support.journals import KEY

ROOT = Path(__file__).parents[4]
COMMITS = 20
IMAGES = 100
WRITE = re.compile(r'\d+<(?P<path>[^>]*)>, "(?P<data>[^"]*)", \d+, (?P<at>\d+)')
SYNC = re.compile(r"\d+<(?P<path>[^>]*)>")
MESSAGE = re.compile(rb'"m\d+"')  # its id, as the list of ids has it
REPORT = re.compile(rb"stored (\d+)\n")
TRUNCATE = re.compile(r"\d+<(?P<path>[^>]*)>, (?P<size>\d+)")

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


pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")


def traced(tmp_path: Path, commits: int, calls: str, *options: str) -> list[tuple[str, str]]:
    """Run the program under strace; return its calls, as ``_calls`` does."""
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-y", *options, "-o", str(trace), "-e", f"trace={calls}"]
    program = [sys.executable, "-c", PROGRAM, str(tmp_path / "journal.db"), str(commits)]
    done = subprocess.run(
        [*command, *program], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    if "Operation not permitted" in done.stderr:
        pytest.skip("strace may not trace here")
    assert done.returncode == 0, done.stderr
    return _calls(trace.read_text())


def test_what_is_reported_as_stored_has_been_synchronized(tmp_path: Path) -> None:
    # By their ids: the writer may be at other work of its own before the program reports.
    written: set[bytes] = set()
    safe: set[bytes] = set()
    reported = 0
    calls = traced(tmp_path, COMMITS, "pwrite64,fdatasync,fsync,write", "-xx", "-s", "1000000")
    for name, arguments in calls:
        if name in ("fdatasync", "fsync"):
            if (found := SYNC.match(arguments)) and _text(found["path"]).endswith("-wal"):
                safe |= written
        elif name == "pwrite64" and (found := WRITE.match(arguments)):
            if _text(found["path"]).endswith("-wal"):
                written.update(MESSAGE.findall(_bytes(found["data"])))
        elif name == "write" and (report := REPORT.match(_bytes(arguments.split('"')[1]))):
            assert b'"m%s"' % report[1] in safe, "reported before the log was on the disk"
            reported += 1
    assert reported == COMMITS


class Disk:
    """Files as they are, and as they would be after a loss of power.

    Of what is written and not synchronized yet the disk may hold some: ``lucky`` chooses.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._files: defaultdict[str, bytearray] = defaultdict(bytearray)
        self._pending: defaultdict[str, list[tuple[int, bytes]]] = defaultdict(list)
        self._safe: dict[str, bytes] = {}

    def write(self, path: str, at: int, data: bytes) -> None:
        """Write within a file, which grows as it must; nothing of it is safe yet."""
        _put(self._files[path], at, data)
        self._pending[path].append((at, data))

    def truncate(self, path: str, size: int) -> None:
        """Cut a file; that is as safe as the file system's journal: at once."""
        del self._files[path][size:]
        self._pending[path].clear()
        self._safe[path] = bytes(self._files[path])

    def synchronize(self, path: str) -> None:
        """Make a file safe."""
        self._safe[path] = bytes(self._files[path])
        self._pending[path].clear()

    def after_power_loss(self, lucky: bool) -> dict[str, bytes]:
        """Return the files that the disk would hold now."""
        found = {path: bytearray(content) for path, content in self._safe.items()}
        if lucky:
            for path, writes in self._pending.items():
                for at, data in writes:
                    if self._chance.random() < 0.5:
                        _put(found.setdefault(path, bytearray()), at, data)
        return {path: bytes(content) for path, content in found.items()}


def test_a_disk_that_loses_power_at_any_sync_holds_all_that_was_reported(tmp_path: Path) -> None:
    disk, reported, images = Disk(random.Random(1)), 0, 0
    calls = traced(
        tmp_path, IMAGES, "pwrite64,ftruncate,fdatasync,fsync,write", "-xx", "-s", "1000000"
    )
    for name, arguments in calls:
        if name == "pwrite64" and (found := WRITE.match(arguments)):
            disk.write(_text(found["path"]), int(found["at"]), _bytes(found["data"]))
        elif name == "ftruncate" and (found := TRUNCATE.match(arguments)):
            disk.truncate(_text(found["path"]), int(found["size"]))
        elif name == "write" and b"stored " in _bytes(arguments.split('"')[1]):
            reported += 1
        elif name in ("fdatasync", "fsync") and (found := SYNC.match(arguments)):
            for lucky in (False, True):  # just before the sync has returned
                assert stored_in(tmp_path, disk.after_power_loss(lucky)) >= reported
            disk.synchronize(_text(found["path"]))
            images += 1
            assert stored_in(tmp_path, disk.after_power_loss(lucky=False)) >= reported
    assert reported == IMAGES
    assert images >= IMAGES


def stored_in(tmp_path: Path, files: dict[str, bytes]) -> int:
    """Open what a disk held as a journal; return how many messages it has, all in order."""
    place = tmp_path / "image"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    for path, content in files.items():
        if (name := Path(path).name) in ("journal.db", "journal.db-wal"):
            (place / name).write_bytes(content)
    with closing(Database(place / "journal.db")) as database:
        assert database.connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        rows = database.connection.execute("SELECT ids FROM ids ORDER BY pos").fetchall()
        ids = [each for (text,) in rows for each in json.loads(text)]
        assert ids == [f"m{number}" for number in range(1, len(ids) + 1)]
        cursor = database.places[KEY].cursor if ids else b"0"
        assert cursor == b"%d" % len(ids)  # never newer than the messages, never older
        return len(ids)


def _put(content: bytearray, at: int, data: bytes) -> None:
    content.extend(bytes(max(0, at - len(content))))
    content[at : at + len(data)] = data


def _bytes(shown: str) -> bytes:
    r"""Return what strace has shown as ``\x00\x01``."""
    return bytes.fromhex(shown.replace("\\x", ""))


def _text(shown: str) -> str:
    return _bytes(shown).decode() if shown.startswith("\\x") else shown


def _calls(trace: str) -> list[tuple[str, str]]:
    """Return the calls in the order in which they returned, writes as they began."""
    found = []
    begun: dict[str, str] = {}
    for line in trace.splitlines():
        thread, _, rest = line.partition(" ")
        rest = rest.strip()
        if rest.endswith("<unfinished ...>"):
            begun[thread] = rest.removesuffix("<unfinished ...>")
            if rest.startswith(("pwrite64", "write", "ftruncate")):
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
