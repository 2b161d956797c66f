"""The person at the socket of ``local``: the rest is ``test_account.py`` and the conformance."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.support.until import until
from workers.testing.fake import FakePlace
from workers.testing.fakes.local import NAME, LocalFake


async def test_a_person_waits_for_the_account_and_comes_back_after_hanging_up(
    short_path: Path,
) -> None:
    typed: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readline() == f"/nick {NAME}\n".encode()
        writer.write(f"you are {NAME}\nhello\n".encode())
        typed.append(await reader.readline())
        writer.close()

    fake = LocalFake()
    await fake.start(FakePlace(short_path, "it", short_path))
    saying = asyncio.create_task(fake.say("early"))
    path = str(short_path / "local-it.sock")
    server = await asyncio.start_unix_server(serve, path)
    async with server:
        await saying
        await until(lambda: typed == [b"early\n"])
        await until(lambda: fake.heard() == ["hello"])
        await fake.close()
        await fake.say("again")
        await until(lambda: typed == [b"early\n", b"again\n"])
        await fake.close()
