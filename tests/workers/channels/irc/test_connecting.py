"""What the failures of a connection mean."""

from __future__ import annotations

import asyncio
import datetime
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from tests.support.addresses import two_addresses
from tests.support.irc_server import HOST
from tests.workers.channels.irc.running_account import config
from workers.channels.irc.connecting import AddressMemory, connect
from workers.errors import Misconfigured, Transient
from workers.testing.ports import free_port


@asynccontextmanager
async def listening(says: bytes = b"", context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Listen, say something to whoever comes, and wait until they go."""

    serving: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.append(task)
        writer.write(says)
        try:
            await reader.read()
        except OSError:
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(serve, HOST, 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        await server.wait_closed()


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(ca: trustme.CA, tmp_path: Path) -> str:
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return str(tmp_path / "ca.pem")


def unknown() -> AddressMemory:
    return AddressMemory(Path("/nonexistent/file"), HOST)


def server_side(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    return context


async def test_a_trusted_certificate_is_accepted(ca: trustme.CA, ca_file: str) -> None:
    async with listening(b"hello", server_side(ca.issue_cert(HOST))) as port:
        reader, writer = await connect(config(tls=True, port=port, tlsCaFile=ca_file), unknown())
        assert await reader.readexactly(5) == b"hello"
        writer.close()
        await writer.wait_closed()


async def test_a_certificate_for_another_name_needs_a_person(ca: trustme.CA, ca_file: str) -> None:
    async with listening(context=server_side(ca.issue_cert("irc.example.org"))) as port:
        with pytest.raises(Misconfigured, match=r"certificate of .* is not valid"):
            await connect(config(tls=True, port=port, tlsCaFile=ca_file), unknown())


async def test_an_expired_certificate_will_be_renewed(ca: trustme.CA, ca_file: str) -> None:
    yesterday = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    async with listening(context=server_side(ca.issue_cert(HOST, not_after=yesterday))) as port:
        with pytest.raises(Transient, match="certificate has expired"):
            await connect(config(tls=True, port=port, tlsCaFile=ca_file), unknown())


async def test_a_port_without_tls_needs_a_person() -> None:
    async with listening(b":s NOTICE * :*** Looking up your hostname\r\n") as port:
        with pytest.raises(Misconfigured, match="does not speak TLS"):
            await connect(config(tls=True, port=port), unknown())


async def test_a_silent_port_is_left_with_a_hint() -> None:
    async with listening() as port:
        with pytest.raises(Transient, match=r"no connection in 0.2 s \(does it speak TLS\?\)"):
            await connect(config(tls=True, port=port, connectSeconds=0.2), unknown())


async def test_a_refused_connection_passes() -> None:
    port = free_port()
    with pytest.raises(Transient, match=f"^Connection refused by {HOST}:{port}$"):
        await connect(config(port=port), unknown())


async def test_an_unreadable_ca_file_needs_a_person(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="tlsCaFile /nonexistent"):
        await connect(config(tls=True, tlsCaFile="/nonexistent"), unknown())
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    with pytest.raises(Misconfigured, match=r"tlsCaFile .*empty.pem"):
        await connect(config(tls=True, tlsCaFile=str(empty)), unknown())


def test_what_worked_is_remembered_and_what_failed_comes_last(tmp_path: Path) -> None:
    path = tmp_path / "address.json"
    memory = AddressMemory(path, "irc.example.org")
    memory.save(worked=False)  # nothing was reached
    assert not path.exists()
    for tried, worked, known in (
        ("::1", False, ("", "::1")),
        ("10.0.0.1", True, ("10.0.0.1", "::1")),
        ("10.0.0.1", False, ("", "10.0.0.1")),
        ("10.0.0.1", True, ("10.0.0.1", "")),
    ):
        memory.tried = tried
        memory.save(worked=worked)
        memory = AddressMemory(path, "irc.example.org")
        assert (memory.worked, memory.failed) == known
    assert AddressMemory(path, "other.example.org").worked == ""


@pytest.mark.parametrize("damage", ["", "[]", "{", '{"host": "h"}', "\0"])
def test_a_damaged_memory_is_none(tmp_path: Path, damage: str) -> None:
    (tmp_path / "address.json").write_text(damage)
    assert AddressMemory(tmp_path / "address.json", "h").worked == ""


def test_a_named_pipe_in_the_place_of_the_memory_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "address.json")
    memory = AddressMemory(tmp_path / "address.json", "h")
    assert memory.worked == ""
    memory.tried = "192.0.2.1"
    memory.save(worked=True)
    assert memory.worked == "192.0.2.1"


async def test_a_silent_address_does_not_use_up_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with listening(b"hello") as port:
        with two_addresses(monkeypatch, port):
            memory = AddressMemory(tmp_path / "address.json", "irc.example.org")
            settings = config(server="irc.example.org", port=port, connectSeconds=5)
            reader, writer = await connect(settings, memory)
            assert await reader.readexactly(5) == b"hello"
            writer.close()
            assert memory.tried == HOST
