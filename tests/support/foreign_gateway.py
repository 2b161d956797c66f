"""A foreign gateway as a program, which accepts sessions, answers, and fails as a test says.

Run as ``python -m tests.support.foreign_gateway MODE``. MODE: ``fine``; ``damaged`` (its
configuration, until a file ``repaired`` exists in the working directory); ``hopeless``.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from websockets.asyncio.server import ServerConnection, serve

PORT = int(os.environ.get("OPENCLAW_GATEWAY_PORT", "0"))
REPAIRED = Path("repaired").exists()
TOKEN = os.environ.get("OPENCLAW_GATEWAY_TOKEN")


async def meet(connection: ServerConnection) -> None:
    async def say(**frame: Any) -> None:
        await connection.send(json.dumps(frame))

    challenge = {"nonce": "n", "ts": 1}
    await say(type="event", event="connect.challenge", payload=challenge)
    async for text in connection:
        request = json.loads(text)
        answer: dict[str, Any] = {"type": "res", "id": request["id"], "ok": True}
        if request["method"] == "connect":
            if request["params"].get("auth", {}).get("token") != TOKEN:
                error = {
                    "code": "INVALID_REQUEST",
                    "message": "unauthorized: gateway token mismatch",
                    "details": {"code": "AUTH_TOKEN_MISMATCH"},
                }
                await say(type="res", id=request["id"], ok=False, error=error)
                await connection.close(1008, "unauthorized")
                return
            answer["payload"] = {"type": "hello-ok", "protocol": 4, "server": {"version": "f"}}
        elif request["method"] == "system-presence":
            answer["payload"] = []
        elif request["method"] == "environment":
            answer["payload"] = dict(os.environ)
        else:
            answer["ok"] = False
            text = f"unknown method: {request['method']}"
            answer["error"] = {"code": "INVALID_REQUEST", "message": text}
        await say(**answer)


async def restart(connections: set[ServerConnection]) -> None:
    for connection in list(connections):
        await connection.close(1012, "service restart")


async def main() -> None:
    mode = sys.argv[1]
    if mode == "hopeless":
        sys.exit("startup migrations already running")
    if mode == "damaged" and not REPAIRED:
        sys.stderr.write(f"token {TOKEN}\nConfig invalid: run openclaw doctor --fix\n")
        sys.exit(1)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    connections: set[ServerConnection] = set()
    tasks: set[asyncio.Task[None]] = set()

    async def met(connection: ServerConnection) -> None:
        connections.add(connection)
        try:
            await meet(connection)
        finally:
            connections.discard(connection)

    def again() -> None:
        tasks.add(asyncio.create_task(restart(connections)))

    loop.add_signal_handler(signal.SIGUSR2, again)
    port = int(sys.argv[2]) if len(sys.argv) > 2 else PORT
    async with serve(met, "127.0.0.1", port, ping_interval=None):
        sys.stderr.write(f"listening with the token {TOKEN}\n")
        await ended.wait()


if __name__ == "__main__":
    asyncio.run(main())
