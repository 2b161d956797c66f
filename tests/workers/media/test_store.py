"""Files are stored as streams, safe before they are named, and read back as they were."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ipc.frames.bootstrap import MediaBoot
from workers.errors import MediaFailed
from workers.media.store import PIECE, MediaStore, pieces

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


def store(place: Path, *, quota: int = 1 << 22, max_down: int = 0, **rest: Any) -> MediaStore:
    boot = MediaBoot(str(place / "media"), quota, **rest)
    return MediaStore(boot, max_down=max_down)


async def content(files: MediaStore, url: str) -> bytes:
    async with files.open(url) as file:
        return b"".join([piece async for piece in file])


class AsyncFile:
    """A stream with ``async read``, like that of aiohttp; its iterator yields lines."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    async def read(self, size: int) -> bytes:
        return self._file.read(min(size, 1000))


async def yielding(data: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


@pytest.mark.parametrize("kind", ["bytes", "memoryview", "path", "file", "stream", "iterator"])
async def test_every_source_is_stored_and_read_back(kind: str, tmp_path: Path) -> None:
    data = bytes(range(256)) * 2000
    (tmp_path / "source").write_bytes(data)
    files, sources = (
        store(tmp_path),
        {
            "bytes": data,
            "memoryview": memoryview(data),
            "path": tmp_path / "source",
            "file": io.BytesIO(data),
            "stream": AsyncFile(data),
            "iterator": yielding(data),
        },
    )
    saved = await files.save(sources[kind], name="../a\n/b.bin", type="Application/X-Own; a=b")
    assert (saved.name, saved.mime_type) == ("b.bin", "application/x-own")
    assert saved.size_bytes == len(data)
    assert saved.url.startswith("media:")
    assert await content(files, saved.url) == data
    async with files.open(saved.url) as file:
        assert (file.name, file.type, file.size) == ("b.bin", "application/x-own", len(data))
        assert await file.read(10) + await file.read() == data
        with file.binary() as first, file.binary() as second:
            assert first.read(5) == second.read(5) == data[:5]


async def test_what_is_no_source_is_told_to_the_author(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="not <class 'str'>"):
        await store(tmp_path).save("hello")


async def test_a_large_piece_is_cut_and_small_ones_are_gathered() -> None:
    found = [len(piece) async for piece in pieces(yielding(bytes(PIECE * 2 + 7), PIECE + 3))]
    assert found == [PIECE, PIECE, 7]


async def test_the_type_is_detected_if_none_is_given(tmp_path: Path) -> None:
    files = store(tmp_path)
    assert (await files.save(PNG)).mime_type == "image/png"
    assert (await files.save(PNG, type="application/octet-stream")).mime_type == "image/png"
    assert (await files.save(b"a,b", name="x.csv")).mime_type == "text/csv"
    assert (await files.save(b"\0\1")).mime_type == "application/octet-stream"


async def broken(data: bytes) -> AsyncIterator[bytes]:
    yield data
    raise ConnectionResetError("gone")


async def test_nothing_is_left_of_a_file_that_broke_off(tmp_path: Path) -> None:
    files = store(tmp_path)
    with pytest.raises(ConnectionResetError):
        await files.save(broken(bytes(PIECE * 2)))
    with pytest.raises(MediaFailed, match="only 3 of 5 bytes"):
        await files.save(b"abc", size=5)
    assert list((tmp_path / "media").iterdir()) == []
    assert files.directory.used == 0


async def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    files = store(tmp_path, max_down=10)
    with pytest.raises(MediaFailed, match="9999999999 bytes or more, at most 10 are taken") as seen:
        await files.save(yielding(b"x"), size=9_999_999_999)
    assert seen.value.reason == "too_long"
    with pytest.raises(MediaFailed, match="at most 10"):
        await files.save(yielding(b"x" * 11, 1))
    assert list((tmp_path / "media").iterdir()) == []
    assert (await files.save(b"x" * 10)).size_bytes == 10


async def test_a_message_arrives_without_a_file_that_cannot_be_kept(tmp_path: Path) -> None:
    files = store(tmp_path, max_down=10)
    kept = await files.receive(b"abc", name="a.txt")
    assert kept.url
    assert kept.missing is None
    lost = await files.receive(b"x" * 11, name="b.txt", type="text/plain", size=11)
    assert (lost.url, lost.name, lost.size_bytes) == ("", "b.txt", 11)
    assert lost.missing
    assert "at most 10 are taken" in lost.missing


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("media:" + "0" * 32, "not_found"),
        ("media:../../etc/passwd", "not_found"),
        ("media:" + "0" * 31, "not_found"),
        ("/etc/passwd", "not_found"),
        ("file:///etc/passwd", "forbidden"),
        ("data:x", "invalid"),
    ],
)
async def test_what_is_no_file_of_the_account_is_not_opened(
    url: str, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(MediaFailed) as seen:
        async with store(tmp_path).open(url):
            pass
    assert seen.value.reason == reason


async def test_what_the_policy_allows_is_opened_in_place(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a b.png").write_bytes(PNG)
    files = store(tmp_path, allow=[str(tmp_path / "out")])
    async with files.open(f"file://{tmp_path}/out/a%20b.png") as file:
        assert (file.name, file.type, await file.read()) == ("a b.png", "image/png", PNG)


async def test_a_file_stays_readable_to_whom_has_it_open(tmp_path: Path) -> None:
    files = store(tmp_path)
    saved = await files.save(PNG)
    async with files.open(saved.url) as file:
        await files.remove(saved.url)
        with file.binary() as again:
            assert again.read() == await file.read() == PNG
    with pytest.raises(MediaFailed, match=r"media\.ttlDays"):
        await content(files, saved.url)


async def test_a_refusal_is_told_for_want_of_room_alone_and_until_there_is_some(
    tmp_path: Path,
) -> None:
    told: list[str] = []
    boot = MediaBoot(str(tmp_path / "media"), quota=8192)
    files = MediaStore(boot, max_down=6000, on_refusal=told.append)
    for size in (3, 6001):  # broke off, too large: neither is of the store
        with pytest.raises(MediaFailed):
            await files.save(bytes(size), size=size * 2)
    assert told == []
    saved = await files.save(bytes(5000))
    with pytest.raises(MediaFailed, match="none is old enough"):
        await files.save(b"x")
    await files.remove(saved.url)
    await files.save(b"x")
    assert [each[:19] for each in told] == ["", "the account's files", ""]


async def test_what_stands_in_a_data_url_is_stored_and_opened(tmp_path: Path) -> None:
    async with store(tmp_path).open("data:text/plain;base64,aGk=") as file:
        assert (await file.read(), file.type) == (b"hi", "text/plain")
