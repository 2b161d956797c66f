"""Bodies of HTTP requests that are too large for a frame, over real sockets and files."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ipc.frames.bootstrap import ChannelInfo
from ipc.frames.data import MAX_PAYLOAD_BYTES, HttpAnswer, HttpCall
from runtime.gateway.http.ingress_bodies import BodyFile
from tests.support.gateway_rig import GatewayRig, Worker, gateway_rig, row
from tests.support.until import PATIENCE, until

KEY = "irc:libera"
LARGE = bytes(range(256)) * 12_000  # 3 MB


@asynccontextmanager
async def serving(place: Path, **ingress: Any) -> AsyncIterator[tuple[GatewayRig, Worker]]:
    """Run a gateway with one account that takes uploads."""
    async with gateway_rig(row(KEY, ingress=True), state_dir=place) as rig:
        can = {"can": ["http", "uploads"]}
        rig.parts.accounts.set_channels([ChannelInfo("irc", "", "", "", None, ["libera"], [], can)])
        await rig.report(ingress={"maxBytes": 4 << 20} | ingress)
        yield rig, await rig.worker(KEY, ingress=True)


async def post(rig: GatewayRig, data: Any) -> tuple[int, str, Any]:
    url = f"http://127.0.0.1:{rig.port}/channels/irc/libera/hook"
    sent = io.BytesIO(data) if isinstance(data, bytes) else data
    async with aiohttp.ClientSession() as session, session.post(url, data=sent) as answer:
        return answer.status, await answer.text(), answer.headers


async def refused(rig: GatewayRig, data: bytes, *, in_chunks: bool = False) -> bytes:
    """Send a body whatever is answered meanwhile; return all that comes until the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
    length = "Transfer-Encoding: chunked" if in_chunks else f"Content-Length: {len(data)}"
    head = f"POST /channels/irc/libera/hook HTTP/1.1\r\nHost: chat.example\r\n{length}\r\n\r\n"
    writer.write(
        head.encode() + (b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data) if in_chunks else data)
    )
    async with asyncio.timeout(PATIENCE):
        answer = await reader.read()
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    return answer


async def chunks(data: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(data), 100_000):
        yield data[at : at + 100_000]


def kept(place: Path) -> list[Path]:
    return [each for each in (place / "media").rglob("*") if each.is_file()]


@pytest.mark.parametrize("in_chunks", [False, True])
async def test_a_large_body_lies_in_a_file_until_it_is_answered(
    tmp_path: Path, in_chunks: bool
) -> None:
    async with serving(tmp_path) as (rig, worker):
        asking = asyncio.create_task(post(rig, chunks(LARGE) if in_chunks else LARGE))
        call = await worker.next(HttpCall)
        bounds = rig.parts.http_calls.bounds
        assert call.payload == b""
        file = tmp_path / "media" / KEY / call.file
        assert file.read_bytes() == LARGE
        assert file.stat().st_mode & 0o777 == 0o600
        assert (bounds.memory.held, bounds.disk.held) == (0, len(LARGE))
        worker.send(HttpAnswer(call.id, 200, [], b"ok"))
        assert (await asking)[0] == 200
        assert kept(tmp_path) == []
        assert (bounds.in_flight, bounds.disk.held) == (0, 0)


async def test_a_body_that_fits_into_a_frame_is_in_no_file(tmp_path: Path) -> None:
    async with serving(tmp_path) as (rig, worker):
        asking = asyncio.create_task(post(rig, bytes(MAX_PAYLOAD_BYTES)))
        call = await worker.next(HttpCall)
        assert (len(call.payload), call.file) == (MAX_PAYLOAD_BYTES, "")
        worker.send(HttpAnswer(call.id, 200, [], b""))
        assert (await asking)[0] == 200


@pytest.mark.parametrize(
    ("ingress", "size", "status", "why"),
    [
        ({}, (4 << 20) + 1, 413, "at most 4194304 bytes"),
        ({"diskBytes": 1 << 20}, 2 << 20, 503, "lie on the disk"),
        ({"diskBytes": 3 << 20}, 4 << 20, 503, "lie on the disk"),
    ],
)
@pytest.mark.parametrize("in_chunks", [False, True])
async def test_what_is_too_much_is_refused_and_leaves_nothing(
    tmp_path: Path, ingress: dict[str, Any], size: int, status: int, why: str, in_chunks: bool
) -> None:
    async with serving(tmp_path, **ingress) as (rig, _):
        answer = await refused(rig, bytes(size), in_chunks=in_chunks)
        assert answer.startswith(b"HTTP/1.1 %d " % status)
        assert why in answer.decode()
        bounds = rig.parts.http_calls.bounds
        await until(lambda: bounds.in_flight == 0)
        assert (kept(tmp_path), bounds.memory.held, bounds.disk.held) == ([], 0, 0)
        assert bounds.refused["too large" if status == 413 else "disk"] == 1


async def test_only_a_channel_that_takes_uploads_gets_large_bodies(tmp_path: Path) -> None:
    async with serving(tmp_path) as (rig, _):
        channel = ChannelInfo("irc", "", "", "", None, ["libera"], [], {"can": ["http"]})
        rig.parts.accounts.set_channels([channel])
        assert b"a body has at most 1048576 bytes here" in await refused(rig, LARGE)


async def test_a_worker_that_dies_leaves_no_file(tmp_path: Path) -> None:
    async with serving(tmp_path) as (rig, worker):
        asking = asyncio.create_task(post(rig, LARGE))
        await worker.next(HttpCall)
        await rig.report(row(KEY, phase="backoff", ingress=True))
        assert (await asking)[0] == 503
        assert kept(tmp_path) == []


async def test_a_full_disk_is_said(tmp_path: Path) -> None:
    async with serving(tmp_path) as (rig, _):
        (tmp_path / "media").mkdir()
        (tmp_path / "media" / KEY).write_text("no directory")
        answer = await refused(rig, LARGE)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: 60\r\n" in answer
        assert b"cannot be kept: File exists" in answer
        assert rig.parts.http_calls.bounds.refused["disk"] == 1


def test_what_is_written_after_the_removal_goes_nowhere(tmp_path: Path) -> None:
    file = BodyFile(tmp_path / "media")
    file.write(b"one")
    assert (tmp_path / "media" / file.name).read_bytes() == b"one"
    file.remove()
    file.write(b"two")  # of a thread that began before
    assert list((tmp_path / "media").iterdir()) == []
