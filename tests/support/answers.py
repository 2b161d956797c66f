"""Checks of the echo agent's answers: each comes once, or is a dead letter in state ``unknown``."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from tests.support.daemon import Daemon

ECHO = "echo: "


async def answered_or_unknown(
    daemon: Daemon,
    account: str,
    said: Iterable[str],
    texts: Callable[[], list[str]],
    seconds: float,
) -> list[dict[str, Any]]:
    """Wait until nothing is to be sent any more and each of ``said`` is answered or ``unknown``.

    ``texts`` returns what people have got from the account. Returns the account's dead letters as
    ``deadletters.show`` does. Raises ``AssertionError`` after ``seconds``, and when an answer came
    twice or answers nothing, or when a dead letter is one of a message that was surely not sent.
    """
    wanted = Counter(f"{ECHO}{text}" for text in said)
    letters: list[dict[str, Any]] = []
    missing = wanted
    depth = -1
    async with daemon.reconnecting() as client:
        deadline = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < deadline:
            depth = (await client.call("status"))["outbox"]["depth"]
            if depth == 0:
                found = await client.call("deadletters.list", {"limit": 1000, "account": account})
                letters = [
                    await client.call("deadletters.show", {"id": each["id"]})
                    for each in found["letters"]
                ]
                missing = wanted - Counter(texts())
                if not missing - Counter(each["message"]["text"] for each in letters):
                    break
            await asyncio.sleep(0.1)
        else:
            raise AssertionError(f"to be sent: {depth}, missing: {missing}, letters: {letters}")
    assert not Counter(texts()) - wanted, "answered twice, or an answer to nothing"
    assert [each["state"] for each in letters] == ["unknown"] * len(letters), letters
    return letters
