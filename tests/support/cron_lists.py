"""Acts like ``openclaw cron list`` on the wire, also in its retries."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.support.daemon import TOKEN
from tests.support.rawclient import RawClient, connect_params

CLIENT = {"id": "cli", "version": "2026.9.6", "platform": "linux", "mode": "cli"}
PARAMS = {"includeDisabled": False, "limit": 200, "offset": 0}
STARTING = "startup-sidecars"
PAUSE = 0.25  # seconds before the second try after a close
FAILED = (ConnectionClosed, InvalidHandshake, OSError)


@dataclass
class CronLists:
    """The results of the calls. ``again`` counts connections after the first one of a call.

    ``cut`` are the calls whose connection ended without a close frame, as those of a killed process
    do: the command line does not try again then.
    """

    url: str
    answered: int = 0
    again: int = 0
    cut: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    async def call(self, silent: float = 0.0) -> None:
        """List the jobs once; ``silent`` seconds lie between the challenge and ``connect``.

        The rules are those of OpenClaw 2026.9.6. It tries once more after a close with 1000 and no
        reason before the hello, and as often as a refused ``connect`` says that the gateway starts.
        """
        closed = False
        while True:
            stage = "connecting"
            try:
                client = await RawClient.open(self.url)
                try:
                    stage = "before connect"
                    await asyncio.sleep(silent)
                    stage = "before hello"
                    asked = connect_params(TOKEN, client=CLIENT, scopes=["operator.read"])
                    answer = await client.call("connect", asked)
                    if (wait := _starting(answer)) is not None:
                        self.again += 1
                        await asyncio.sleep(wait)
                        continue
                    stage = "after hello"
                    answer = await client.call("cron.list", PARAMS)
                finally:
                    await client.socket.close()
            except FAILED as error:
                code, reason = _close_of(error)
                if stage != "after hello" and (code, reason) == (1000, "") and not closed:
                    closed = True
                    self.again += 1
                    await asyncio.sleep(PAUSE)
                    continue
                kept = self.cut if code == 1006 else self.failed
                kept.append(f"{stage}: {code} {reason} {error}")
                return
            if answer["ok"]:
                self.answered += 1
            else:
                self.failed.append(f"{stage}: {answer['error']}")
            return


def _starting(answer: dict[str, Any]) -> float | None:
    """Return after how many seconds a refused ``connect`` is to be made again."""
    error = answer.get("error") or {}
    if (error.get("details") or {}).get("reason") != STARTING:
        return None
    return float(error.get("retryAfterMs", 500)) / 1000


def _close_of(error: BaseException) -> tuple[int, str]:
    if isinstance(error, ConnectionClosed) and error.rcvd is not None:
        return error.rcvd.code, error.rcvd.reason
    return 1006, ""
