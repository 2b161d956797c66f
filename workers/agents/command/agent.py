"""Answers turns with a program of this host: one process for each turn."""

from __future__ import annotations

import codecs
import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from workers.agent import AgentContext, Delta, Final, Turn, TurnEvent
from workers.agents.answers import AnswerBound, read_event, without_nul
from workers.agents.command.config import CommandConfig, words_of
from workers.agents.command.program import TurnProgram
from workers.agents.command.prompt import failure_of_exit, prompt_of, variables_of
from workers.agents.event_streams import LineSplitter
from workers.errors import Misconfigured, Transient

Printed = AsyncGenerator[TurnEvent | Final, None]

LINKS = ("https://", "http://", "file:", "data:", "media:")
NOT_THERE = (FileNotFoundError, NotADirectoryError, PermissionError)


class CommandAgent:
    """The agent of one command line, which is run anew for each turn."""

    def __init__(self, ctx: AgentContext) -> None:
        self.ctx = ctx
        self.config: CommandConfig = ctx.config
        program, *rest = words_of(self.config.command)
        self._argv = [os.path.expanduser(program), *rest]
        self._cwd = os.path.expanduser(self.config.cwd or str(ctx.storage))

    async def turn(self, turn: Turn) -> AsyncIterator[TurnEvent | Final]:
        """Yield the program's output as events, and the final event that its exit status means."""
        program = await self._start(turn)
        read = _events_of if self.config.output == "jsonl" else _text_of
        printed = read(program, AnswerBound(self.config.max_answer_bytes))
        final = None
        try:
            async with aclosing(printed) as events:
                async for event in events:
                    if isinstance(event, Final):
                        final = event
                        break
                    yield event
            # One that has said the last word has a moment to end by itself.
            code = await program.wait(None if final is None else self.config.kill_after_seconds)
            if final is None and code:
                raise failure_of_exit(code, await program.last_words())
        finally:
            await program.end(self.config.kill_after_seconds)
        yield final or Final()

    async def _start(self, turn: Turn) -> TurnProgram:
        config = self.config
        env = {name: os.environ[name] for name in config.inherit_env if name in os.environ}
        env |= config.env | variables_of(turn)
        prompt = prompt_of(config, turn)
        try:
            return await TurnProgram.start(self._argv, prompt, self.ctx.log, env, self._cwd)
        except NOT_THERE as error:
            raise Misconfigured(
                f"{error.filename}: {error.strerror}; correct command or cwd"
            ) from None
        except OSError as error:
            raise Transient(f"the program cannot be started: {error.strerror}") from None


async def _text_of(program: TurnProgram, bound: AnswerBound) -> Printed:
    """Yield the output as text, without leading and trailing white space."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    held, begun = "", False
    async with aclosing(program.pieces()) as pieces:
        async for piece in pieces:
            bound.count(len(piece))
            text = held + without_nul(decoder.decode(piece))
            shown = text.rstrip()
            held = text[len(shown) :]
            if shown := shown if begun else shown.lstrip():
                begun = True
                yield Delta(shown)


async def _events_of(program: TurnProgram, bound: AnswerBound) -> Printed:
    """Yield the events that the lines of the output contain."""
    lines = LineSplitter()
    async with aclosing(program.pieces()) as pieces:
        async for piece in pieces:
            bound.count(len(piece))
            for line in lines.feed(piece):
                if line.strip():
                    yield read_event(line, LINKS)
    if lines.end().strip():
        yield read_event(lines.end(), LINKS)
