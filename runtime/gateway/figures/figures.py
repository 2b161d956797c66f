"""Provides the figures of a gateway's accounts: events for clients, and the history of a day.

What does it is imported when it is needed first: a gateway that has just begun, or has no accounts,
needs none of it.
"""

from __future__ import annotations

import asyncio
from functools import cached_property
from pathlib import Path
from typing import Any

from runtime.gateway.access.client_view import ClientView
from runtime.gateway.accounts.rows import Accounts
from runtime.gateway.jobs import Jobs

BEGIN_SECONDS = 5.0  # between two checks whether there is something to follow


class AccountFigures:
    """The figures of all accounts: the event ``channel.figures``, and their history."""

    def __init__(self, accounts: Accounts, jobs: Jobs, state_dir: Path) -> None:
        self._accounts = accounts
        self._jobs = jobs
        self._state_dir = state_dir
        self._timer = self._soon()

    @cached_property
    def streams(self) -> Any:
        """The object that sends the event (``FigureStreams``)."""
        from runtime.gateway.figures.streams import FigureStreams

        return FigureStreams(self._accounts)

    @cached_property
    def history(self) -> Any:
        """The object that keeps the history (``FigureHistory``)."""
        from runtime.gateway.figures.history import FigureHistory

        self._timer.cancel()
        return FigureHistory(self._accounts, self._jobs, self._state_dir)

    def unsubscribe(self, client: ClientView) -> None:
        """End the subscription of ``client``, if it has one."""
        if "streams" in vars(self):
            self.streams.unsubscribe(client)

    def close(self) -> None:
        """Stop sending and recording figures."""
        self._timer.cancel()
        for name in ("streams", "history"):
            if name in vars(self):
                getattr(self, name).close()

    def _soon(self) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(BEGIN_SECONDS, self._begin)

    def _begin(self) -> None:
        if self._accounts.every_row():
            _ = self.history
        else:
            self._timer = self._soon()
