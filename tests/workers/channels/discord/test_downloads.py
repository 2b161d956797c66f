from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ipc.frames.bootstrap import MediaBoot
from tests.workers.channels.discord.running_bot import running_alone
from workers.channels.discord import manifest
from workers.channels.discord.downloads import AttachedFiles
from workers.media.store import MediaStore
from workers.messages import Attachment, Chat, Inbound, Sender
from workers.testing.fakes.discord import FakeDiscord, fake_discord


def with_file(url: str, size: int | None = None) -> Inbound:
    file = Attachment(url, "text/plain", "a.txt", size)
    chat, sender = Chat("1", "direct"), Sender("7")
    return Inbound("1/2", chat, sender, "see", 0, attachments=[file])


@asynccontextmanager
async def downloads(
    place: Path, *, encrypted: bool = False
) -> AsyncIterator[tuple[AttachedFiles, MediaStore, FakeDiscord]]:
    async def sleep(seconds: float) -> Any:
        await asyncio.sleep(0)

    async with fake_discord() as fake, aiohttp.ClientSession() as http:
        media = MediaStore(MediaBoot(str(place)))
        yield AttachedFiles(http, media, encrypted=encrypted, sleep=sleep), media, fake


async def test_a_file_is_stored_and_named_there(tmp_path: Path) -> None:
    async with downloads(tmp_path) as (files, media, fake):
        url = fake.attach("a.txt", b"12345")["url"]
        (found,) = (await files.download(with_file(url, 5))).attachments
        assert found.url.startswith("media:")
        assert (found.name, found.missing) == ("a.txt", None)
        async with media.open(found.url) as file:
            assert await file.read() == b"12345"


@pytest.mark.parametrize(
    ("path", "size", "words"),
    [
        ("/files/gone.txt", 5, "HTTP 404"),
        ("/files/a.txt", manifest.media.max_down + 1, "more than 25000000 bytes"),
    ],
)
async def test_a_file_that_cannot_be_had_says_why(
    tmp_path: Path, path: str, size: int, words: str
) -> None:
    async with downloads(tmp_path) as (files, _, fake):
        (found,) = (await files.download(with_file(fake.root + path, size))).attachments
        assert found.url == ""
        assert words in (found.missing or "")


async def test_a_server_that_is_down_is_tried_again(tmp_path: Path) -> None:
    async with downloads(tmp_path) as (files, _, fake):
        url = fake.attach("a.txt", b"12345")["url"]
        fake.down = True
        (found,) = (await files.download(with_file(url))).attachments
        assert "could not be downloaded" in (found.missing or "")
        assert fake.root not in (found.missing or "")


@pytest.mark.parametrize("url", ["http://a.example/x", "file:///etc/passwd", "ftp://a/b"])
async def test_another_address_is_not_asked(tmp_path: Path, url: str) -> None:
    async with downloads(tmp_path, encrypted=True) as (files, _, _fake):
        (found,) = (await files.download(with_file(url))).attachments
        assert "not one of Discord's" in (found.missing or "")


async def test_a_message_comes_with_its_file(tmp_path: Path) -> None:
    async with running_alone(tmp_path) as bot:
        await bot.say("see", attachments=[bot.fake.attach("a.txt", b"12345")])
        found = await bot.ctx.message("see")
        (file,) = found.attachments
        assert (file.url.partition(":")[0], file.size_bytes) == ("media", 5)
