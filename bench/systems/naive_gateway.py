"""The naive gateway: what the tutorials of its two libraries lead to.

    python -m bench.systems.naive_gateway SOCKET

``zmq.asyncio`` in, the ``websockets`` API out, orjson between them, one ``await`` per message.
"""

from __future__ import annotations

import contextlib
import itertools
import sys
from typing import Any

import orjson
import uvloop
import zmq
import zmq.asyncio
from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed

clients: set[ServerConnection] = set()
waiting: dict[int, tuple[ServerConnection, str]] = {}
numbers = itertools.count()
router: Any = None


async def serve_client(client: ServerConnection) -> None:
    """Answer the requests of one client."""
    clients.add(client)
    try:
        async for text in client:
            request = orjson.loads(text)
            if request["method"] == "send":
                number = next(numbers)
                waiting[number] = client, request["id"]
                call = {"call": number, "params": request["params"]}
                worker = f"source:{request['params']['accountId']}".encode()
                await router.send_multipart([worker, orjson.dumps(call)])
            else:
                await answer(client, request["id"], None)
    except ConnectionClosed:
        pass
    finally:
        clients.discard(client)


async def answer(client: ServerConnection, id: str, payload: Any) -> None:
    """Send one answer."""
    response = {"type": "res", "id": id, "ok": True, "payload": payload}
    with contextlib.suppress(ConnectionClosed):
        await client.send(orjson.dumps(response).decode())


async def receive() -> None:
    """Pass on the messages of the workers."""
    while True:
        _, body = await router.recv_multipart()
        said = orjson.loads(body)
        if "answer" in said:
            client, request = waiting.pop(said["answer"])
            await answer(client, request, said["payload"])
        elif "account" in said:
            event = {"type": "event", "event": "channel.message", "payload": said}
            broadcast(clients, orjson.dumps(event).decode())


async def main(path: str) -> None:
    """Serve."""
    global router
    router = zmq.asyncio.Context.instance().socket(zmq.ROUTER)
    router.bind(f"ipc://{path}")
    async with serve(serve_client, "127.0.0.1", 0, compression=None) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await receive()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
