"""Generates messages for measurements: at a rate, or as fast as the worker accepts them.

Each text begins with a running number, so that a receiver can detect a gap or a wrong order,
and the time of its emission in nanoseconds (CLOCK_MONOTONIC, which all processes of a host
share).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from ipc.epoch import now_ms
from workers.channels.local import LocalConfig
from workers.messages import Chat, Inbound, Sender

CHAT = Chat(id="load", kind="group", title="Load")
SENDER = Sender(id="load", name="load", bot=True)  # a bot: no agent answers it
SHORTEST_WAIT = 0.005  # seconds; shorter ones are not exact on any loop


async def emit_forever(
    emit: Callable[[Inbound], Awaitable[object]], next_id: Callable[[], str], config: LocalConfig
) -> None:
    """Emit ``config.rate`` messages a second until cancelled; without limit when it is negative.

    ``next_id`` makes the id of each message.
    """
    filler = "x" * config.payload_bytes
    size = config.payload_bytes
    loop = asyncio.get_running_loop()
    start, number = loop.time(), 0
    while True:
        if config.rate < 0:
            due = number + 1_000
        else:
            due = int((loop.time() - start) * config.rate)
            if due <= number:
                await asyncio.sleep(
                    max(SHORTEST_WAIT, (number + 1) / config.rate + start - loop.time())
                )
                continue
        now = now_ms()
        while number < due:
            number += 1
            text = f"{number} {time.monotonic_ns()} {filler}"[:size]
            await emit(Inbound(next_id(), CHAT, SENDER, text, now))
