"""An IRC server on a real socket that sends what a test wants, for what real ones rarely do."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from tests.support.irc_server import HOST

WELCOME = (":s 001 tester :Welcome", ":s 005 tester NETWORK=Scripted :are", ":s 376 tester :End")


class ScriptedServer:
    """One connection seen from the server's side."""

    def __init__(self, port: int, server: asyncio.Server) -> None:
        self.port = port
        self.polite = True  # closes the connection on QUIT
        self.lines: list[str] = []
        self._server = server
        self._changed = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None
        self._answers: dict[str, tuple[str, ...]] = {}

    def answer(self, beginning: str, *lines: str) -> None:
        """Answer every line with this beginning; ``{}`` stands for its last word."""
        self._answers[beginning] = lines

    def say(self, *lines: str) -> None:
        assert self._writer is not None
        self._writer.write("".join(f"{line}\r\n" for line in lines).encode())

    async def expect(self, beginning: str, timeout: float = 10, count: int = 1) -> str:
        """Wait until the client has sent this ``count`` times; return the last of them."""
        async with asyncio.timeout(timeout):
            while True:
                found = [line for line in self.lines if line.startswith(beginning)]
                if len(found) >= count:
                    return found[-1]
                self._changed.clear()
                await self._changed.wait()

    def hang_up(self) -> None:
        assert self._writer is not None
        self._writer.close()

    def reset(self) -> None:
        assert self._writer is not None
        self.abort()

    def abort(self) -> None:
        """Drop the connection, if there is one."""
        if self._writer is not None:
            self._writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        with contextlib.suppress(OSError):
            while raw := await reader.readline():
                line = raw.decode().rstrip("\r\n")
                self.lines.append(line)
                self._changed.set()
                if line.startswith("QUIT") and self.polite:
                    break
                for beginning, answers in self._answers.items():
                    if line.startswith(beginning):
                        self.say(*(one.replace("{}", line.split()[-1]) for one in answers))
        writer.close()


@contextlib.asynccontextmanager
async def scripted_server(*, welcome: bool = True) -> AsyncIterator[ScriptedServer]:
    """Run the server; it lets clients in and answers pings unless ``welcome`` is false."""
    holder: list[ScriptedServer] = []
    serving: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.append(task)
        await holder[0].serve(reader, writer)

    server = await asyncio.start_server(serve, HOST, 0)
    script = ScriptedServer(server.sockets[0].getsockname()[1], server)
    holder.append(script)
    if welcome:
        script.answer("USER", *WELCOME)
        script.answer("PING", ":s PONG s :{}")
        script.answer("JOIN", ":tester!u@h JOIN {}")
    try:
        yield script
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        script.abort()
        await server.wait_closed()
