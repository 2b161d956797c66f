"""The configuration is read beside everything else, however long that takes."""

from __future__ import annotations

import threading

import pytest

from ipc.errors import RemoteError
from ipc.frames.words import Phase
from runtime.config.load import Loaded
from tests.runtime.supervisor.test_supervisor import A, B, House, house
from tests.support.until import until

PATIENCE = 20.0


class Slow:
    """A file that takes until ``go`` to be read."""

    def __init__(self, at: House) -> None:
        self.at = at
        self.begun, self.go = threading.Event(), threading.Event()
        object.__setattr__(at.supervisor._setting, "load", self.load)
        at.supervisor.remote.load = self.load

    def load(self, text: str | None = None) -> Loaded:
        self.begun.set()
        assert self.go.wait(PATIENCE)
        return self.at.load(text)


async def test_the_supervisor_answers_while_a_large_file_is_read() -> None:
    async with house(A) as at:
        await at.is_in(Phase.RUNNING, A)
        file, client = Slow(at), await at.client()
        at.accounts = {"a": {}, "b": {}}
        at.supervisor.read_again()
        await until(file.begun.is_set, PATIENCE)
        rows = (await client.call("supervisor.status", {}, timeout=PATIENCE))["accounts"]
        assert [row["account"] for row in rows] == [A]
        file.go.set()
        await until(lambda: B in at.supervisor.accounts, PATIENCE)
        await client.close()


async def test_what_is_wrong_with_the_file_is_told() -> None:
    async with house(A) as at:
        at.config_error = OSError(5, "Input/output error")
        told: list[str] = []
        at.supervisor.read_again(refused=told.append)
        await until(lambda: told, PATIENCE)
        assert "Input/output error" in told[0]
        assert "not taken over" in at.supervisor.status().supervisor.warnings[0]
        with pytest.raises(RemoteError, match="Input/output error"):
            await at.ask("config.reload")


async def test_the_end_does_not_wait_for_what_it_will_not_take_over() -> None:
    async with house(A) as at:
        file = Slow(at)
        at.supervisor.read_again()
        await until(file.begun.is_set, PATIENCE)
        at.supervisor.request_stop("SIGTERM")
        file.go.set()
