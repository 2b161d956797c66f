"""A webhook account in a real worker: what comes in by HTTP, and what goes out."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ipc.frames.bootstrap import MediaBoot
from ipc.frames.control import WorkerReady
from ipc.frames.data import HttpAnswer, HttpCall
from tests.support.worker_rig import WorkerRig, worker_rig
from tests.workers.channels.webhook.peer import OTHER, SECRET, message, signed, with_file

KEY = "webhook:ci"


async def up(rig: WorkerRig, **config: Any) -> None:
    await up_with(rig, config)


async def up_with(rig: WorkerRig, config: dict[str, Any] | None = None, **boot: Any) -> None:
    rig.start(
        "workers.channels.webhook:manifest",
        key=KEY,
        config={"secret": SECRET, "previousSecret": OTHER} | (config or {}),
        ingress_url="https://chat.example/channels/webhook/ci/",
        **boot,
    )
    await rig.supervisor.until(lambda: rig.supervisor.of(WorkerReady))


def call(id: int, body: bytes, headers: dict[str, str], **changes: Any) -> HttpCall:
    fields: dict[str, Any] = {
        "method": "POST",
        "path": "hook",
        "query": "",
        "headers": list(headers.items()),
        "remote": "192.0.2.1",
        "seconds": 30.0,
        "payload": body,
    }
    return HttpCall(id=id, **(fields | changes))


async def post(rig: WorkerRig, body: bytes, **changes: Any) -> HttpAnswer:
    headers = changes.pop("headers", None)
    given = call(1, body, signed(body) if headers is None else {}, **changes)
    if headers is not None:
        given = msgspec.structs.replace(given, headers=headers)
    return await rig.gateway.http(given)


async def test_a_signed_message_is_emitted_and_answered(run_dir: Path) -> None:
    body = message("deployed", chat="ops", sender="ci")
    async with worker_rig(run_dir) as rig:
        await up(rig)
        answer = await post(rig, body)
        assert (answer.status, answer.payload) == (200, b'{"ok":true,"ids":["msg_1"]}')
        assert await rig.gateway.heard(1) == ["deployed"]
        event = json.loads(rig.gateway.accepted[0].payload)["message"]
        assert (event["id"], event["chat"]["id"], event["addressed"]) == ("msg_1", "ops", True)
        address = "https://chat.example/channels/webhook/ci/hook"
        await rig.supervisor.until(lambda: rig.supervisor.status().get("detail") == address)


async def test_a_wrong_secret_shows_until_a_right_one_comes(run_dir: Path) -> None:
    """Its peer alone would know otherwise; and anybody can send a wrong one, again and again."""
    body = message()
    wrong = signed(message("another"))

    def last_error() -> str:
        return rig.supervisor.status().get("lastError") or ""

    async with worker_rig(run_dir) as rig:
        await up(rig)
        assert (await rig.gateway.http(call(1, body, {}))).status == 401  # no peer of ours
        assert last_error() == ""
        for number in range(2, 7):
            assert (await rig.gateway.http(call(number, body, wrong))).status == 401
        told = "4 of the last requests refused: webhook-signature is not that of this message"
        await rig.supervisor.until(lambda: last_error().startswith(told))
        assert (await rig.gateway.http(call(7, body, signed(body)))).status == 200
        await rig.supervisor.until(lambda: last_error() == "")


async def test_it_is_answered_only_when_it_is_safe(run_dir: Path) -> None:
    body = message()
    async with worker_rig(run_dir) as rig:
        await up(rig)
        rig.gateway.acking = False
        await rig.gateway.until(lambda: rig.gateway.welcomed)
        rig.gateway.send(call(1, body, signed(body)))
        await rig.gateway.heard(1)
        assert (await rig.gateway.http(call(2, b"", {}))).status == 401
        assert [each.id for each in rig.gateway.http_answers] == [2]
        rig.gateway.acking = True
        rig.gateway.acknowledge()
        await rig.gateway.until(lambda: len(rig.gateway.http_answers) == 2)
        assert rig.gateway.http_answers[1].status == 200


@pytest.mark.parametrize(
    ("change", "status", "why"),
    [
        ({"method": "GET"}, 405, "messages must be sent by POST"),
        ({"path": "elsewhere"}, 404, "/hook"),
        ({"path": ""}, 404, "/hook"),
        ({"headers": []}, 401, "must each be present exactly once"),
        ({"headers": [*signed(message()).items(), ("webhook-id", "msg_1")]}, 401, "once"),
        ({"payload": message("another")}, 401, "not that of this message"),
        ({"headers": list(signed(message(), at=time.time() - 3600).items())}, 401, "300 s"),
    ],
)
async def test_what_is_no_message_of_the_peer(
    run_dir: Path, change: dict[str, Any], status: int, why: str
) -> None:
    async with worker_rig(run_dir) as rig:
        await up(rig)
        answer = await post(rig, message(), **change)
        assert answer.status == status
        assert why in answer.payload.decode()
        assert rig.gateway.accepted == []


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"{}", "missing required field `text`"),
        (b"not JSON", "not JSON"),
        (message("x", meta={"deep": "y" * 1_048_500}), "bytes"),
    ],
)
async def test_a_signed_body_that_is_wrong_gets_a_sentence(
    run_dir: Path, body: bytes, why: str
) -> None:
    async with worker_rig(run_dir) as rig:
        await up(rig)
        answer = await post(rig, body)
        assert (answer.status, answer.payload.count(b"\n")) == (400, 1)
        assert why in answer.payload.decode()


async def test_the_secret_before_is_taken_too(run_dir: Path) -> None:
    body = message()
    async with worker_rig(run_dir) as rig:
        await up(rig)
        answer = await rig.gateway.http(call(1, body, signed(body, secret=OTHER)))
        assert answer.status == 200


async def test_without_an_address_nothing_goes_out(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        await up(rig)
        error = await rig.gateway.error("send", {"to": "ops", "text": "hi", "key": "k"})
        assert error["details"]["reason"] == "unsupported"


async def test_a_wrong_secret_is_a_mistake_of_the_configuration(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start("workers.channels.webhook:manifest", key=KEY, config={"secret": "hunter22"})
        assert await rig.code() == 78
        ((cause, text),) = rig.said
        assert cause == "misconfigured"
        assert "secret must be whsec_" in text
        assert "hunter22" not in text


@pytest.mark.parametrize("large", [False, True])
async def test_a_file_comes_with_its_message(run_dir: Path, large: bool) -> None:
    content = b"line\r\n" * (400_000 if large else 3)
    body, kind = with_file(content, text="the report")
    media = run_dir / "media"
    media.mkdir()
    name = f".{'a' * 32}.body"
    (media / name).write_bytes(body)
    async with worker_rig(run_dir) as rig:
        await up_with(rig, media=MediaBoot(str(media)))
        headers = [*signed(body).items(), ("content-type", kind)]
        given = call(1, b"", {}, file=name) if large else call(1, body, {})
        answer = await rig.gateway.http(msgspec.structs.replace(given, headers=headers))
        assert (answer.status, answer.payload) == (200, b'{"ok":true,"ids":["msg_1"]}')
        await rig.gateway.heard(1)
        (file,) = json.loads(rig.gateway.accepted[0].payload)["message"]["attachments"]
        assert (file["name"], file["sizeBytes"]) == ("a.txt", len(content))
        assert (media / file["url"].removeprefix("media:")).read_bytes() == content
        # One byte more, and it is not what was signed.
        (media / name).write_bytes(body + b" ")
        given = call(2, b"", {}, file=name) if large else call(2, body + b" ", {})
        answer = await rig.gateway.http(msgspec.structs.replace(given, headers=headers))
        assert answer.status == 401


async def test_files_belong_to_one_message(run_dir: Path) -> None:
    body, kind = with_file(b"x")
    body = body.replace(message(), b'{"messages": [{"text": "a"}, {"text": "b"}]}')
    async with worker_rig(run_dir) as rig:
        await up(rig)
        headers = [*signed(body).items(), ("content-type", kind)]
        answer = await post(rig, body, headers=headers)
        assert (answer.status, answer.payload) == (
            400,
            b"a body with files must have exactly one message\n",
        )
