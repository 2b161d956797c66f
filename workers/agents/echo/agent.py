"""Answers each turn with its own text."""

from __future__ import annotations

from collections.abc import AsyncIterator

from workers.agent import AgentContext, Final, Turn


class Echo:
    """The agent of a fresh installation, which shows that messages and answers get through."""

    def __init__(self, ctx: AgentContext) -> None:
        self.ctx = ctx

    async def turn(self, turn: Turn) -> AsyncIterator[Final]:
        """Yield the text of the turn, marked as an echo; an empty text gets no answer."""
        yield Final(f"echo: {turn.text}" if turn.text else "")
