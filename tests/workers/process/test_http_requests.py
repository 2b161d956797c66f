"""HTTP requests to a plugin: each answered once, whatever the plugin does."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from ipc.frames.bootstrap import MediaBoot
from ipc.frames.data import MAX_PAYLOAD_BYTES, HttpAnswer, HttpCall
from tests.support.worker_rig import WorkerRig, worker_rig
from workers.errors import NeedsLogin, SendFailed
from workers.messages import HttpRequest, HttpResponse
from workers.process.http_requests import MAX_RUNNING

SERVING = "tests.support.controllable_channel:serving"


def call(id: int = 1, seconds: float = 30.0, **changes: Any) -> HttpCall:
    fields: dict[str, Any] = {
        "method": "POST",
        "path": "hook",
        "query": "a=1",
        "headers": [("x-id", "7")],
        "remote": "192.0.2.1",
        "payload": b"\x00\xff body",
    }
    return HttpCall(id=id, seconds=seconds, **(fields | changes))


async def asked(rig: WorkerRig, on_http: Any, **changes: Any) -> HttpAnswer:
    rig.start(SERVING)
    plugin = await rig.up()
    plugin.on_http = on_http
    return await rig.gateway.http(call(**changes))


async def test_a_request_arrives_as_it_was_and_its_answer_too(run_dir: Path) -> None:
    seen: list[HttpRequest] = []

    async def answer(request: HttpRequest) -> HttpResponse:
        seen.append(request)
        return HttpResponse(201, b"\xff\x00", [("X-A", "1"), ("X-A", "2")])

    async with worker_rig(run_dir) as rig:
        got = await asked(rig, answer)
    assert got == HttpAnswer(1, 201, [("X-A", "1"), ("X-A", "2")], b"\xff\x00")
    assert seen == [
        HttpRequest("POST", "hook", "a=1", [("x-id", "7")], "192.0.2.1", b"\x00\xff body")
    ]


@pytest.mark.parametrize(
    ("name", "file"), [(f".{'0' * 32}.body", True), ("", False), ("../secret", False)]
)
async def test_a_large_body_lies_in_the_media_directory(
    run_dir: Path, name: str, file: bool
) -> None:
    seen: list[HttpRequest] = []

    async def answer(request: HttpRequest) -> HttpResponse:
        seen.append(request)
        return HttpResponse()

    async with worker_rig(run_dir) as rig:
        rig.start(SERVING, media=MediaBoot(str(run_dir)))
        (await rig.up()).on_http = answer
        await rig.gateway.http(call(file=name))
    assert seen[0].body_file == (run_dir / name if file else None)


async def wrong_type(request: HttpRequest) -> Any:
    return "ok"


async def wrong_status(request: HttpRequest) -> HttpResponse:
    return HttpResponse(101)


async def too_large(request: HttpRequest) -> HttpResponse:
    return HttpResponse(200, bytes(MAX_PAYLOAD_BYTES + 1))


async def too_many_headers(request: HttpRequest) -> HttpResponse:
    return HttpResponse(200, b"", [("a", "b")] * 129)


async def wrong_headers(request: HttpRequest) -> HttpResponse:
    return HttpResponse(200, b"", [("a", 1)])  # type: ignore[list-item]


async def body_of_text(request: HttpRequest) -> HttpResponse:
    return HttpResponse(200, "text")  # type: ignore[arg-type]


async def body_of_a_number(request: HttpRequest) -> HttpResponse:
    return HttpResponse(200, 7)  # type: ignore[arg-type]


async def status_of_text(request: HttpRequest) -> HttpResponse:
    return HttpResponse("200")  # type: ignore[arg-type]


async def status_with_a_part(request: HttpRequest) -> HttpResponse:
    return HttpResponse(200.5)  # type: ignore[arg-type]


async def header_of_bytes(request: HttpRequest) -> HttpResponse:
    return HttpResponse(200, b"", [("a", b"1")])  # type: ignore[list-item]


async def header_with_a_surrogate(request: HttpRequest) -> HttpResponse:
    return HttpResponse(200, b"", [("a", "\ud800")])


async def headers_that_are_long_in_bytes(request: HttpRequest) -> HttpResponse:
    return HttpResponse(200, b"", [("a", "\U0001f600" * 10_000)])


async def broken(request: HttpRequest) -> HttpResponse:
    raise ZeroDivisionError("a secret detail")


async def unreachable(request: HttpRequest) -> HttpResponse:
    raise ConnectionResetError("the database is away")


async def refused(request: HttpRequest) -> HttpResponse:
    raise SendFailed("not now", reason="unavailable")


@pytest.mark.parametrize(
    ("on_http", "status"),
    [
        (wrong_type, 500),
        (wrong_status, 500),
        (too_large, 500),
        (too_many_headers, 500),
        (wrong_headers, 500),
        (body_of_text, 500),
        (body_of_a_number, 500),
        (status_of_text, 500),
        (status_with_a_part, 500),
        (header_of_bytes, 500),
        (header_with_a_surrogate, 500),
        (headers_that_are_long_in_bytes, 500),
        (broken, 500),
        (unreachable, 503),
        (refused, 503),
    ],
)
async def test_a_fault_of_the_plugin_costs_its_request_only(
    run_dir: Path, on_http: Any, status: int
) -> None:
    async with worker_rig(run_dir) as rig:
        got = await asked(rig, on_http)
        assert got.status == status
        assert b"secret" not in got.payload
        assert ("Retry-After" in dict(got.headers)) == (status == 503)
        assert rig.task is not None
        assert not rig.task.done()


async def test_an_error_that_ends_the_account_is_answered_first(run_dir: Path) -> None:
    async def revoked(request: HttpRequest) -> HttpResponse:
        raise NeedsLogin("the secret is no more")

    async with worker_rig(run_dir) as rig:
        assert (await asked(rig, revoked)).status == 503
        assert await rig.code() == 77


async def test_a_plugin_that_is_too_slow_is_answered_for_once(run_dir: Path) -> None:
    cancelled = asyncio.Event()

    async def stubborn(request: HttpRequest) -> HttpResponse:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
        return HttpResponse.text(200, "after all")

    async with worker_rig(run_dir) as rig:
        got = await asked(rig, stubborn, seconds=0.05)
        assert (got.status, got.payload) == (504, b"no answer within 0.05 s\n")
        await cancelled.wait()
        assert (await rig.gateway.http(call(2, seconds=0.05))).status == 504
        assert [each.id for each in rig.gateway.http_answers] == [1, 2]


async def test_too_many_at_once_are_refused(run_dir: Path) -> None:
    async def wait(request: HttpRequest) -> HttpResponse:
        await asyncio.Event().wait()
        raise AssertionError

    async with worker_rig(run_dir) as rig:
        rig.start(SERVING)
        plugin = await rig.up()
        plugin.on_http = wait
        await rig.gateway.until(lambda: rig.gateway.welcomed)
        for number in range(1, MAX_RUNNING + 1):
            rig.gateway.send(call(number))
        got = await rig.gateway.http(call(MAX_RUNNING + 1))
        assert (got.status, dict(got.headers)["Retry-After"]) == (503, "5")
        assert await rig.stop() == 0
        answers = rig.gateway.http_answers
        await rig.gateway.until(lambda: len(answers) == MAX_RUNNING + 1)
        assert {each.status for each in answers} == {503}


async def test_a_channel_without_http_answers_that(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        await rig.up()
        assert (await rig.gateway.http(call())).status == 503


async def test_a_request_before_the_account_runs_is_answered_before_it_too(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.gateway.running = False
        rig.start(SERVING)
        plugin = await rig.up()
        await plugin.say("early")
        rig.gateway.send_early(call(1))
        first = await rig.gateway.until(lambda: rig.gateway.http_answers)
        assert (first[0].id, first[0].status, rig.gateway.raw) == (1, 200, [])
        held = asyncio.get_running_loop().create_future()

        async def wait(request: HttpRequest) -> HttpResponse:
            await held
            return HttpResponse(204)

        plugin.on_http = wait
        rig.gateway.send_early(call(2))
        rig.gateway.welcome_all()  # the login is complete, and its request not answered yet
        assert await rig.gateway.heard(1) == ["early"]
        held.set_result(None)
        await rig.gateway.until(lambda: len(rig.gateway.http_answers) == 2)
        assert rig.gateway.http_answers[1] == HttpAnswer(2, 204, [], b"")


async def test_an_early_request_of_a_gateway_that_is_gone_is_not_answered_to_the_next(
    run_dir: Path,
) -> None:
    async with worker_rig(run_dir) as rig:
        rig.gateway.running = False
        rig.start(SERVING)
        plugin = await rig.up()
        began, held = asyncio.Event(), asyncio.Event()

        async def wait(request: HttpRequest) -> HttpResponse:
            began.set()
            await held.wait()
            return HttpResponse(204)

        plugin.on_http = wait
        rig.gateway.send_early(call(1))
        await began.wait()
        gateway = rig.restart_gateway()
        gateway.running = False
        await gateway.until(lambda: gateway.hellos)
        gateway.send_early(call(2))
        held.set()
        await gateway.until(lambda: gateway.http_answers)
        assert [each.id for each in gateway.http_answers] == [2]
