"""An agent that fails in each turn, in the way that its configuration names.

Each fault is the method of its name; every turn goes wrong in the same way.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from types import FrameType
from typing import Any

import msgspec

from ipc.frames import data
from workers.agent import AgentContext, AgentManifest, Delta, Final, ToolCall, Turn
from workers.messages import MAX_TEXT, Attachment

KIND, MANIFEST = "bad", "tests.support.bad_agent:manifest"
MIB = 1 << 20
PIECES = 200_000
FACES = 1024

Items = AsyncIterator[Any]


class BadConfig(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """``fault`` is the name of a method of ``BadAgent``."""

    fault: str


class Unspeakable(Exception):
    """An exception whose text cannot be made."""

    def __str__(self) -> str:
        raise RuntimeError("not even that")

    __repr__ = __str__


class BadAgent:
    """Made by the worker; ``unmade`` is the fault of one that cannot be made."""

    def __init__(self, ctx: AgentContext) -> None:
        self.fault: str = ctx.config.fault
        self.kept: list[bytes] = []
        if self.fault == "unmade":
            raise ValueError("it cannot be made")

    def turn(self, turn: Turn) -> Any:
        return getattr(self, self.fault)(turn)

    def asked(self, turn: Turn) -> Any:
        """Do the fault that the text of the turn names."""
        return getattr(self, turn.text)(turn)

    async def hangs(self, turn: Turn) -> Items:
        await asyncio.get_running_loop().create_future()
        yield Final("never")

    async def deaf(self, turn: Turn) -> Items:
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                yield Delta("it goes on")

    async def blocks(self, turn: Turn) -> Items:
        time.sleep(3600)  # noqa: ASYNC251 - that is the fault
        yield Final("never")

    async def freezes(self, turn: Turn) -> Items:
        yield Delta("a beginning")
        while True:
            os.kill(os.getpid(), signal.SIGSTOP)

    async def leaks(self, turn: Turn) -> Items:
        while True:
            self.kept.append(b"x" * 4 * MIB)
            await asyncio.sleep(0.02)
        yield Final("never")

    async def dies(self, turn: Turn) -> Items:
        os.kill(os.getpid(), signal.SIGKILL)
        yield Final("never")

    async def exits(self, turn: Turn) -> Items:
        os._exit(0)
        yield Final("never")

    async def dies_answering(self, turn: Turn) -> Items:
        yield Delta("a beginning")
        await asyncio.sleep(0.2)  # until that was seen
        os.kill(os.getpid(), signal.SIGKILL)

    async def cuts_itself_off(self, turn: Turn) -> Items:
        """Close all open files, also the links to other processes."""
        yield Delta("a beginning")
        await asyncio.sleep(0.2)
        os.closerange(3, 1024)

    async def cancels_everything(self, turn: Turn) -> Items:
        for task in asyncio.all_tasks():
            task.cancel()
        await asyncio.sleep(3600)
        yield Final("never")

    async def floods(self, turn: Turn) -> Items:
        for _ in range(PIECES):
            yield Delta("x")

    async def floods_words(self, turn: Turn) -> Items:
        for _ in range(PIECES):
            yield Delta("é" * 1000)

    async def floods_faces(self, turn: Turn) -> Items:
        """Send an answer of the maximal length, in characters of four bytes each."""
        for _ in range(MAX_TEXT // FACES):
            yield Delta("\N{GRINNING FACE}" * FACES)
        yield Final()

    async def floods_nothing(self, turn: Turn) -> Items:
        while True:
            yield Delta("")

    async def one_large_piece(self, turn: Turn) -> Items:
        yield Delta("x" * 32 * MIB)

    async def one_large_answer(self, turn: Turn) -> Items:
        yield Final("é" * 8 * MIB)

    async def one_large_call(self, turn: Turn) -> Items:
        yield ToolCall("1", "tool", {"text": "x" * 8 * MIB})

    async def deep_call(self, turn: Turn) -> Items:
        nested: dict[str, Any] = {}
        for _ in range(100_000):
            nested = {"in": nested}
        yield ToolCall("1", "tool", nested)

    async def endless_call(self, turn: Turn) -> Items:
        nested: dict[str, Any] = {}
        nested["in"] = nested
        yield ToolCall("1", "tool", nested)

    async def a_dict(self, turn: Turn) -> Items:
        yield {"type": "delta", "text": "no event"}

    async def a_number(self, turn: Turn) -> Items:
        yield Delta(7)  # type: ignore[arg-type]

    async def bytes_in_a_final(self, turn: Turn) -> Items:
        yield Final(b"\xff\xfe")  # type: ignore[arg-type]

    async def no_text(self, turn: Turn) -> Items:
        yield Delta("half a pair: \ud800")

    async def no_text_at_the_end(self, turn: Turn) -> Items:
        yield Final("half a pair: \ud800")

    async def wrong_usage(self, turn: Turn) -> Items:
        yield Final("fine", usage="lots")  # type: ignore[arg-type]

    async def wrong_files(self, turn: Turn) -> Items:
        yield Final("fine", attachments=[Attachment(url=7)])  # type: ignore[arg-type]

    async def no_iterator(self, turn: Turn) -> str:
        return "fine"

    def nothing(self, turn: Turn) -> None:
        return None

    def raises_at_once(self, turn: Turn) -> Any:
        raise ValueError("a bug")

    async def raises_unspeakably(self, turn: Turn) -> Items:
        raise Unspeakable
        yield Final("never")

    async def ends_the_interpreter(self, turn: Turn) -> Items:
        raise SystemExit("enough")
        yield Final("never")

    async def interrupts(self, turn: Turn) -> Items:
        raise KeyboardInterrupt
        yield Final("never")

    async def wrong_frames(self, turn: Turn) -> Items:
        """Send the gateway frames that no worker sends, about this turn and about others."""
        link = _link_of(sys._getframe())
        name = next(iter(link.queue.logs))
        message = b'{"id": "1", "text": "I am an account"}'
        for body in (
            b"\xff\xfe\x00",
            b"\x91" * 1000,
            data.encode([data.TurnEvents(name, 1, [b"\xff\xfe", b"[" * 5000, b'{"type": "x"}'])]),
            data.encode([data.TurnEvents(name, 900, [b'{"type":"delta","text":"from afar"}'])]),
            data.encode([data.TurnEnded("1:no-such-run", 1, b'{"state":"final"}')]),
            data.encode([data.TurnTaken(name, 800), data.Answer(5, ok=True, payload=b"{}")]),
            data.encode([data.Messages(1, b"\x03", [message])]),
            data.encode([data.TurnEnded(name, 801, b'{"state": "final", "final": 5}')]),
        ):
            link._dealer.send(body)  # frames that the link itself would not send
            await asyncio.sleep(0.02)
        yield Final("fine")


def _link_of(frame: FrameType | None) -> Any:
    """Return the link of the process in which the turn of this frame runs."""
    while frame is not None:
        if (link := getattr(frame.f_locals.get("self"), "_link", None)) is not None:
            return link
        frame = frame.f_back
    raise AssertionError("no turn of a worker runs here")


manifest = AgentManifest(KIND, "Bad", BadConfig, agent="tests.support.bad_agent:BadAgent")
