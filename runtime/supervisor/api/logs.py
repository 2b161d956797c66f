"""Returns log lines of all processes: the last of some logs, or everything from a cursor on.

``logs.tail`` returns lines of this supervisor's lifetime from memory; for a client's first request
older ones are read from the files, in a thread.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET

from ipc.frames.requests import LinesParams, TailParams
from ipc.frames.websocket import MAX_FRAME_BYTES
from ipc.nesting import load_json
from runtime.supervisor.accounts.account import Account
from runtime.supervisor.api.table import method, select
from runtime.supervisor.logs.recent import line_bytes
from runtime.supervisor.logs.store import TAIL_BYTES
from runtime.supervisor.parts import Parts

FILE = "supervisor.log"  # one that exists; all others lie beside it
# A longer frame ends the session that carries it, and with it every call in flight.
ANSWER_BYTES = MAX_FRAME_BYTES * 3 // 4
OTHERS = ("gateway", "supervisor")  # logs that are not an account's


@method("channels.logs", LinesParams)
async def lines(parts: Parts, params: LinesParams) -> Any:
    """Return the last lines of some logs or all, as many as one frame can carry."""
    found = parts.logs.tail(log_names(parts.roster.workers, params.accounts), params.lines)
    return {"lines": newest_within(found, ANSWER_BYTES)}


def newest_within(lines: list[dict[str, Any]], room: int) -> list[msgspec.Raw]:
    """Return the newest lines as JSON, in order, of at most ``room`` bytes in total."""
    kept: deque[msgspec.Raw] = deque()
    for line in reversed(lines):
        raw = msgspec.json.encode(line, enc_hook=str)
        room -= len(raw) + 1  # and the comma
        if room < 0:
            break
        kept.appendleft(msgspec.Raw(raw))
    return list(kept)


def log_names(workers: Mapping[str, Account], targets: list[str]) -> list[str] | None:
    """Return the names of the logs that ``targets`` select; ``None`` for all."""
    if not targets:
        return None
    own = [name for name in targets if name in OTHERS]
    others = [name for name in targets if name not in own]
    return own + [account.key for account in select(workers, others)]


@method("logs.tail", TailParams)
async def tail(parts: Parts, params: TailParams) -> Any:
    """Return lines from a cursor on, and the cursor to continue from."""
    cursor = None if params.cursor is UNSET else params.cursor
    directory, recent = parts.places.log_dir, parts.recent_log
    found = recent.after(cursor or 0, params.limit, params.max_bytes)
    lines = found.lines
    if cursor is None and len(lines) < params.limit and not found.truncated:
        room = params.max_bytes - sum(map(line_bytes, lines))
        count = params.limit - len(lines)
        lines = await parts.offload.run(older, directory, recent.since, count, room) + lines
    answer: dict[str, Any] = {
        "file": str(directory / FILE),
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
    """Return the last ``count`` lines of the files from before the timestamp ``before``.

    At most ``room`` bytes of them, with their line ends.
    """
    lines = sorted(_lines(directory, before))[-count:]
    while lines and sum(line_bytes(text) for _, text in lines) > room:
        lines = lines[1 + len(lines) // 8 :]
    return [text for _, text in lines]


def _lines(directory: Path, before: str) -> Iterator[tuple[str, str]]:
    for path in filter(Path.is_file, directory.glob("*.log")):  # not a named pipe, say
        with contextlib.suppress(OSError), path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            for raw in file:
                with contextlib.suppress(ValueError):
                    ts = load_json(raw).get("ts", "")
                    if isinstance(ts, str) and ts < before:
                        yield ts, raw.decode(errors="replace").rstrip("\n")
