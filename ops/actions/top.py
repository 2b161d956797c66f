"""Shows all accounts full-screen, the worst first; keys control the chosen one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import termios
import time
import tty
from collections.abc import Iterator, Mapping
from typing import Any

from ipc import timeouts
from ipc.errors import IpcError
from ipc.frames.websocket import Event
from ipc.frames.words import is_agent
from ops.connect.account_api import AccountApi, Verb, connected_account_api
from ops.connect.target import RuntimeTarget
from ops.exits import OperatorError, UsageFailure
from ops.output.listing import ordered
from ops.output.narration import log_line
from ops.output.tables import cut_to
from ops.output.text import clean
from ops.output.top_screen import View, draw, heads, room, scrolled

EVERY = 2.0  # seconds between two reads of figures; changes of phases come at once
TOGETHER = 0.2  # for other accounts that change at the same moment
AGAIN = 1.0  # until a supervisor that is gone is looked for again
ACT_SECONDS = 30.0
_VERBS: Mapping[str, Verb] = {"s": "start", "x": "stop", "r": "restart"}
_ASKED = ("stop", "restart")  # what ends something is asked for once more
_MOVES = {"j": 1, "\x1b[B": 1, "k": -1, "\x1b[A": -1}
_PAGES = {"\x1b[6~": 1, "\x1b[5~": -1}
_OPEN, _CLOSE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"  # the other screen, the cursor
_ENDS = ("q", "\x03", "\x1b")


def show_top(target: RuntimeTarget) -> None:
    """Show accounts until q or Ctrl-C; raises ``UsageFailure`` without a terminal."""
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    if not terminal or os.environ.get("TERM") == "dumb":
        raise UsageFailure("top needs a whole terminal; `trunkline status` prints the same once")
    with _whole_terminal(), contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_Top(target).run())


class _Top:
    """One run of ``trunkline top``."""

    def __init__(self, target: RuntimeTarget) -> None:
        self._target = target
        self._rows: list[dict[str, Any]] = []
        self._known = False  # whether there was an answer
        self._key: str | None = None  # of the chosen account, which stays chosen where it moves to
        self._first = 0
        self._message = ""
        self._asked: Verb | None = None
        self._lines: list[str] | None = None  # of the log, instead of the accounts
        self._keys: asyncio.Queue[str] = asyncio.Queue()
        self._changed = asyncio.Event()
        self._news = asyncio.Event()  # of the connection
        self._api: AccountApi | None = None
        self._doing: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Draw the screen and handle keys until one ends it."""
        loop = asyncio.get_running_loop()
        loop.add_reader(sys.stdin.fileno(), self._read)
        loop.add_signal_handler(signal.SIGWINCH, self._changed.set)
        following = asyncio.create_task(self._follow())
        following.add_done_callback(lambda _: self._changed.set())
        try:
            while not following.done() and await self._step():
                pass
            if following.done():
                following.result()  # a fault of ours: what is shown would stay as it is
        finally:
            following.cancel()
            for task in self._doing:
                task.cancel()
            await asyncio.gather(following, *self._doing, return_exceptions=True)
            loop.remove_reader(sys.stdin.fileno())
            loop.remove_signal_handler(signal.SIGWINCH)

    def _read(self) -> None:
        for key in pressed(os.read(sys.stdin.fileno(), 1024).decode(errors="replace")):
            self._keys.put_nowait(key)
        self._changed.set()

    async def _step(self) -> bool:
        """Draw, wait for a change, handle keys; return whether to go on."""
        self._draw()
        await self._changed.wait()
        self._changed.clear()
        while not self._keys.empty():
            if not self._on_key(self._keys.get_nowait()):
                return False
        return True

    async def _follow(self) -> None:
        """Keep the rows up to date, across restarts of the daemon."""
        while True:
            try:
                async with connected_account_api(self._target, on_event=self._on_event) as api:
                    self._api = api
                    while True:
                        status = await api.status()
                        self._apply([*status["accounts"], *status["agents"]])
                        await self._pause(EVERY)
            except (OperatorError, IpcError) as error:
                self._message = clean(str(error))
                self._changed.set()
            finally:
                self._api = None
            await asyncio.sleep(AGAIN)

    def _on_event(self, event: Event) -> None:
        if event.event in ("channel.status", "agent.status"):
            self._news.set()

    async def _pause(self, seconds: float) -> None:
        """Wait for ``seconds``, or for a change of an account and a moment more for others."""
        with contextlib.suppress(TimeoutError):
            async with timeouts.timeout(seconds):
                await self._news.wait()
                await asyncio.sleep(TOGETHER)
        self._news.clear()

    def _apply(self, rows: list[dict[str, Any]]) -> None:
        worst = map(dict, ordered(rows, "worst"))
        self._rows = sorted(worst, key=lambda row: is_agent(row["account"]))  # a stable order
        self._known = True
        self._changed.set()

    @property
    def _chosen(self) -> int:
        keys = [row["account"] for row in self._rows]
        return keys.index(self._key) if self._key in keys else 0

    def _draw(self) -> None:
        columns, lines = shutil.get_terminal_size()
        if self._lines is not None:
            shown = [cut_to(line, columns) for line in self._lines[-(lines - 1) :]]
            text = [*shown, *[""] * (lines - 1 - len(shown)), "any key: back"]
        else:
            chosen = self._chosen
            room_for = lines - heads(self._rows)
            self._first = scrolled(self._first, chosen, len(self._rows), room_for)
            view = View(
                self._rows,
                chosen,
                self._first,
                columns,
                lines,
                time.time(),
                self._message,
                colours=not os.environ.get("NO_COLOR"),
                known=self._known,
            )
            text = draw(view)
        sys.stdout.write("\x1b[H" + "\r\n".join(f"{line}\x1b[K" for line in text) + "\x1b[J")
        sys.stdout.flush()

    def _on_key(self, key: str) -> bool:
        """Handle a key; return whether to go on."""
        if self._lines is not None:
            self._lines = None
            return key != "\x03"
        asked, self._asked, self._message = self._asked, None, ""
        if asked is not None:
            if key in ("y", "\r", "\n"):
                self._spawn(self._run_verb(asked))
            return key != "\x03"
        if key in _ENDS:
            return False
        if key in _MOVES:
            self._move(_MOVES[key])
        elif key in _PAGES:
            lines = shutil.get_terminal_size().lines - heads(self._rows)
            self._move(_PAGES[key] * room(lines))
        elif key in ("g", "G"):
            self._move(len(self._rows) if key == "G" else -len(self._rows))
        elif key in _VERBS and self._rows:
            self._confirm(_VERBS[key])
        elif key == "l" and self._rows:
            self._spawn(self._read_log())
        return True

    def _move(self, by: int) -> None:
        if self._rows:
            wanted = min(max(self._chosen + by, 0), len(self._rows) - 1)
            self._key = self._rows[wanted]["account"]

    def _confirm(self, verb: Verb) -> None:
        self._key = self._rows[self._chosen]["account"]
        if verb in _ASKED:
            self._asked, self._message = verb, clean(f"{verb} {self._key}? y/n")
        else:
            self._spawn(self._run_verb(verb))

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._doing.add(task)
        task.add_done_callback(self._doing.discard)

    async def _run_verb(self, verb: Verb) -> None:
        key = str(self._key)
        self._show_message(f"{verb} {key} …")
        if self._api is None:
            return
        try:
            (row,) = await self._api.control(verb, [key], None, ACT_SECONDS)
        except (OperatorError, IpcError) as error:
            self._show_message(f"{key}: {error}")
        else:
            why = row.get("error") or row.get("reason") or "done"
            self._show_message(f"{verb} {key}: {why if not row['ok'] else 'done'}")

    async def _read_log(self) -> None:
        key = self._rows[self._chosen]["account"]
        if self._api is None:
            return
        params = {"accounts": [key], "lines": shutil.get_terminal_size().lines}
        try:
            found = await self._api.client.call("channels.logs", params)
        except IpcError as error:
            self._show_message(f"{key}: {error}")
        else:
            self._lines = [log_line(line) for line in found["lines"]] or [f"no lines of {key}"]
            self._changed.set()

    def _show_message(self, text: str) -> None:
        self._message = clean(text)
        self._changed.set()


def pressed(text: str) -> Iterator[str]:
    """Yield the keys in the terminal's input: characters and escape sequences."""
    while text:
        end = 1
        if text.startswith("\x1b["):
            ends = (i + 1 for i, c in enumerate(text) if i > 1 and (c.isalpha() or c == "~"))
            end = next(ends, 2)
        yield text[:end]
        text = text[end:]


@contextlib.contextmanager
def _whole_terminal() -> Iterator[None]:
    """Use the whole terminal, unbuffered; restore it at the end in any case."""
    fd = sys.stdin.fileno()
    before = termios.tcgetattr(fd)
    sys.stdout.write(_OPEN)
    try:
        tty.setcbreak(fd)
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)
        sys.stdout.write(_CLOSE)
        sys.stdout.flush()
