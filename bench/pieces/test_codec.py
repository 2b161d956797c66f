"""Frames and envelopes: encode, decode and validate."""

from __future__ import annotations

import msgspec
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from ipc.frames.data import INBOUND, Messages, decode_from_worker, encode
from ipc.frames.websocket import decode_request, response
from ipc.websocket.sending import frame
from runtime.gateway.accounts.fanout import message_frames
from workers.links.events import EventEncoder, body_of
from workers.messages import Chat, Inbound, Sender

CHAT, SENDER = Chat(id="room", kind="group"), Sender(id="someone", name="Someone")
REQUEST = msgspec.json.encode(
    {"type": "req", "id": "17", "method": "send", "params": {"to": "x", "message": "y" * 60}}
)
SIZES = (200, 2048, 65536)


def message(size: int) -> Inbound:
    return Inbound("1", CHAT, SENDER, "x" * size, 1_700_000_000_000)


@pytest.mark.parametrize("size", SIZES)
def test_encode_a_message(benchmark: BenchmarkFixture, size: int) -> None:
    """In the worker: from the plugin's message to the payload, once per message."""
    events = EventEncoder("source:w0", 1)
    payload = benchmark(events.inbound, 1, message(size))
    assert msgspec.json.decode(payload)["message"]["text"] == "x" * size


def test_pack_sixteen_messages(benchmark: BenchmarkFixture) -> None:
    """In the worker: the envelope of a full pack of 200 B messages."""
    payload = EventEncoder("source:w0", 1).inbound(1, body_of(message(200)))
    pack = [Messages(1, bytes([INBOUND] * 16), [payload] * 16)]
    assert decode_from_worker(benchmark(encode, pack)) == pack


def test_unpack_sixteen_messages(benchmark: BenchmarkFixture) -> None:
    """In the gateway: the same pack, validated."""
    payload = EventEncoder("source:w0", 1).inbound(1, body_of(message(200)))
    body = encode([Messages(1, bytes([INBOUND] * 16), [payload] * 16)])
    assert benchmark(decode_from_worker, body)[0].last == 16


@pytest.mark.parametrize("size", SIZES)
def test_frame_an_event(benchmark: BenchmarkFixture, size: int) -> None:
    """In the gateway: from the payloads of a pack to the frames that every client gets."""
    payload = EventEncoder("source:w0", 1).inbound(1, body_of(message(size)))
    framed = frame(b'{"type":"event","event":"channel.message","payload":%b}' % payload)

    def made() -> bytes:
        return b"".join(message_frames([payload] * 16))

    assert benchmark(made) == framed * 16


def test_decode_a_request(benchmark: BenchmarkFixture) -> None:
    """In the gateway: validate one request; its params stay text."""
    assert benchmark(decode_request, REQUEST).method == "send"


def test_encode_an_answer(benchmark: BenchmarkFixture) -> None:
    """In the gateway: one small answer."""
    assert b'"ok":true' in benchmark(response, "17", {"ok": True})
