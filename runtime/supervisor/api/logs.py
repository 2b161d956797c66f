"""``logs.tail``: all processes' log lines, from a cursor on.

Lines of this supervisor come from memory; older ones are read from the files, in a thread,
by who asks for the first time.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from ipc.frames.requests import TailParams
from runtime.supervisor.api.table import method
from runtime.supervisor.logs.recent import line_bytes
from runtime.supervisor.logs.store import TAIL_BYTES

if TYPE_CHECKING:
    from runtime.supervisor.supervisor import Supervisor

FILE = "supervisor.log"  # one that exists; all others lie beside it


@method("logs.tail", TailParams)
async def _tail(supervisor: Supervisor, params: TailParams) -> Any:
    remote = supervisor.remote
    cursor = None if params.cursor is UNSET else params.cursor
    found = remote.recent.after(cursor or 0, params.limit, params.max_bytes)
    lines = found.lines
    if cursor is None and len(lines) < params.limit and not found.truncated:
        room = params.max_bytes - sum(map(line_bytes, lines))
        count = params.limit - len(lines)
        directory = supervisor.places.log_dir
        lines = await remote.aside(older, directory, remote.since, count, room) + lines
    answer: dict[str, Any] = {
        "file": str(supervisor.places.log_dir / FILE),
        "cursor": found.cursor,
        "size": found.size,
        "lines": lines,
        "truncated": found.truncated,
        "reset": found.reset,
    }
    if found.skipped_bytes and cursor is not None:
        answer["skippedBytes"] = found.skipped_bytes
    return answer


def older(directory: Path, before: str, count: int, room: int) -> list[str]:
    """Return the last ``count`` lines of the files from before ``before``, at most ``room``
    bytes of them with their line ends.
    """
    lines = sorted(_lines(directory, before))[-count:]
    while lines and sum(line_bytes(text) for _, text in lines) > room:
        lines = lines[1 + len(lines) // 8 :]
    return [text for _, text in lines]


def _lines(directory: Path, before: str) -> Iterator[tuple[str, str]]:
    for path in directory.glob("*.log"):
        with contextlib.suppress(OSError), path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            for raw in file:
                with contextlib.suppress(ValueError):
                    ts = json.loads(raw).get("ts", "")
                    if isinstance(ts, str) and ts < before:
                        yield ts, raw.decode(errors="replace").rstrip("\n")
