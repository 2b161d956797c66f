"""HTTP requests to accounts, over real sockets on both sides of the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ipc.frames.data import HttpAnswer, HttpCall, Welcome
from tests.support.gateway_rig import GatewayRig, Worker, gateway_rig, row
from tests.support.until import PATIENCE, until

KEY = "irc:libera"
PATH = "/channels/irc/libera/hook"


def head(path: str = PATH, method: str = "POST", *lines: str) -> bytes:
    first = [f"{method} {path} HTTP/1.1", "Host: chat.example", "Connection: close"]
    return "\r\n".join([*first, *lines, "", ""]).encode()


@asynccontextmanager
async def serving(
    ingress: dict[str, Any] | None = None, **config: Any
) -> AsyncIterator[tuple[GatewayRig, Worker]]:
    """Run a gateway with one account that takes HTTP requests."""
    async with gateway_rig(row(KEY, ingress=True), **config) as rig:
        if ingress is not None:
            await rig.report(ingress=ingress)
        worker = await rig.worker(KEY, ingress=True)
        yield rig, worker


async def answering(worker: Worker, status: int = 200, body: bytes = b"ok", **more: Any) -> None:
    """Answer every request in the same way, for ever."""
    while True:
        call = await worker.next(HttpCall)
        more.get("seen", []).append(call.path)
        worker.send(HttpAnswer(call.id, status, more.get("headers", []), body))


@asynccontextmanager
async def answered(worker: Worker, **how: Any) -> AsyncIterator[None]:
    task = asyncio.create_task(answering(worker, **how))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def request(
    rig: GatewayRig, method: str = "POST", path: str = PATH, **more: Any
) -> tuple[int, bytes, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"http://127.0.0.1:{rig.port}{path}", **more) as answer,
    ):
        return answer.status, await answer.read(), answer.headers


async def raw(rig: GatewayRig, *pieces: bytes) -> bytes:
    """Write raw bytes; return all that comes back until the gateway closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
    async with asyncio.timeout(PATIENCE):
        got = await reader.read()
    writer.close()
    await writer.wait_closed()
    return got


async def test_a_request_reaches_the_plugin_as_it_was_sent() -> None:
    async with serving() as (rig, worker):
        asking = asyncio.create_task(
            request(
                rig,
                "PUT",
                "/channels/irc/libera/a%20b?x=1%202&y",
                data=b"\x00\xff",
                headers=[("X-Twice", "a"), ("X-Twice", "b"), ("Authorization", "Bearer theirs")],
            )
        )
        call = await worker.next(HttpCall)
        assert (call.method, call.path, call.query) == ("PUT", "a b", "x=1%202&y")
        assert (call.payload, call.remote, call.seconds) == (b"\x00\xff", "127.0.0.1", 10.0)
        headers = call.headers
        assert [value for name, value in headers if name == "x-twice"] == ["a", "b"]
        assert ("authorization", "Bearer theirs") in headers
        assert not {"connection", "transfer-encoding"} & {name for name, _ in headers}
        given = [("X-A", "1"), ("X-A", "2"), ("Set-Cookie", "a=b"), ("Content-Type", "text/html")]
        worker.send(HttpAnswer(call.id, 201, given, b"<script>"))
        status, body, found = await asking
        assert (status, body, found.getall("X-A")) == (201, b"<script>", ["1", "2"])
        assert found["Content-Security-Policy"] == "sandbox"
        assert found["X-Content-Type-Options"] == "nosniff"
        assert found["Cache-Control"] == "no-store"
        assert "Set-Cookie" not in found


async def test_a_message_that_cannot_be_stored_is_refused_before_its_plugin_waits_for_that(
    tmp_path: Path,
) -> None:
    fields: dict[str, Any] = {"ingress": True, "journal": "on"}
    async with gateway_rig(row(KEY, **fields), state_dir=tmp_path) as rig:
        worker = await rig.worker(KEY, **fields)
        journal = rig.parts.intake.journal
        assert journal is not None
        async with answered(worker):
            journal.fault = f"{tmp_path} cannot be opened"
            status, body, headers = await request(rig, data=b"x")
            assert (status, body, headers["Retry-After"]) == (
                503,
                b"nothing can be stored now\n",
                "5",
            )
            assert (await request(rig, "GET"))[0] == 200
            journal.fault = None
            assert (await request(rig, data=b"x"))[0] == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
async def test_the_usual_methods_go_through(method: str) -> None:
    async with serving() as (rig, worker), answered(worker):
        status, body, headers = await request(rig, method)
        assert (status, body) == (200, b"" if method == "HEAD" else b"ok")
        assert headers["Content-Length"] == "2"


async def test_a_body_without_content_of_an_answer_without_one() -> None:
    async with serving() as (rig, worker), answered(worker, status=204, body=b"left out"):
        status, body, headers = await request(rig, data=b"x")
        assert (status, body) == (204, b"")
        assert "Content-Length" not in headers


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("POST", "/channels/irc/nobody/hook", 404, "no account takes HTTP requests here"),
        ("POST", "/channels/irc/oftc/hook", 404, "no account takes HTTP requests here"),
        ("POST", "/channels/irc/%6cibera/hook", 404, "no account takes HTTP requests here"),
        ("POST", "/channels/irc", 404, "/channels/CHANNEL/ACCOUNT/"),
        ("PATCH", PATH, 405, "allowed: GET, HEAD, POST, PUT, DELETE, OPTIONS"),
        ("TRACE", PATH, 405, "allowed: "),
        ("GET", f"{PATH}/../../../metrics", 400, "segment"),
        ("GET", f"{PATH}/%2e%2e/x", 400, "segment"),
        ("GET", f"{PATH}/x%2fy", 400, "escaped slash"),
    ],
)
async def test_what_is_no_request_to_an_account(
    method: str, path: str, status: int, text: str
) -> None:
    async with serving() as (rig, _):
        await rig.report(row("irc:oftc"))  # it runs, and takes none
        answer = await raw(rig, head(path, method, "Content-Length: 0"))
        assert answer.startswith(f"HTTP/1.1 {status} ".encode())
        assert text.encode() in answer
        assert b"Content-Security-Policy: sandbox" in answer


async def test_a_gateway_that_does_not_know_its_accounts_yet_has_the_platform_come_again() -> None:
    async with gateway_rig(supervisor=False) as rig:
        status, body, headers = await request(rig)
        assert (status, body, headers["Retry-After"]) == (503, b"the gateway is starting\n", "1")
        await rig.connect_supervisor(row(KEY))
        assert (await request(rig))[0] == 404


@pytest.mark.parametrize(
    ("lines", "body", "status"),
    [
        (["Content-Length: 3", "Transfer-Encoding: chunked"], b"0\r\n\r\n", 400),
        (["Content-Length: 3", "Content-Length: 4"], b"abcd", 400),
        (["Content-Length: +3"], b"abc", 400),
        (["Content-Length: -1"], b"", 400),
        (["Transfer-Encoding: gzip"], b"abc", 400),
        (["Transfer-Encoding: chunked"], b"zz\r\nabc\r\n0\r\n\r\n", 400),
        (["X-Long: " + "x" * 9000], b"", 400),
        (["X-Long: " + "x" * 20_000], b"", 400),
        ([f"X-{n}: 1" for n in range(200)], b"", 400),
        ([f"X-{n}: 1" for n in range(120)], b"", 200),
        (["Expect: a-miracle", "Content-Length: 3"], b"abc", 417),
        (["Transfer-Encoding: chunked"], b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", 200),
        (["Content-Encoding: gzip", "Content-Length: 3"], b"abc", 200),
    ],
)
async def test_what_is_no_clean_http_is_refused(lines: list[str], body: bytes, status: int) -> None:
    """What follows such a head on its connection is no request of anybody."""
    smuggled = head("/channels/irc/libera/smuggled")
    seen: list[str] = []
    async with serving() as (rig, worker), answered(worker, seen=seen):
        behind = smuggled if status == 400 else b""
        answer = await raw(rig, head(PATH, "POST", *lines) + body + behind)
        assert answer.split(b" ")[1] == str(status).encode(), answer
        assert answer.count(b"\r\nServer: ") == 1
        assert seen == ([] if status != 200 else ["hook"])


async def test_a_request_may_be_written_to_the_whole_address() -> None:
    async with serving() as (rig, worker), answered(worker):
        answer = await raw(rig, head(f"http://127.0.0.1:{rig.port}{PATH}?a", "GET"))
        assert answer.startswith(b"HTTP/1.1 403 "), answer[:200]  # a proxy's way: Host decides


async def test_whoever_waits_for_leave_to_send_gets_it_after_the_admission() -> None:
    async with serving() as (rig, worker), answered(worker):
        reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
        writer.write(head(PATH, "POST", "Content-Length: 3", "Expect: 100-continue"))
        async with asyncio.timeout(PATIENCE):
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(b"abc")
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK\r\n")
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize(
    "lines", [["Content-Length: 11"], ["Content-Length: 99999999999"]], ids=["by one", "by far"]
)
async def test_a_body_that_is_too_large_is_not_even_asked_for(lines: list[str]) -> None:
    async with serving({"maxBytes": 10}) as (rig, _):
        answer = await raw(rig, head(PATH, "POST", *lines, "Expect: 100-continue"))
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"at most 10 bytes" in answer
        assert b"Connection: close" in answer


async def test_a_chunked_body_is_refused_where_it_becomes_too_large() -> None:
    async with serving({"maxBytes": 10}) as (rig, worker), answered(worker):
        chunks = b"a\r\n0123456789\r\n"
        start = head(PATH, "POST", "Transfer-Encoding: chunked")
        assert (await raw(rig, start, chunks, b"0\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        answer = await raw(rig, start, chunks, b"1\r\nx\r\n")
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert rig.parts.http_calls.bounds.memory.held == 0


@pytest.mark.parametrize(
    ("line", "body", "payload"),
    [
        ("Content-Length: 3", b"abc", b"abc"),
        ("Transfer-Encoding: chunked", b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", b"abc"),
        ("Transfer-Encoding: chunked", b"b\r\n01234567890\r\n0\r\n\r\n", None),
    ],
    ids=["with a length", "in chunks", "too large"],
)
async def test_a_body_that_comes_with_its_head(
    line: str, body: bytes, payload: bytes | None
) -> None:
    async with serving({"maxBytes": 10}) as (rig, worker):
        asking = asyncio.create_task(raw(rig, head(PATH, "POST", line) + body))
        if payload is not None:
            call = await worker.next(HttpCall)
            assert call.payload == payload
            assert rig.parts.http_calls.bounds.memory.held == len(payload)
            worker.send(HttpAnswer(call.id, 200, [], b""))
        answer = await asking
        assert answer.startswith(b"HTTP/1.1 413 " if payload is None else b"HTTP/1.1 200 ")
        bounds = rig.parts.http_calls.bounds
        assert (bounds.memory.held, bounds.in_flight) == (0, 0)


async def test_the_largest_body_goes_through_in_both_directions() -> None:
    largest = bytes(range(256)) * 4096
    async with serving() as (rig, worker), answered(worker, body=largest):
        assert (await request(rig, data=largest))[:2] == (200, largest)


async def test_a_body_that_stays_away_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.gateway.http.ingress_bodies.BODY_SECONDS", 0.1)
    async with serving() as (rig, _):
        answer = await raw(rig, head(PATH, "POST", "Content-Length: 5"), b"ab")
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert rig.parts.http_calls.bounds.in_flight == 0


async def test_bodies_that_stay_away_do_not_keep_the_next_request_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("runtime.gateway.accounts.http_bounds.BODY_GRACE", 0.0)
    async with serving({"inFlight": 2}) as (rig, worker), answered(worker):
        bounds = rig.parts.http_calls.bounds
        slow = head(PATH, "POST", "Content-Length: 5")
        hanging = [asyncio.create_task(raw(rig, slow, b"ab")) for _ in range(2)]
        await until(lambda: bounds.memory.held == 4)
        asking = asyncio.create_task(request(rig, data=b"whole"))
        assert (await asking)[:2] == (200, b"ok")
        assert bounds.memory.held == 2  # one of them has given way
        places = [bounds.admit(KEY, 0, 1e9) for _ in range(2)]
        for answer in await asyncio.gather(*hanging):
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"too slowly" in answer
        assert (bounds.in_flight, bounds.memory.held) == (2, 0)
        for place in places:
            place.release()


async def test_a_client_that_goes_away_with_half_a_body_leaves_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving() as (rig, _):
        bounds = rig.parts.http_calls.bounds
        _, writer = await asyncio.open_connection("127.0.0.1", rig.port)
        writer.write(head(PATH, "POST", "Content-Length: 5") + b"ab")
        await until(lambda: bounds.memory.held == 2)
        writer.transport.abort()
        await until(lambda: bounds.in_flight == 0)
        await request(rig, "GET", "/health")
        assert bounds.memory.held == 0
    assert caplog.text == ""


@pytest.mark.parametrize("part", ["script", "serviceworker", "style", "embed"])
async def test_nothing_of_an_account_runs_in_a_page_of_the_gateway(part: str) -> None:
    async with serving() as (rig, worker), answered(worker):
        status, body, _ = await request(rig, "GET", headers={"Sec-Fetch-Dest": part})
        assert (status, body) == (403, b"nothing here is part of a page\n")
        assert (await request(rig, "GET", headers={"Sec-Fetch-Dest": "document"}))[0] == 200


async def test_places_and_rate_are_refused_before_the_body_is_read() -> None:
    async with serving({"inFlight": 1}) as (rig, worker):
        first = asyncio.create_task(request(rig, data=b"x"))
        call = await worker.next(HttpCall)
        answer = await raw(rig, head(PATH, "POST", "Content-Length: 5000"))
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: 1\r\n" in answer
        assert b"1 requests to this account are being answered" in answer
        worker.send(HttpAnswer(call.id, 200, [], b""))
        assert (await first)[0] == 200
        await rig.report(ingress={"perSecond": 1})
        async with answered(worker):
            assert (await request(rig))[0] == 200
            status, body, headers = await request(rig)
        assert (status, headers["Retry-After"]) == (503, "1")
        assert b"1 requests a second" in body
        assert rig.parts.http_calls.bounds.refused["in flight"] == 1
        assert rig.parts.http_calls.bounds.refused["rate"] == 1


@pytest.mark.parametrize(
    ("phase", "cause"),
    [
        ("stopped", None),
        ("starting", None),
        ("backoff", None),
        ("failed", "needs_login"),
        ("stopping", None),
    ],
)
async def test_an_account_that_does_not_run_is_to_be_asked_again(
    phase: str, cause: str | None
) -> None:
    async with gateway_rig(row(KEY, phase=phase, cause=cause, ingress=True)) as rig:
        status, body, headers = await request(rig, data=b"x")
        assert (status, headers["Retry-After"]) == (503, "5")
        assert body == b"the account does not run now\n"


async def test_an_account_that_a_person_logs_in_takes_requests_before_it_runs() -> None:
    linking = row(KEY, phase="starting", cause="linking", ingress=True)
    async with gateway_rig(linking) as rig:
        asking = asyncio.create_task(request(rig, "GET", f"{PATH}?code=1"))  # before it is met
        worker = await rig.worker(KEY, ready=False)
        welcome = await worker.next(Welcome)
        assert (welcome.early, welcome.gateway) == (True, rig.parts.boot_id)
        call = await worker.next(HttpCall)
        worker.say(1)  # which may not be taken of it yet
        worker.send(HttpAnswer(call.id, 200, [], b"back to the app"))
        assert (await asking)[:2] == (200, b"back to the app")
        assert rig.parts.data_link.dropped["early"] == 1
        # The request that has completed the login is answered after the account runs.
        asking = asyncio.create_task(request(rig, "GET", PATH))
        call = await worker.next(HttpCall)
        worker.hello()
        await rig.report(row(KEY, ingress=True))
        assert not (await worker.next(Welcome)).early
        worker.send(HttpAnswer(call.id, 200, [], b"logged in"))
        assert (await asking)[1] == b"logged in"
        async with answered(worker):
            assert (await request(rig))[0] == 200
        assert worker.frames.empty()


async def test_one_whose_plugin_waits_for_its_position_gets_no_request() -> None:
    """What stands before a request would pass for the position."""
    async with gateway_rig(row(KEY, phase="starting", cause="linking", ingress=True)) as rig:
        rig.parts.peers.ensure(f"{KEY}#1".encode(), KEY, 1).waits = True
        asking = asyncio.create_task(request(rig))
        await until(lambda: rig.parts.http_calls.bounds.in_flight == 1)
        await rig.report(row(KEY, phase="backoff", incarnation=2, ingress=True))
        assert (await asking)[0] == 503


async def test_an_account_that_runs_is_waited_for_by_a_new_gateway() -> None:
    async with gateway_rig(row(KEY, ingress=True)) as rig:
        asking = asyncio.create_task(request(rig))
        worker = await rig.worker(KEY, ingress=True)
        async with answered(worker):
            assert (await asking)[0] == 200


async def test_a_worker_that_dies_meanwhile_is_to_be_asked_again() -> None:
    async with serving() as (rig, worker):
        asking = asyncio.create_task(request(rig))
        await worker.next(HttpCall)
        await rig.report(row(KEY, phase="backoff", ingress=True))
        status, _, headers = await asking
        assert (status, headers["Retry-After"]) == (503, "1")
        assert rig.parts.http_calls.bounds.in_flight == 0


async def test_a_hanging_account_keeps_its_places_and_no_other_notices() -> None:
    config = {"withinSeconds": 0.1, "inFlight": 2}
    async with serving(config) as (rig, hanging):
        calm = await rig.worker("irc:oftc", ingress=True)
        async with answered(calm):
            gone = await asyncio.gather(*(request(rig, data=b"x" * 1000) for _ in range(2)))
            assert [status for status, _, _ in gone] == [504, 504]
            assert b"within 0.1 s" in gone[0][1]
            assert (await request(rig))[0] == 503
            assert rig.parts.http_calls.bounds.memory.held == 2000
            assert (await request(rig, path="/channels/irc/oftc/x"))[0] == 200
            calls = [await hanging.next(HttpCall) for _ in range(2)]
            for call in calls:  # late: now there is room again
                hanging.send(HttpAnswer(call.id, 200, [], b""))
            bounds = rig.parts.http_calls.bounds
            await until(lambda: bounds.in_flight == 0)
            async with answered(hanging):
                assert (await request(rig))[0] == 200
        assert rig.parts.http_calls.bounds.memory.held == 0
        assert rig.parts.data_link.dropped["late answer"] == 2
        assert rig.parts.http_calls.bounds.refused["timeout"] == 2


async def test_what_a_worker_may_not_answer_is_not_passed_on() -> None:
    async with serving() as (rig, worker), answered(worker, headers=[("a b", "c")]):
        status, body, _ = await request(rig)
        assert status == 502
        assert b"'a b' is malformed" in body


async def test_figures_of_it_are_exported() -> None:
    async with serving() as (rig, worker), answered(worker):
        await request(rig, data=b"x")
        _, text, _ = await request(rig, "GET", "/metrics")
        assert b"trunkline_ingress_requests_total 1.0" in text
        assert b'trunkline_ingress_refused_total{reason="memory"} 0.0' in text
        assert b"trunkline_ingress_in_flight 0.0" in text
