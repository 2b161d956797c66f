"""Under which names a gateway may be reached, and which pages may use it."""

from __future__ import annotations

import asyncio
import base64
import os

import aiohttp
import pytest
from msgspec.structs import replace

from ipc.errors import ConnectionFailed
from ipc.websocket.client import Client
from runtime.gateway.access.hosts import HeadRefusal, HostRules, RequestHead, read_head
from tests.support.gateway_rig import TOKEN, gateway_rig
from tests.support.until import PATIENCE

LOOPBACK = HostRules("loopback")
NAMED = HostRules("loopback", ["https://panel.example:8443/"], "wss://chat.example/gateway")
ALL = HostRules("loopback", ["*"])
LAN = HostRules("lan")
EVIL = "http://evil.example:18789"


def refused(rules: HostRules, host: str, origin: str | None, path: str, upgrade: bool) -> int:
    origins = () if origin is None else (origin,)
    found = rules.refusal(RequestHead(path, (host,), origins, upgrade))
    return 0 if found is None else found.status


@pytest.mark.parametrize(
    ("rules", "host", "origin", "path", "status"),
    [
        (LOOPBACK, "localhost", None, "/", 0),
        (LOOPBACK, "LocalHost.:18789", None, "/health", 0),
        (LOOPBACK, "127.0.0.1:18789", None, "/", 0),
        (LOOPBACK, "[::1]:18789", None, "/", 0),
        (LOOPBACK, "[0:0:0:0:0:0:0:1]", None, "/", 0),
        (LOOPBACK, "evil.example:18789", None, "/", 403),
        (LOOPBACK, "evil.example:18789", EVIL, "/", 403),  # rebinding
        (LOOPBACK, "localhost.evil.example", None, "/", 403),
        (LOOPBACK, "evil.localhost", None, "/", 403),
        (LOOPBACK, "0.0.0.0:18789", None, "/", 403),
        (LOOPBACK, "127.0.0.2", None, "/", 403),
        (LOOPBACK, "loopback:18789", "http://loopback:18789", "/", 403),
        (HostRules("127.0.0.2"), "127.0.0.2:1", None, "/", 0),
        (HostRules("::1"), "[::1]:1", None, "/", 0),
        (LOOPBACK, "[::ffff:127.0.0.1]", None, "/", 403),
        (NAMED, "chat.example", None, "/", 0),
        (NAMED, "panel.example", None, "/", 0),
        (NAMED, "evil.example", None, "/", 403),
        (ALL, "evil.example", EVIL, "/", 0),
        (LAN, "anything.example", None, "/", 0),
        # The path decides only for what has its own proof; an upgrade has none.
        (LOOPBACK, "bot.example", None, "/hooks/wake", 0),
        (LOOPBACK, "bot.example", "https://bot.example", "/channels/webhook/a/b", 0),
        (LOOPBACK, "bot.example", None, "/hooks", 403),
        (LOOPBACK, "bot.example", None, "/xhooks/wake", 403),
        (LOOPBACK, "", None, "/hooks/wake", 400),
        (LOOPBACK, "bot.example", "http://[::1", "/hooks/wake", 400),
        # Malformed, whatever the bind.
        (LAN, "", None, "/", 400),
        (LAN, "a b", None, "/", 400),
        (LAN, "user@localhost", None, "/", 400),
        (LAN, "localhost/x", None, "/", 400),
        (LAN, "localhost:99999", None, "/", 400),
        (LAN, "localhost:port", None, "/", 400),
        (LAN, "[::1", None, "/", 400),
        (LAN, "[zz]", None, "/", 400),
        (LAN, "localhost", "http://[::1", "/", 400),
        (LAN, "localhost", "", "/", 400),
        (LAN, "localhost", "localhost", "/", 400),
        (LAN, "localhost", "http://", "/", 400),
        (LAN, "localhost", "http://a/path", "/", 400),
        (LAN, "localhost", "http://a http://b", "/", 400),
        (LAN, "localhost", "http://u@localhost", "/", 400),
        (LAN, "localhost", "http://\xff", "/", 400),
    ],
)
def test_each_host_and_each_malformed_origin(
    rules: HostRules, host: str, origin: str | None, path: str, status: int
) -> None:
    assert refused(rules, host, origin, path, False) == status
    upgraded = refused(rules, host, origin, path, True)
    assert upgraded == (403 if "bot.example" in host and not status else status)


@pytest.mark.parametrize(
    ("rules", "origin", "host", "allowed"),
    [
        (LOOPBACK, None, "localhost:1", True),
        (LOOPBACK, "http://localhost:1", "localhost:1", True),
        (LOOPBACK, "http://localhost:1", "127.0.0.1:1", True),
        (LOOPBACK, "http://[::1]:1", "localhost:1", True),
        (LOOPBACK, "https://localhost", "localhost", True),
        (LOOPBACK, "http://localhost", "localhost:80", True),
        (LOOPBACK, "http://localhost:3000", "localhost:1", False),  # another program's page
        (LOOPBACK, "http://localhost", "localhost:443", False),
        (LOOPBACK, EVIL, "localhost:18789", False),
        (LOOPBACK, "null", "localhost:1", False),
        (LOOPBACK, "file://", "localhost:1", False),
        (HostRules("loopback", ["null"]), "null", "localhost:1", True),
        (HostRules("loopback", ["null"]), "file://", "localhost:1", False),
        (HostRules("loopback", ["tauri://localhost"]), "tauri://localhost", "127.0.0.1:1", True),
        (NAMED, "https://chat.example", "chat.example", True),
        (NAMED, "https://chat.example", "127.0.0.1:18789", True),  # a proxy that changes Host
        (NAMED, "http://chat.example", "127.0.0.1:18789", False),
        (NAMED, "https://panel.example:8443", "127.0.0.1:18789", True),
        (NAMED, "https://panel.example", "127.0.0.1:18789", False),
        (ALL, EVIL, "localhost:1", True),
        (LAN, "http://192.168.1.5:1", "192.168.1.5:1", True),
        (LAN, "https://gateway.example", "gateway.example", True),
        (LAN, "https://gateway.example", "127.0.0.1:1", False),
        (LAN, "http://localhost:1", "127.0.0.1:1", False),
        (LAN, EVIL, "192.168.1.5:1", False),
        (LAN, "http://[::1", "localhost", False),
        (LAN, "http://localhost", None, False),
        (NAMED, "https://chat.example", None, False),
        (LOOPBACK, "http://[::1]", "localhost:80", True),
        (LAN, "HTTP://BOX", "box.:80", True),
    ],
)
def test_each_page(rules: HostRules, origin: str | None, host: str | None, allowed: bool) -> None:
    assert rules.allows(origin, host) is allowed


@pytest.mark.parametrize(
    ("public_url", "origin"),
    [
        ("http://chat.example", "http://chat.example"),
        ("https://chat.example:8443/gateway", "https://chat.example:8443"),
        ("ws://chat.example", "http://chat.example"),
        ("wss://chat.example", "https://chat.example"),
    ],
)
def test_pages_at_the_public_address_are_the_gateway_s_own(public_url: str, origin: str) -> None:
    rules = HostRules("loopback", public_url=public_url)
    assert rules.allows(origin, "127.0.0.1:18789")
    assert rules.is_named(origin)
    assert rules.is_own("chat.example")


@pytest.mark.parametrize(
    ("rules", "origin", "named"),
    [
        (LOOPBACK, "http://localhost", False),  # allowed, but not by the configuration
        (NAMED, "https://panel.example:8443", True),
        (NAMED, "https://panel.example", False),
        (ALL, EVIL, True),
        (ALL, "null", True),
        (LOOPBACK, "null", False),
        (HostRules("loopback", ["Null"]), "null", True),
        (HostRules("loopback", ["null"]), "file://", False),
        (LOOPBACK, "http://[::1", False),
    ],
)
def test_which_pages_the_configuration_names(rules: HostRules, origin: str, named: bool) -> None:
    assert rules.is_named(origin) is named


@pytest.mark.parametrize(
    ("rules", "host", "own"),
    [
        (LAN, "localhost:1", True),
        (LAN, "evil.example", False),
        (LAN, "lan", False),
        (LAN, "[::1", False),
        (LAN, "", False),
        (LAN, None, False),
        (HostRules("FD00:0::1"), "[fd00::1]:1", True),
    ],
)
def test_which_names_are_the_gateway_s_own(rules: HostRules, host: str | None, own: bool) -> None:
    assert rules.is_own(host) is own


@pytest.mark.parametrize(
    ("rules", "origin", "status"),
    [
        (LOOPBACK, "http://localhost", 0),
        (LOOPBACK, "http://localhost:3000", 403),
        (LOOPBACK, "null", 403),
        (HostRules("loopback", ["null"]), "null", 0),
        (LAN, EVIL, 403),
    ],
)
def test_a_page_of_another_origin_is_refused_unless_it_asks_for_an_upgrade(
    rules: HostRules, origin: str, status: int
) -> None:
    assert refused(rules, "localhost", origin, "/", False) == status
    assert refused(rules, "localhost", origin, "/", True) == 0, "``connect`` answers"


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"GET /a?b?c HTTP/1.1\r\nHost: x:80", RequestHead("/a", ("x:80",), ())),
        (b"\r\nGET / HTTP/1.1\r\nhOST:\t X \r\nOrigin: y", RequestHead("/", ("X",), ("y",))),
        (b"GET / HTTP/1.1\r\nHost: x\xa0", RequestHead("/", ("x\xa0",), ())),
        (b"GET / HTTP/1.1\r\nHost: x\r\nHost: y", RequestHead("/", ("x", "y"), ())),
        (b"GET / HTTP/1.1", RequestHead("/", (), ())),
        (b"GET / HTTP/1.1\r\nHost : x", None),
        (b"GET / HTTP/1.1\r\nHost: x\r\n folded", None),
        (b"GET / HTTP/1.1\r\nX: a\nHost: y\r\nHost: x", None),
        (b"GET / HTTP/1.1\r\nX: a\rHost: y\r\nHost: x", None),
        (b"GET / HTTP/1.1\r\nHost", None),
        (b" GET / HTTP/1.1\r\nHost: x", None),
        (b"GET / RTSP/1.0\r\nHost: x", None),
        (b"GET /  HTTP/1.1\r\nHost: x", None),
        (b"\x16\x03\x01 garbage", None),
        (b"", None),
    ],
)
def test_what_a_head_says(head: bytes, expected: RequestHead | None) -> None:
    assert read_head(head, upgrade=False) == expected
    upgraded = None if expected is None else replace(expected, upgrade=True)
    assert read_head(head, upgrade=True) == upgraded


@pytest.mark.parametrize(("status", "word"), [(400, "Bad Request"), (403, "Forbidden")])
def test_a_refusal_is_the_last_answer_of_its_connection(status: int, word: str) -> None:
    head, body = HeadRefusal(status, "nö").response().split(b"\r\n\r\n")
    first, *headers = head.decode().split("\r\n")
    assert first == f"HTTP/1.1 {status} {word}"
    assert body.decode() == "nö"
    assert dict(each.split(": ") for each in headers) == {
        "Content-Type": "text/plain; charset=utf-8",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
        "Content-Length": "3",
        "Connection": "close",
    }


@pytest.mark.parametrize(
    ("headers", "status", "text"),
    [
        ("", 400, "a request names one Host, this one 0"),
        ("Host: a\r\nHost: b", 400, "a request names one Host, this one 2"),
        ("Host: a b", 400, "the header Host is malformed"),
        ("Host : a", 400, "the request is no HTTP"),
        (
            "Host: localhost\r\nOrigin: null\r\nOrigin: null",
            400,
            "a request names one Origin, this one 2",
        ),
        ("Host: localhost\r\nOrigin: here", 400, "the header Origin is malformed"),
        (
            "Host: localhost\r\nOrigin: http://a",
            403,
            "origin 'http://a' not allowed; where the page is yours, add it to"
            " gateway.allowedOrigins on the gateway's host",
        ),
    ],
)
def test_what_is_wrong_with_a_head_is_answered(headers: str, status: int, text: str) -> None:
    head = "\r\n".join(["GET / HTTP/1.1", *([headers] if headers else [])])
    assert LOOPBACK.refuse_head(head.encode(), False) == HeadRefusal(status, text).response()


def test_a_head_is_judged_by_whether_it_asks_for_an_upgrade() -> None:
    head = b"GET /hooks/wake HTTP/1.1\r\nHost: bot.example"
    assert LOOPBACK.refuse_head(head, False) is None
    answer = LOOPBACK.refuse_head(head, True)
    assert answer is not None
    assert answer.startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert b"Host 'bot.example' is no address of this gateway" in answer


def upgrade(*headers: str) -> bytes:
    lines = ["GET /hooks/x HTTP/1.1", *headers, "Upgrade: websocket", "Connection: Upgrade"]
    key = base64.b64encode(os.urandom(16)).decode()
    return "\r\n".join([*lines, "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}"]).encode()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (["Host: 127.0.0.1:{}"], 101),
        (["Host: 127.0.0.1:{}", "Origin: http://127.0.0.1:{}"], 101),
        ([], 400),
        (["Host: 127.0.0.1:{}", "Host: evil"], 400),
        (["Host: 127.0.0.1:{}", "Origin: http://[::1"], 400),
        (["Host: 127.0.0.1:{}", "Origin: http://127.0.0.1:{}", "Origin: http://evil"], 400),
        (["Host: evil.example:{}", "Origin: http://evil.example:{}"], 403),
        (["Host: evil.example:{}"], 403),
    ],
)
async def test_upgrade_and_plain_request_get_the_same_answer(
    headers: list[str], status: int
) -> None:
    async with gateway_rig(auth={"mode": "none"}) as rig:
        named = [each.format(rig.port) for each in headers]
        plain = "\r\n".join(["GET /health HTTP/1.1", *named]).encode()
        for head, expected in (
            (upgrade(*named), status),
            (plain, 200 if status == 101 else status),
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
            writer.write(head + b"\r\n\r\n")
            async with asyncio.timeout(PATIENCE):
                line = await reader.readline()
            assert int(line.split()[1]) == expected, (head, line)
            writer.close()
        assert {each.role for each in rig.parts.hub.clients} <= {"supervisor"}


async def test_the_second_request_of_a_connection_is_looked_at_too() -> None:
    async with gateway_rig() as rig:
        reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
        good = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
        writer.write(good + good.replace(b"localhost", b"evil.example") + good)
        async with asyncio.timeout(PATIENCE):
            answer = await reader.read()
        assert answer.count(b" 200 OK") == 1, answer
        assert answer.count(b" 403 Forbidden") == 1, "the connection ends with the refusal"
        writer.close()


async def test_a_page_of_another_origin_gets_nothing_over_http_either() -> None:
    async with gateway_rig() as rig, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{rig.port}/metrics"
        async with session.get(url, headers={"Origin": "http://evil.example"}) as answer:
            assert answer.status == 403
            assert "gateway.allowedOrigins" in await answer.text()


async def test_what_loopback_sees_without_a_secret_needs_a_name_of_this_host() -> None:
    """On a bind that others reach every Host is served, but a rebound page is no local program."""
    async with gateway_rig(bind="lan") as rig, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{rig.port}/metrics"
        for host, status in (("localhost", 200), ("evil.example", 401)):
            async with session.get(url, headers={"Host": host}) as answer:
                assert answer.status == status, host


async def test_the_cure_reaches_the_client() -> None:
    async with gateway_rig() as rig:
        with pytest.raises(ConnectionFailed, match=r"gateway\.publicUrl"):
            await Client.connect(f"ws://0.0.0.0:{rig.port}", token=TOKEN)  # leads to loopback


async def test_the_public_address_is_let_in() -> None:
    async with gateway_rig(publicUrl="https://chat.example") as rig:
        reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
        named = ("Host: chat.example", "Origin: https://chat.example")
        writer.write(upgrade(*named) + b"\r\n\r\n")
        async with asyncio.timeout(PATIENCE):
            assert b" 101 " in await reader.readline()
        writer.close()


def test_the_refusal_of_a_foreign_name_names_what_helps() -> None:
    rules = HostRules("loopback", port=4711)
    refusal = rules.refusal(RequestHead("/", ("bot.example:4711",), ()))
    assert refusal is not None
    for cure in (
        "ssh -L 4711:127.0.0.1:4711 HOST",
        "http://127.0.0.1:4711/",
        "gateway.publicUrl",
        "gateway.allowedOrigins",
    ):
        assert cure in refusal.text


@pytest.mark.parametrize(
    ("host", "shown"), [("a" * 80, repr("a" * 80)), ("a" * 81, repr("a" * 80 + "…"))]
)
def test_of_a_long_host_only_the_beginning_is_shown(host: str, shown: str) -> None:
    refusal = LOOPBACK.refusal(RequestHead("/", (host,), ()))
    assert refusal is not None
    assert refusal.text.startswith(f"Host {shown} is no address")
