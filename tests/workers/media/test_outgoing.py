"""A plugin gets files of the store alone, and only such as its platform takes."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ipc.frames.bootstrap import MediaBoot
from workers.errors import MediaFailed, SendFailed
from workers.media.outgoing import OutgoingFiles
from workers.media.store import MediaStore
from workers.messages import Attachment, Outbound
from workers.plugin import Media

PNG = b"\x89PNG\r\n\x1a\n" + bytes(50)
ALL = Media(send=frozenset({"image", "file"}), max_up=100)


def parts(tmp_path: Path, media: Media = ALL) -> tuple[MediaStore, OutgoingFiles]:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a.png").write_bytes(PNG)
    store = MediaStore(MediaBoot(str(tmp_path / "media"), allow=[str(tmp_path / "out")]))
    return store, OutgoingFiles("some", media, lambda: store)


def message(*files: Attachment) -> Outbound:
    return Outbound("room", "look", "k", attachments=list(files))


@pytest.mark.parametrize(
    "given",
    [
        Attachment("file://{place}/out/a.png"),
        Attachment("data:image/png;base64,iVBORw0KGgo=", name="a.png"),
        Attachment("data:,hello", mime_type="image/png", name="a.png"),
    ],
)
async def test_whatever_was_given_the_plugin_gets_a_file_of_the_store(
    given: Attachment, tmp_path: Path
) -> None:
    store, files = parts(tmp_path)
    url = given.url.format(place=tmp_path)
    async with files.ready(message(Attachment(url, given.mime_type, given.name))) as ready:
        (found,) = ready.attachments
        assert found.url.startswith("media:")
        assert (found.name, found.mime_type) == ("a.png", "image/png")
        async with store.open(found.url) as file:
            assert file.size == found.size_bytes


async def test_what_could_not_be_sent_leaves_no_copy(tmp_path: Path) -> None:
    store, files = parts(tmp_path)
    kept = await store.save(PNG)

    async def send() -> None:
        async with files.ready(message(kept, Attachment(f"file://{tmp_path}/out/a.png"))) as ready:
            assert len(ready.attachments) == 2
            raise SendFailed("not sent")

    with pytest.raises(SendFailed, match="not sent"):
        await send()
    assert [each.id for each in store.directory.files()] == [kept.url[6:]]


async def test_a_file_that_is_sent_is_not_removed_for_newer_ones(tmp_path: Path) -> None:
    store, files = parts(tmp_path)
    kept = await store.save(PNG)
    path = store.directory.place / kept.url.removeprefix("media:")
    os.utime(path, (time.time() - 7200, time.time() - 7200))
    async with files.ready(message(kept)):
        pass
    store.directory.quota = 4096
    with pytest.raises(MediaFailed, match="none is old enough"):
        await store.save(PNG)
    assert path.stat().st_mtime > time.time() + 80_000


@pytest.mark.parametrize(
    ("media", "data", "reason", "text"),
    [
        (ALL, bytes(101), "too_long", "at most 100|takes 100 at most"),
        (Media(send=frozenset({"image"})), b"text", "unsupported", "takes image, not text/plain"),
    ],
)
async def test_what_the_platform_does_not_take_never_reaches_the_plugin(
    media: Media, data: bytes, reason: str, text: str, tmp_path: Path
) -> None:
    store, files = parts(tmp_path, media)
    (tmp_path / "out/x.txt").write_bytes(data)
    kept = await store.save(data, name="x.txt")
    for url in (kept.url, f"file://{tmp_path}/out/x.txt"):
        with pytest.raises(SendFailed, match=text) as seen:
            async with files.ready(message(Attachment(url))):
                raise AssertionError("the plugin was called")
        assert seen.value.reason == reason
    assert len(list(store.directory.files())) == 1


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("file:///etc/passwd", "forbidden"),
        ("file://{place}/out/../media", "forbidden"),
        ("http://127.0.0.1:1/", "forbidden"),
        ("media:" + "0" * 32, "not_found"),
        ("ftp://example.com/a", "invalid"),
        ("/etc/passwd", "invalid"),
        ("data:image/png;base64,%%%", "invalid"),
        ("data:", "invalid"),
    ],
)
async def test_what_may_not_be_read_is_refused(url: str, reason: str, tmp_path: Path) -> None:
    _, files = parts(tmp_path)
    with pytest.raises(MediaFailed) as seen:
        async with files.ready(message(Attachment(url.format(place=tmp_path)))):
            raise AssertionError("the plugin was called")
    assert seen.value.reason == reason


async def test_a_channel_without_files_gets_links_as_they_are(tmp_path: Path) -> None:
    _, files = parts(tmp_path, Media())
    link = Attachment("https://example.com/a", name="a")
    async with files.ready(message(link)) as ready:
        assert ready.attachments == [link]
    for url in (f"file://{tmp_path}/out/a.png", "data:,x", "media:" + "0" * 32):
        with pytest.raises(SendFailed, match="takes no files, only links"):
            async with files.ready(message(Attachment(url))):
                raise AssertionError("the plugin was called")
