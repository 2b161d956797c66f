"""Files of messages are in the store before the messages are emitted, and no address leaves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ipc.frames.bootstrap import MediaBoot
from tests.workers.channels.telegram.running_bot import TOKEN, bot_api, running
from workers.channels.telegram import manifest
from workers.channels.telegram.downloads import TelegramDownloads
from workers.media.store import MediaStore
from workers.messages import Chat, Inbound, Sender
from workers.testing.fakes.telegram import ApiFault, FakeTelegram, fake_telegram

MAX_DOWN = manifest.media.max_down
PNG = b"\x89PNG\r\n\x1a\n" + bytes(1000)


def message(*files: dict[str, Any]) -> Inbound:
    meta = {"media": list(files)} if files else {}
    return Inbound("7/1", Chat("7", "direct"), Sender("7"), "see", 1, meta=meta)


class DownloadRig:
    """The downloads of a bot at a fake server, and how long they have waited between tries."""

    def __init__(self, fake: FakeTelegram, downloads: TelegramDownloads, store: MediaStore) -> None:
        self.fake = fake
        self.downloads = downloads
        self.store = store

    async def download(self, *files: dict[str, Any]) -> Inbound:
        (found,) = await self.downloads.download([message(*files)])
        assert isinstance(found, Inbound)
        return found


@asynccontextmanager
async def rig(tmp_path: Path, quota: int = 1 << 30) -> AsyncIterator[DownloadRig]:
    async def no_pause(seconds: float) -> None:
        pass

    async with fake_telegram() as fake, bot_api(fake.root, TOKEN) as api:
        store = MediaStore(MediaBoot(str(tmp_path / "media"), quota), max_down=MAX_DOWN)
        yield DownloadRig(fake, TelegramDownloads(api, store, no_pause), store)


def meta(file: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"kind": "photo", "fileId": file["file_id"], "sizeBytes": file["file_size"]} | more


async def test_a_photo_arrives_in_the_store(tmp_path: Path) -> None:
    async with running(tmp_path) as bot:
        await bot.say("", caption="see", photo=[bot.fake.file(PNG)])
        (attachment,) = (await bot.ctx.message("see")).attachments
        assert (attachment.mime_type, attachment.size_bytes) == ("image/jpeg", len(PNG))
        async with bot.ctx.media.open(attachment.url) as file:
            assert await file.read() == PNG
        assert "AAfakeToken" not in repr(bot.ctx.emitted) + repr(bot.ctx.logged)


async def test_several_files_keep_their_order_and_names(tmp_path: Path) -> None:
    async with rig(tmp_path) as given:
        first, second = given.fake.file(b"one"), given.fake.file(b"two")
        found = await given.download(meta(first, name="1.txt"), meta(second, name="2.txt"))
        assert [each.name for each in found.attachments] == ["1.txt", "2.txt"]
        assert [each.mime_type for each in found.attachments] == ["text/plain"] * 2


@pytest.mark.parametrize("code", [429, 500, 502])
async def test_a_fault_that_passes_is_tried_again(code: int, tmp_path: Path) -> None:
    async with rig(tmp_path) as given:
        given.fake.bot(TOKEN).faults += [ApiFault("getfile", code), ApiFault("download", code)]
        found = await given.download(meta(given.fake.file(PNG)))
        assert found.attachments[0].url.startswith("media:")
        assert given.fake.bot(TOKEN).calls["getfile"] == 3


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (ApiFault("getfile", 400, "wrong file_id"), "wrong file_id"),
        (ApiFault("getfile", drop="before", times=-1), "could not be downloaded"),
        (ApiFault("download", drop="before", times=-1), "could not be downloaded"),
        (ApiFault("download", 404), "HTTP 404"),
    ],
)
async def test_a_message_comes_without_a_file_that_cannot_be_had(
    fault: ApiFault, text: str, tmp_path: Path
) -> None:
    async with rig(tmp_path) as given:
        given.fake.bot(TOKEN).faults.append(fault)
        (attachment,) = (await given.download(meta(given.fake.file(PNG), name="a"))).attachments
        assert (attachment.url, attachment.name, attachment.size_bytes) == ("", "a", len(PNG))
        assert attachment.missing is not None
        assert text in attachment.missing
        assert "AAfakeToken" not in attachment.missing


async def test_a_file_beyond_telegrams_limit_is_not_requested(tmp_path: Path) -> None:
    async with rig(tmp_path) as given:
        large = meta(given.fake.file(b"x", size=MAX_DOWN + 1))
        (attachment,) = (await given.download(large)).attachments
        assert attachment.missing == f"Telegram gives bots no file of more than {MAX_DOWN} bytes"
        assert given.fake.bot(TOKEN).calls["getfile"] == 0


async def test_a_full_store_costs_the_file_and_not_the_message(tmp_path: Path) -> None:
    async with rig(tmp_path, quota=1000) as given:
        (attachment,) = (await given.download(meta(given.fake.file(PNG)))).attachments
        assert attachment.missing is not None
        assert "at most" in attachment.missing or "quota" in attachment.missing


async def test_a_message_without_files_stays_as_it_is(tmp_path: Path) -> None:
    async with rig(tmp_path) as given:
        assert await given.download() == message()
