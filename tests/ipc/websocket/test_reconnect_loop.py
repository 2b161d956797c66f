"""The loop that opens one session after another: when it tries, and what ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from ipc.errors import ConnectionFailed, IpcError
from ipc.websocket.backoff import RetryPolicy
from ipc.websocket.reconnect_loop import Failure, ReconnectLoop

pytestmark = pytest.mark.virtual_time
POLICY = RetryPolicy((1.0, 2.0), most=4.0, jitter=0.0)
REFUSED = ConnectionFailed("ws://x", "Connection refused", retryable=True)
Step = Exception | float  # of one try: what fails it, or how long its session lives


class Client:
    """Tries by a script; the loop ends with it."""

    def __init__(
        self,
        script: list[Step],
        *,
        serve: Callable[[float], Awaitable[str]] | None = None,
        on_failure: Callable[[Failure], bool] | None = None,
        proven: float = 0.0,
    ) -> None:
        self.script = script
        self.tries: list[float] = []
        self.losses: list[str] = []
        self.failures: list[Failure] = []
        self.loop = ReconnectLoop(
            self._connect,
            serve or self._serve,
            policy=POLICY,
            on_lost=self._lost,
            on_failure=on_failure or self._failed,
            proven=proven,
        )

    async def run(self) -> None:
        async with asyncio.timeout(3600):
            await self.loop.run()

    async def _connect(self) -> float:
        self.tries.append(asyncio.get_running_loop().time())
        step = self.script.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    async def _serve(self, lives: float) -> str:
        await asyncio.sleep(lives)
        return f"closed after {lives:g} s"

    def _lost(self, reason: str) -> bool:
        self.losses.append(reason)
        return bool(self.script)

    def _failed(self, failure: Failure) -> bool:
        self.failures.append(failure)
        return bool(self.script)


async def test_it_waits_longer_after_each_failure_and_anew_after_a_session() -> None:
    client = Client([REFUSED, REFUSED, REFUSED, REFUSED, 10.0, REFUSED, REFUSED])
    await client.run()
    assert client.tries == [0.0, 1.0, 3.0, 7.0, 11.0, 21.0, 22.0]
    assert client.loop.attempts == 7
    assert client.losses == ["closed after 10 s"]


async def test_a_failure_says_how_long_there_has_been_no_session() -> None:
    client = Client([REFUSED, REFUSED, 10.0, REFUSED, REFUSED])
    await client.run()
    assert client.failures == [
        Failure(REFUSED, earlier=0, without=0.0, wait=1.0),
        Failure(REFUSED, earlier=1, without=1.0, wait=2.0),
        Failure(REFUSED, earlier=0, without=0.0, wait=1.0),
        Failure(REFUSED, earlier=1, without=1.0, wait=2.0),
    ]


async def test_a_session_that_ends_too_soon_is_a_failure_that_is_not_reported() -> None:
    client = Client([0.5, 0.5, 5.0, 0.5], proven=1.0)
    await client.run()
    assert client.tries == [0.0, 1.5, 4.0, 9.0]
    assert client.failures == []


@pytest.mark.parametrize("error", [REFUSED, ValueError("a fault of ours")])
async def test_what_keeps_a_session_from_working_is_a_failure(error: Exception) -> None:
    async def broken(_: float) -> str:
        raise error

    client = Client([1.0], serve=broken)
    await client.run()
    assert [failure.error for failure in client.failures] == [error]
    assert client.losses == []


async def test_what_a_callback_raises_ends_the_loop() -> None:
    def give_up(failure: Failure) -> bool:
        raise failure.error

    client = Client([REFUSED, 1.0], on_failure=give_up)
    with pytest.raises(ConnectionFailed):
        await client.run()


async def test_a_cancellation_that_comes_with_an_error_is_not_lost() -> None:
    """A TaskGroup of Python 3.11 raises the error alone."""

    async def cancelled(_: float) -> str:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        raise IpcError("closed")

    client = Client([1.0, 1.0], serve=cancelled)
    task = asyncio.create_task(client.loop.run())
    with pytest.raises(asyncio.CancelledError):
        await task
    assert client.failures == []
