"""Answer each turn with its own text."""

from __future__ import annotations

from collections.abc import AsyncIterator

from workers.agent import AgentContext, Final, Turn


class Echo:
    """The agent of a fresh installation: shows that messages come and answers go."""

    def __init__(self, ctx: AgentContext) -> None:
        self.ctx = ctx

    async def turn(self, turn: Turn) -> AsyncIterator[Final]:
        """Yield the text, marked as an echo; nothing is answered to an empty one."""
        yield Final(f"echo: {turn.text}" if turn.text else "")
