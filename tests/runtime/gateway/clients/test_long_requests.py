"""A long request is answered by its beginning: only some methods may have one."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import msgspec.inspect
import pytest

from ipc.frames.websocket import MAX_FRAME_BYTES
from ipc.websocket.client import Client
from ipc.websocket.long_messages import LONG_MESSAGE_BYTES
from runtime.gateway.access.scopes import SUPERVISOR
from runtime.gateway.clients import long_requests
from runtime.gateway.clients.method_table import METHODS, TEXT_BYTES, import_all
from runtime.gateway.journal.runs import MAX_FILES_BYTES
from runtime.gateway.methods.config import FILE_BYTES
from runtime.gateway.methods.nodes import PAYLOAD_BYTES
from tests.support.devices import Key, node
from tests.support.gateway_rig import GatewayRig, gateway_rig
from tests.support.handshakes import greeted
from tests.support.rawclient import RawClient
from workers.messages import MAX_TEXT

USUAL = LONG_MESSAGE_BYTES


def request(method: str, size: int, **more: Any) -> str:
    """Return a request of ``size`` bytes."""
    made = json.dumps({"type": "req", "id": "1", "method": method, "params": {"x": "*"}} | more)
    return made.replace("*", "x" * (size - len(made) + 1))


def limit_in(answer: Any) -> str | None:
    """Return why a request was refused for its length; ``None`` if it was read."""
    text = answer.get("error", {}).get("message", "")
    before, _, words = text.partition("invalid request frame: more than ")
    return words if not before and words else None


@pytest.mark.parametrize(
    ("method", "most"),
    [
        ("health", USUAL),
        ("sessions.list", USUAL),
        ("no.such", USUAL),
        ("node.invoke.result", USUAL),  # this client is no node
        ("chat.send", TEXT_BYTES),
        ("events.subscribe", TEXT_BYTES),
        ("config.set", FILE_BYTES),
        ("node.invoke", PAYLOAD_BYTES),
    ],
)
async def test_a_request_is_as_long_as_its_method_allows(method: str, most: int) -> None:
    async with gateway_rig() as rig:
        client = await greeted(rig)
        await client.send(request(method, most))
        assert limit_in(await client.response()) is None
        for size in (most + 1, MAX_FRAME_BYTES):
            await client.send(request(method, size))
            answer = await client.response()
            assert answer["id"] == "1"
            assert answer["error"]["code"] == "INVALID_REQUEST"
            assert limit_in(answer) == f"{most} bytes, the limit of {method}"
        assert (await client.call("health"))["ok"]


async def test_a_long_request_in_fragments_is_bounded_alike() -> None:
    async with gateway_rig() as rig:
        client = await greeted(rig)
        for method, most in (("health", USUAL), ("chat.send", TEXT_BYTES)):
            for size, refused in ((most, False), (most + 1, True), (3 * most, True)):
                text = request(method, size)
                cut = [text[at : at + 200_000] for at in range(0, size, 200_000)]
                await client.socket.send(cut)
                answer = await client.response()
                assert (answer["id"], limit_in(answer) is not None) == ("1", refused)
        assert (await client.call("health"))["ok"]


async def test_a_long_request_names_its_method_before_its_params() -> None:
    async with gateway_rig() as rig:
        client = await greeted(rig)
        params = {"sessionKey": "main", "message": "x" * USUAL, "idempotencyKey": "k"}
        late = {"type": "req", "id": "1", "params": params, "method": "chat.send"}
        await client.send(late)
        answer = await client.response()
        words = f"{USUAL} bytes; the method of a longer request must come before its params"
        assert (answer["id"], limit_in(answer)) == ("1", words)
        del late["id"]
        await client.send(late | {"id": "2"})
        assert (await client.response())["id"] == "invalid"


async def test_a_long_request_has_a_limit_of_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_requests, "MAX_VALUES", 1000)
    async with gateway_rig() as rig:
        client = await greeted(rig)
        for count, refused in ((900, False), (1100, True)):
            params = {"x": [""] * count, "y": "," * USUAL}
            answer = await client.call("chat.send", params)
            text = answer["error"]["message"]
            words = f"more than 1000 values, the limit of a request of more than {USUAL} bytes"
            assert (text == f"invalid request frame: {words}") is refused
        assert (await client.call("health", {"x": [""] * 1100}))["ok"], "it is short"


async def test_what_cannot_be_imported_has_no_long_requests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(name: str) -> None:
        raise ImportError(name)

    async with gateway_rig() as rig:
        client = await greeted(rig)
        monkeypatch.setattr(long_requests, "find", fail)
        await client.send(request("chat.send", USUAL + 1))
        assert limit_in(await client.response()) is not None


async def test_the_supervisor_sends_as_much_as_there_is() -> None:
    async with gateway_rig() as rig:
        assert rig.supervisor is not None
        assert await is_read(rig.supervisor, {"id": 1, "ok": True, "payload": [0] * 1_000_000})
        text = "x" * (MAX_FRAME_BYTES - 1000)
        assert await is_read(rig.supervisor, {"id": 1, "ok": True, "payload": text})


async def is_read(supervisor: Client, params: Any) -> bool:
    try:
        await supervisor.call("supervisor.result", params)
    except Exception as error:  # noqa: BLE001 - the words decide
        return "invalid request frame" not in str(error)
    return True


async def test_a_node_answers_with_as_much_as_its_caller_can_get() -> None:
    async with gateway_rig() as rig:
        client = await node(rig, Key())
        for size, refused in ((PAYLOAD_BYTES, False), (PAYLOAD_BYTES + 1, True)):
            await client.send(request("node.invoke.result", size))
            assert (limit_in(await client.response()) is not None) is refused


async def test_a_refused_request_counts_as_failed() -> None:
    async with gateway_rig() as rig:
        client = await greeted(rig)
        before = await failed(rig, client)
        await client.send(request("health", USUAL + 1))
        await client.response()
        assert await failed(rig, client) == before + 1


async def failed(rig: GatewayRig, client: RawClient) -> int:
    count: int = (await client.call("status"))["payload"]["requests"]["failed"]
    return count


def test_the_longest_text_with_all_its_files_fits_into_a_request() -> None:
    text = "\U0001f600" * MAX_TEXT  # the longest escapes that there are
    params = {"message": text, "attachments": [{"content": "x" * MAX_FILES_BYTES}]}
    assert len(json.dumps({"id": "1", "method": "chat.send", "params": params})) < TEXT_BYTES


SHORT = 1024  # characters of the longest name, which is written without escapes


def longest(kind: Any) -> int:
    """Return the bytes of the longest JSON text of a type, as far as its bounds are known."""
    match kind:
        case msgspec.inspect.StrType(max_length=int() as most):
            return 3 + (most if most <= SHORT else 12 * most)
        case msgspec.inspect.ListType(item_type=item, max_length=int() as most):
            return most * longest(item)
        case msgspec.inspect.DictType(key_type=key, value_type=value, max_length=int() as most):
            return most * (longest(key) + longest(value))
        case msgspec.inspect.UnionType(types=types):
            return max(map(longest, types))
        case msgspec.inspect.StructType(fields=fields):
            return sum(longest(each.type) for each in fields)
        case msgspec.inspect.Metadata(type=inner):
            return longest(inner)
    return 0


def test_what_the_params_of_a_method_may_hold_fits_into_its_requests() -> None:
    found = {}
    for name, method in import_all().items():
        if method.struct is None or method.roles == frozenset({SUPERVISOR}):
            continue
        found[name] = longest(msgspec.inspect.type_info(method.struct))
        assert found[name] < USUAL or method.most_bytes >= TEXT_BYTES, name
    for name in ("wake", "chat.send", "channels.reset", "node.pair.request"):
        assert found[name] > USUAL, "or this test finds nothing"


def test_every_method_that_takes_a_whole_message_may_have_a_long_request() -> None:
    structs = {each.name: each.struct for each in import_all().values() if each.struct is not None}
    for name, struct in structs.items():
        if {"message", "attachments"} & set(struct.__struct_fields__):
            assert METHODS[name].most_bytes == TEXT_BYTES, name
