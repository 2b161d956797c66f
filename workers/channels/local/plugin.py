"""Runs an account of ``local``: listens on a unix socket, one chat per connected person.

Each line that a person types is an inbound message; what the account sends to that person's
chat, or to ``*`` for everybody, is printed on the connection.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import socket
from pathlib import Path

from ipc.endpoints import local_socket
from ipc.epoch import now_ms
from workers.channels.local import LocalConfig
from workers.channels.local.load import emit_forever
from workers.errors import Misconfigured, SendFailed, Transient
from workers.messages import Action, Chat, Inbound, Outbound, Sender, Sent
from workers.plugin import Context

MAX_LINE = 64 * 1024  # bytes that a person may type at once
MAX_PEOPLE = 100
MAX_UNREAD = 1024 * 1024  # bytes that a person has not read before it is hung up on
MAX_SOCKET_PATH = 107  # sun_path, unix(7)
EVERYBODY = "*"
# A program that types this gets END behind the last line of each message; its name, at once.
MARK_ENDS, END = "/ends", "\x1e"
NAME = re.compile(r"[^\s*\x00-\x1f/][^\s\x00-\x1f]{0,31}\Z")


def _bound(path: Path) -> socket.socket:
    """Return a socket bound to ``path``; replace a socket file that a killed incarnation left.

    Raises ``Misconfigured`` when the path is too long, ``Transient`` when it is taken.
    """
    if len(os.fsencode(path)) > MAX_SOCKET_PATH:
        raise Misconfigured(
            f"{path}: longer than {MAX_SOCKET_PATH} bytes; use a shorter account id"
            " or set TRUNKLINE_RUNTIME_DIR to a shorter directory",
            final=True,
        )
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    mask = os.umask(0o177)  # born with mode 0600
    try:
        if path.is_socket():
            path.unlink()
        bound.bind(str(path))
    except OSError as error:
        bound.close()
        raise Transient(f"{path}: {error.strerror}") from None
    finally:
        os.umask(mask)
    return bound


def new_name() -> str:
    """Return a name for a person who has not chosen one, like ``person-3fa9c02b1d``.

    No later person gets it again, also after a restart: conversations are kept by name.
    """
    return f"person-{os.urandom(5).hex()}"


class Local:
    """The plugin of one ``local`` account."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.config: LocalConfig = ctx.config
        self._people: dict[str, asyncio.StreamWriter] = {}
        self._marked: set[asyncio.StreamWriter] = set()
        self._talks: set[asyncio.Task[None]] = set()
        self._ids = itertools.count(1)
        self._born = now_ms()  # ids must differ from an earlier incarnation's

    async def run(self) -> None:
        """Listen until cancelled."""
        path = local_socket(self.ctx.run_dir, self.ctx.account_id)
        server = await asyncio.start_unix_server(self._serve, sock=_bound(path), limit=MAX_LINE)
        try:
            async with server:
                self._report_people()  # first: an account that is ready is connected
                self.ctx.ready()
                if self.config.rate:
                    await emit_forever(self.ctx.emit, self._next_id, self.config)
                else:
                    await server.serve_forever()
        finally:
            await self._hang_up()
            path.unlink(missing_ok=True)

    async def send(self, message: Outbound) -> Sent:
        """Print the text to one person, or to everybody when ``to`` is ``*``.

        The address of each attachment follows on a line of its own. Raises ``SendFailed`` when
        that person is not connected.
        """
        text = f"* {message.text}" if message.action else message.text
        files = [f"[{each.name or 'file'}] {each.url}" for each in message.attachments]
        self._print(message.to, "\n".join([*([text] if text or not files else []), *files]))
        return Sent(id=self._next_id(), chat=message.to, ts=now_ms())

    async def edit(self, action: Action) -> dict[str, object]:
        """Print the new text of a message."""
        return self._print_action(action, f"(edited {action.message}) {action.text}")

    async def delete(self, action: Action) -> dict[str, object]:
        """Print that a message is deleted."""
        return self._print_action(action, f"(deleted {action.message})")

    async def react(self, action: Action) -> dict[str, object]:
        """Print a reaction, or that it was taken back."""
        verb = "took back" if action.remove else "reacted"
        return self._print_action(action, f"({verb} {action.emoji} to {action.message})")

    async def read(self, action: Action) -> dict[str, object]:
        """Do nothing: a local chat does not show that messages were read."""
        return {"messageId": action.message} if action.message else {}

    def _print_action(self, action: Action, text: str) -> dict[str, object]:
        self._print(action.chat or EVERYBODY, text)
        return {"messageId": action.message} if action.message else {}

    def _print(self, to: str, text: str) -> None:
        if to == EVERYBODY:
            writers = list(self._people.values())
        elif to in self._people:
            writers = [self._people[to]]
        else:
            raise SendFailed(f"{to} is not connected", reason="not_found")
        for writer in writers:
            if writer.transport.get_write_buffer_size() > MAX_UNREAD:
                writer.transport.abort()  # reads nothing: the others do not wait for it
            else:
                self._write(writer, text)

    def _write(self, writer: asyncio.StreamWriter, text: str) -> None:
        if writer in self._marked:
            text = text.replace(END, "") + END
        writer.write(text.encode("utf-8", "replace") + b"\n")

    async def probe(self) -> dict[str, object]:
        """Return the names of the people who are connected."""
        return {"ok": True, "people": sorted(self._people)}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one person until the connection ends."""
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        name = new_name()
        if len(self._people) >= MAX_PEOPLE:
            writer.write(b"too many people are connected\n")
            writer.close()
            self._talks.discard(task)
            return
        self._people[name] = writer
        self._report_people()
        try:
            if self.config.greeting:
                writer.write(self.config.greeting.encode("utf-8", "replace") + b"\n")
            name = await self._read_lines(name, reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass  # closed by either side
        finally:
            self._people = {who: each for who, each in self._people.items() if each is not writer}
            self._marked.discard(writer)
            self._talks.discard(task)
            self._report_people()
            writer.close()

    async def _read_lines(
        self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> str:
        while True:
            try:
                line = await reader.readuntil()
            except asyncio.IncompleteReadError as end:
                line = end.partial  # the last line may lack its end
                if not line:
                    return name
            except asyncio.LimitOverrunError:
                self._write(writer, "that line is too long")
                return name
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            if text == MARK_ENDS:
                self._marked.add(writer)
                self._write(writer, name)
            elif text.startswith("/nick "):
                name = self._rename(name, text[6:].strip(), writer)
            elif text:
                await self.ctx.emit(self._inbound(name, text))

    def _rename(self, old: str, new: str, writer: asyncio.StreamWriter) -> str:
        if not NAME.match(new) or (new in self._people and new != old):
            self._write(writer, f"{new} cannot be your name")
            return old
        self._people[new] = self._people.pop(old)
        self._write(writer, f"you are {new}")
        return new

    def _inbound(self, name: str, text: str) -> Inbound:
        action = text.startswith("/me ")
        return Inbound(
            id=self._next_id(),
            chat=Chat(id=name, kind="direct"),
            sender=Sender(id=name, name=name),
            text=text[4:] if action else text,
            ts=now_ms(),
            addressed=True,
            action=action,
        )

    def _next_id(self) -> str:
        return f"{self._born}-{next(self._ids)}"

    def _report_people(self) -> None:
        count = len(self._people)
        self.ctx.status(connected=True, detail=f"{count} connected")

    async def _hang_up(self) -> None:
        for writer in self._people.values():
            writer.close()
        talks = list(self._talks)
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
