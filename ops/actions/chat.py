"""Talks to an account of the local channel: sends lines of stdin, prints the answers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
from dataclasses import dataclass
from typing import Any

from ipc import timeouts
from ipc.endpoints import find_local_socket
from ipc.frames.words import Phase, command_for
from ops.actions.wait import Goal, PhaseWaiter
from ops.connect.account_api import AccountApi
from ops.connect.no_answer import why_no_answer
from ops.connect.places import places_of
from ops.connect.selection import split
from ops.connect.supervisor import connected_supervisor
from ops.connect.target import RuntimeTarget
from ops.exits import ExitCode, OperatorError
from ops.output.show import show_json_line
from ops.output.text import clean
from runtime.config.places import Places

CHANNEL = "local"
NICK = "/nick "
RESETS = ("new", "reset")  # commands that may have a message for the agent behind them
MAX_LINE = 1024 * 1024  # bytes of one answer
BACK_WITHIN = 24 * 3600.0  # seconds; a person at a terminal ends it with Ctrl-C
REASON_AFTER = 1.0  # seconds without an answer, then the reason is sought


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """Options of a chat: the ``nick``, and one ``message`` in place of standard input.

    ``timeout`` is the seconds to wait for an answer if standard input is not a terminal.
    """

    nick: str | None = None
    message: str | None = None
    timeout: float = 10.0
    as_json: bool = False


def is_nick(name: str) -> bool:
    """Return whether a person of the local channel can have this name."""
    from workers.channels.local.plugin import NAME  # late: most chats name nobody

    return NAME.match(name) is not None


def chat_with(target: RuntimeTarget, key: str, options: ChatOptions) -> None:
    """Chat with the account ``key`` until the input ends or Ctrl-C is pressed.

    Without a terminal this returns once every line is answered. Raises
    ``OperatorError``: exit 4 if an answer does not come, 1 if the account does not run.
    """
    try:
        asyncio.run(LocalChat(places_of(target), key, options).run())
    except KeyboardInterrupt:
        if not options.as_json:
            print()


class LocalChat:
    """One conversation with an account of the local channel."""

    def __init__(self, places: Places, key: str, options: ChatOptions) -> None:
        self._places = places
        self._key = key
        self._options = options
        self._nick = options.nick  # kept over reconnects: conversations are kept by name
        self._typed: asyncio.Queue[str | None] = asyncio.Queue()
        self._live = options.message is None and sys.stdin.isatty()
        self._owed = 0  # answers that are still to come
        self._answered = asyncio.Condition()

    async def run(self) -> None:
        """Chat until the input ends."""
        incarnation = await self._find()
        self._read_input()
        while True:
            if await self._chat():
                return
            self._print(f"({self._key} hung up; waiting until it is back, Ctrl-C ends)")
            incarnation = await self._wait_for_next(incarnation)

    async def _find(self) -> int:
        """Return the incarnation to chat with; raises ``OperatorError`` if there is none."""
        async with connected_supervisor(self._places) as client:
            found = await client.call("channels.describe", {"account": self._key})
        if split(self._key)[0] != CHANNEL:
            raise OperatorError(
                f"chat is for accounts of the channel {CHANNEL}; to speak as {self._key} use"
                f" `trunkline message send --account {self._key}`"
            )
        status: dict[str, Any] = found["status"]
        if status["phase"] != Phase.RUNNING:
            raise OperatorError(
                f"{self._key} is {status['phase']}: {found['why']}; {found['next']}"
            )
        return int(status["incarnation"])

    async def _wait_for_next(self, incarnation: int) -> int:
        """Wait until a later incarnation runs; return it."""
        waiter = PhaseWaiter(Goal.RUNNING)
        waiter.beyond[self._key] = incarnation
        async with connected_supervisor(self._places, on_event=waiter.on_event) as client:
            api = AccountApi(client, through_gateway=False)
            rows = await waiter.wait(api, [self._key], BACK_WITHIN)
        return int(rows[0]["incarnation"])

    async def _chat(self) -> bool:
        """Chat over one connection; return true if the input ended, false if it broke."""
        path = find_local_socket(self._places.run_dir, self._key)
        try:
            reader, writer = await asyncio.open_unix_connection(str(path), limit=MAX_LINE)
        except OSError as error:
            raise OperatorError(f"{path}: {error.strerror}") from None
        receiving = asyncio.create_task(self._receive(reader))
        sending = asyncio.create_task(self._send_all(writer))
        try:
            if self._live:
                self._print(f"talking to {self._key}; a line is a message, Ctrl-D ends")
            await asyncio.wait({receiving, sending}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
                return True
            receiving.result()
            if self._live:
                return False
            raise OperatorError(
                f"{self._key} hung up; `{command_for(self._key, 'describe')}` says why"
            )
        finally:
            for task in (receiving, sending):
                task.cancel()
            await asyncio.wait({receiving, sending})
            writer.close()

    async def _send_all(self, writer: asyncio.StreamWriter) -> None:
        from workers.channels.local.plugin import MARK_ENDS

        writer.write(MARK_ENDS.encode() + b"\n")
        if self._nick:
            await self._send(writer, f"{NICK}{self._nick}")
        while (line := await self._typed.get()) is not None:
            if line:
                await self._send(writer, line)
        if self._live:
            return
        # Where nothing can be stored there will be no answer: that is looked at early.
        for seconds in (min(REASON_AFTER, self._options.timeout), self._options.timeout):
            try:
                async with timeouts.timeout(seconds), self._answered:
                    await self._answered.wait_for(lambda: self._owed <= 0)
                    return
            except TimeoutError:
                if why := await why_no_answer(self._places):
                    text = f"no answer from {self._key} within {seconds:g} s; {why}"
                    raise OperatorError(text, ExitCode.TIMEOUT) from None
        text = (
            f"no answer from {self._key} within {self._options.timeout:g} s:"
            f" `{command_for(self._key, 'describe')}` shows how it is, --timeout waits longer"
        )
        raise OperatorError(text, ExitCode.TIMEOUT) from None

    async def _send(self, writer: asyncio.StreamWriter, line: str) -> None:
        if line.startswith(NICK):
            self._nick = line.removeprefix(NICK).strip()
        self._owed += answers_to(line)
        writer.write(line.encode("utf-8", "surrogateescape") + b"\n")
        await writer.drain()

    async def _receive(self, reader: asyncio.StreamReader) -> None:
        """Print each message, which may have several lines; the first is the greeting.

        Behind the greeting stands the name under which the account knows the person.
        """
        from workers.channels.local.plugin import END

        lines: list[str] = []
        greeted = False
        while line := await reader.readline():
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            ended = text.endswith(END)
            lines.append(text.removesuffix(END))
            if not ended and greeted:
                continue
            if greeted or not ended:
                self._show("\n".join(lines))
            elif self._nick is None:
                self._nick = lines[-1]
            lines.clear()
            if ended and greeted:
                async with self._answered:
                    self._owed -= 1
                    self._answered.notify_all()
            greeted = greeted or ended

    def _show(self, text: str) -> None:
        if self._options.as_json:
            show_json_line({"account": self._key, "text": text})
        else:
            for line in text.split("\n"):
                self._print(clean(line))

    def _print(self, text: str) -> None:
        if not self._options.as_json:
            print(text, flush=True)

    def _read_input(self) -> None:
        """Read standard input in a thread, so that it blocks neither the loop nor the exit."""
        if self._options.message is not None:
            self._typed.put_nowait(self._options.message)
            self._typed.put_nowait(None)
            return
        loop = asyncio.get_running_loop()

        def read() -> None:
            rest = b""
            while chunk := os.read(0, 65536):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    put(line.decode("utf-8", "surrogateescape"))
            if rest:
                put(rest.decode("utf-8", "surrogateescape"))
            put(None)

        def put(line: str | None) -> None:
            with contextlib.suppress(RuntimeError):  # the conversation is over
                loop.call_soon_threadsafe(self._typed.put_nowait, line)

        threading.Thread(target=read, daemon=True, name="stdin").start()


def answers_to(line: str) -> int:
    """Return how many answers a line gets. A new session is confirmed, and its first message is
    answered by the agent.
    """
    if not line.startswith("/"):
        return 1
    from runtime.gateway.conversations.chat_commands import read_command  # late: few lines are one

    command = read_command(line, busy=False)
    return 1 if command is None or command.name not in RESETS or not command.argument else 2
