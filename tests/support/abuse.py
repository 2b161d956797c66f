"""What strangers and broken clients do to a gateway, as often as they can, for some seconds."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed

from tests.support import bad_agent
from tests.support.daemon import TOKEN, Daemon
from tests.support.rawclient import RawClient

MIB = 1 << 20
HOOK_TOKEN = "hook-token-0123456789"
CLIENTS, STREAMS, DEAF = 32, 20, 8
CANVAS = "/__openclaw__/canvas"
COMPLETIONS = "/v1/chat/completions"
ESCAPES = (
    "../../trunkline.json5",
    "..%2f..%2ftrunkline.json5",
    "%2e%2e/%2e%2e/state/journal.db",
    "....//....//etc/passwd",
    "..%5c..%5cwindows",
    "%00",
    "a.html%00.png",
    ".hidden",
    "out/trunkline.json5",  # a link that leads out of the directory
)
HOSTILE = '<svg xmlns="http://www.w3.org/2000/svg"><script>fetch("/metrics")</script></svg>'
Abuse = Callable[[], Awaitable[None]]
Kind = Callable[[Daemon, float], Awaitable[Counter[int]]]
UnreadKind = Callable[..., Awaitable[Counter[int]]]  # a kind that also takes ``enough``


def configuration(place: Path, **gateway: Any) -> dict[str, Any]:
    """Return the configuration of a daemon on which all of this can be tried."""
    root = place / "canvas"
    root.mkdir()
    (root / "a.html").write_text(f"<!doctype html>{HOSTILE}")
    (root / "a.svg").write_text(HOSTILE)
    (root / ".hidden").write_text("loot")
    (root / "out").symlink_to(place)
    faults = {"flood": "floods", "words": "floods_words", "faces": "floods_faces"}
    bad = {name: {"kind": bad_agent.KIND, "fault": fault} for name, fault in faults.items()}
    mapping = {
        "match": {"path": "github"},
        "action": "wake",
        "wakeMode": "next-heartbeat",
        "textTemplate": "{{headers.x-event}} {{sender.login}}: {{commits[0].message}}",
    }
    return {
        "agents": {"default": "main", "maxConcurrent": 100, "entries": bad | {"main": _ECHO}},
        "channels": {"local": {"accounts": {"one": {}}}},
        "canvasHost": {"enabled": True, "root": str(root)},
        "cron": {"maxJobs": 20},
        "hooks": {"enabled": True, "token": HOOK_TOKEN, "mappings": [mapping]},
        "gateway": {"http": {"endpoints": {"chatCompletions": {"enabled": True}}}, **gateway},
    }


_ECHO = {"kind": "echo"}


async def all_running(daemon: Daemon) -> Any:
    """Wait until all accounts and agents run; return the status."""
    return await daemon.wait(
        lambda s: all(row["phase"] == "running" for row in [*s["accounts"].values(), *s["agents"]])
    )


async def refusals(daemon: Daemon) -> int:
    """Return how much the gateway's ``status`` shows as refused, or cut off."""
    while True:
        client = await RawClient.open(f"ws://127.0.0.1:{daemon.port}")
        try:
            await client.hello(TOKEN)
            await client.call("events.subscribe", {"runs": False})  # runs may flood, also it
            shown = (await client.call("status"))["payload"]
            break
        except ConnectionClosed:  # it was flooded before, and is slow on a busy host
            continue
        finally:
            client.socket.transport.abort()
    http = sum(shown["httpRefused"].values())
    return int(http + shown["dropped"]["slow client"] + shown["requests"]["failed"])


def request(
    daemon: Daemon, path: str, token: str, body: Any = None, method: str = "POST", **headers: str
) -> bytes:
    """Return a request as it goes over the wire; no header says that the path is encoded."""
    data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{daemon.port}\r\n"
        f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n{more}"
        f"Content-Length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


async def asked_again_and_again(
    daemon: Daemon, requests: Sequence[bytes], clients: int, seconds: float
) -> Counter[int]:
    """Send requests in turn as fast as they are answered, on so many connections.

    Return the statuses.
    """
    found: Counter[int] = Counter()
    ends = time.monotonic() + seconds

    async def one(number: int) -> None:
        turn = itertools.cycle([*requests[number % len(requests) :], *requests])
        while time.monotonic() < ends:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                reader, writer = await asyncio.open_connection("127.0.0.1", daemon.port)
                try:
                    while time.monotonic() < ends:
                        writer.write(next(turn))
                        head = (await reader.readuntil(b"\r\n\r\n")).lower()
                        found[int(head.split(b" ")[1])] += 1
                        _, length, rest = head.partition(b"content-length:")
                        if length:
                            await reader.readexactly(int(rest.split(b"\r\n")[0]))
                        if b"connection: close" in head:
                            break
                finally:
                    writer.transport.abort()

    await asyncio.gather(*map(one, range(clients)))
    return found


async def wrong_hooks(daemon: Daemon, seconds: float) -> Counter[int]:
    """Ask hooks with wrong tokens."""
    data = request(daemon, "/hooks/wake", "wrong", {"text": "x"})
    return await asked_again_and_again(daemon, [data], CLIENTS, seconds)


async def large_prompts(daemon: Daemon, seconds: float) -> Counter[int]:
    """Ask agents with prompts of a megabyte, and with bodies that are too large altogether."""
    long = {"role": "user", "content": "x" * MIB}
    small, strange = {"role": "user", "content": "x"}, {"role": list[str](), "content": {}}
    requests = [
        request(daemon, COMPLETIONS, TOKEN, {"model": "openclaw", "messages": each})
        for each in ([long], [long], [small] * 20_000, [strange])
    ]
    requests.append(request(daemon, COMPLETIONS, TOKEN, b"[" * MIB))
    return await asked_again_and_again(daemon, requests, 4, seconds)


async def long_requests(daemon: Daemon, seconds: float) -> Counter[int]:
    """Send over WebSockets what is longer than its method allows, and what would be large decoded.

    The one of 25 MiB shows its method first, the next one last; all are JSON.
    """
    keys = b'["a"%b]' % (b',"a"' * (6 * MIB))
    values = b'{"attachments":[{}%b]}' % (b",{}" * MIB)
    request = b'{"type":"req","id":"1","method":"%b","params":%b}'
    frames = [
        request % (b"events.subscribe", b'{"accounts":%b}' % keys),
        b'{"type":"req","id":"1","params":%b,"method":"chat.send"}' % keys,
        request % (b"chat.send", values),
        request % (b"health", b'{"x":[%b0]}' % (b"[]," * (MIB // 4))),
        request % (b"chat.send", b'{"message":"%b\xf0\x9f\x98\x80"}' % (b"x" * 3 * MIB)),
    ]
    found: Counter[int] = Counter()
    ends = time.monotonic() + seconds

    async def one(number: int) -> None:
        client = await RawClient.open(f"ws://127.0.0.1:{daemon.port}")
        await client.hello(TOKEN)
        turn = itertools.cycle([*frames[number:], *frames[:number]])
        while time.monotonic() < ends:
            await client.send(next(turn))
            found[200 if (await client.response())["ok"] else 400] += 1
        client.socket.transport.abort()

    await asyncio.gather(*map(one, range(4)))
    return found


async def injected_templates(daemon: Daemon, seconds: float) -> Counter[int]:
    """Ask a mapped hook with what looks like templates, is nested deep, large or no JSON."""
    inner = "{{headers.authorization}} {{payload.__class__.__mro__}} {{commits[0].message}}"
    deep: Any = inner
    for _ in range(50):
        deep = {"sender": deep}
    bodies: list[Any] = [
        {"sender": {"login": inner}, "commits": [{"message": inner * 100}]},
        {"sender": {"login": deep}, "commits": "{{path}}"},
        {"sender": [inner] * 1000, "commits": {"0": inner}},
        b"{" * 200_000,
        b'{"sender": {"login": "' + b"{{" * 100_000 + b'"}}',
        b"\xff\xfe",
    ]
    requests = [request(daemon, "/hooks/github", HOOK_TOKEN, each) for each in bodies]
    requests.append(request(daemon, "/hooks/nobody", HOOK_TOKEN, {}))
    return await asked_again_and_again(daemon, requests, 8, seconds)


async def escaping_paths(daemon: Daemon, seconds: float) -> Counter[int]:
    """Ask the canvas host for what is not below its directory."""
    requests = [request(daemon, f"{CANVAS}/{each}", TOKEN, method="GET") for each in ESCAPES]
    return await asked_again_and_again(daemon, requests, 8, seconds)


async def sessions_of_others(daemon: Daemon, seconds: float) -> Counter[int]:
    """Ask for sessions that one may not name, and for those of others without the secret."""
    said = {"model": "openclaw", "messages": [{"role": "user", "content": "x"}]}
    named = {"message": "x", "sessionKey": "agent:main:main"}
    requests = [
        *(
            request(daemon, COMPLETIONS, TOKEN, said, x_openclaw_session_key=key)
            for key in ("agent:main:cron:x", "agent:main:subagent:x", "acp:x", "agent:nobody:x")
        ),
        request(daemon, "/hooks/agent", HOOK_TOKEN, named),
        request(daemon, "/sessions/agent:main:main/history", HOOK_TOKEN, method="GET"),
        request(daemon, "/tools/invoke", HOOK_TOKEN, {"tool": "sessions_list"}),
    ]
    return await asked_again_and_again(daemon, requests, 8, seconds)


async def hostile_pages(daemon: Daemon, seconds: float) -> Counter[int]:
    """Load pages of strangers, and guess tickets and accounts."""
    requests = [
        request(daemon, f"{CANVAS}/a.html", TOKEN, method="GET"),
        request(daemon, f"{CANVAS}/a.svg", TOKEN, method="GET"),
        request(daemon, f"/media/{'ab' * 16}?t=guess", TOKEN, method="GET"),
        request(daemon, "/channels/local/one/a.html", TOKEN, method="GET"),
    ]
    return await asked_again_and_again(daemon, requests, 8, seconds)


async def cron_storm(daemon: Daemon, seconds: float) -> Counter[int]:
    """Add more jobs than there may be, each due every second, and run them by hand."""
    found: Counter[int] = Counter()
    ends = time.monotonic() + seconds

    async def one() -> None:
        client = await RawClient.open(f"ws://127.0.0.1:{daemon.port}")
        await client.hello(TOKEN)
        jobs: list[str] = []
        while time.monotonic() < ends:
            job = {
                "name": "storm",
                "schedule": {"kind": "every", "everyMs": 1000},
                "sessionTarget": "isolated",
                "wakeMode": "now",
                "payload": {"kind": "agentTurn", "message": "x" * 10_000},
                "delivery": {"mode": "none"},
            }
            added = await client.call("cron.add", job)
            found[200 if added["ok"] else 400] += 1
            jobs += [added["payload"]["id"]] if added["ok"] else []
            for job_id in jobs:
                await client.call("cron.run", {"id": job_id, "mode": "force"})
        for job_id in jobs:
            await client.call("cron.remove", {"id": job_id})
        await client.close()

    await asyncio.gather(*(one() for _ in range(4)))
    return found


async def unread_streams(
    daemon: Daemon,
    seconds: float,
    agent: str = "words",
    *,
    enough: Callable[[], Awaitable[bool]] | None = None,
) -> Counter[int]:
    """Ask for streams, and read nothing of them; the kernel keeps little on this side.

    They end after a while, with ``enough`` once that is so.
    """
    body = {"model": f"openclaw/{agent}", "stream": True}
    body["messages"] = [{"role": "user", "content": "go"}]
    data = request(daemon, COMPLETIONS, TOKEN, body)
    loop = asyncio.get_running_loop()
    with contextlib.ExitStack() as opened:
        for _ in range(STREAMS):
            sock = opened.enter_context(socket.socket())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.setblocking(False)
            await loop.sock_connect(sock, ("127.0.0.1", daemon.port))
            await loop.sock_sendall(sock, data)
        await asyncio.sleep(seconds)
        while enough is not None and not await enough():  # noqa: ASYNC110 - it is polled
            await asyncio.sleep(0.1)
    return Counter()


async def unread_events(
    daemon: Daemon, seconds: float, *, enough: Callable[[], Awaitable[bool]] | None = None
) -> Counter[int]:
    """Follow all runs on many connections, and read nothing of them while one agent floods."""
    async with contextlib.AsyncExitStack() as opened:
        for _ in range(DEAF):
            client = await RawClient.open(f"ws://127.0.0.1:{daemon.port}")
            opened.callback(client.socket.transport.abort)
            await client.hello(TOKEN)
            client.socket.transport.pause_reading()
        return await unread_streams(daemon, seconds, enough=enough)


# Clients that do not read, and how many of them are closed at least. Streams of twenty longest
# answers stay within what all clients may leave unread.
UNREAD: dict[str, tuple[UnreadKind, int]] = {
    "unread streams": (unread_streams, 0),
    "unread pieces": (partial(unread_streams, agent="flood"), 0),
    "unread faces": (partial(unread_streams, agent="faces"), 0),
    "unread events": (unread_events, DEAF),
}
KINDS: dict[str, Kind] = {
    "wrong hooks": wrong_hooks,
    "large prompts": large_prompts,
    "long requests": long_requests,
    "injected templates": injected_templates,
    "escaping paths": escaping_paths,
    "sessions of others": sessions_of_others,
    "hostile pages": hostile_pages,
    "cron storm": cron_storm,
    **{name: carry_out for name, (carry_out, _) in UNREAD.items()},
}
