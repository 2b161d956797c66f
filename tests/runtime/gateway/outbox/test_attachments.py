"""Stored files of messages that wait are kept, by the very clock of their store."""

from __future__ import annotations

import errno
import os
import time
from asyncio import TaskGroup
from pathlib import Path

import pytest

from ipc.media import MediaAbout, account_directory
from runtime.gateway.journal.memory import MemoryJournal
from runtime.gateway.outbox.attachments import protect, remove_files, stored_files
from tests.support.journals import KEY
from tests.support.outbox_life import OutboxLife
from workers.media.directory import BLOCK, MediaDirectory, NoRoom
from workers.messages import Attachment, Outbound

HOUR, DAY = 3600.0, 86_400.0


def directory(state_dir: Path) -> MediaDirectory:
    made = MediaDirectory(account_directory(state_dir, KEY), 4 * BLOCK, HOUR)
    made.prepare()
    return made


def add(files: MediaDirectory) -> str:
    made, fd = files.create()
    files.reserve(1)
    files.write(fd, b"x")
    files.finish(made, fd, MediaAbout("a", "text/plain"), 1)
    os.close(fd)
    return made


def names(files: MediaDirectory) -> set[str]:
    return {each.id for each in files.files()}


async def test_a_file_of_a_waiting_message_is_neither_expired_nor_evicted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = directory(tmp_path)
    wanted, other = add(files), add(files)
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, MemoryJournal(), state_dir=tmp_path)
        life.report(1, "starting")  # no attempt has begun, and the account has no process
        message = Outbound("ada", "see", "k", attachments=[Attachment(url=f"media:{wanted}")])
        row = await life.outbox.send(KEY, message, DAY, queue=True)
        life.end()
    clock = time.time
    monkeypatch.setattr(time, "time", lambda: clock() + DAY - HOUR)
    files.sweep()
    assert names(files) == {wanted}
    add(files)
    with pytest.raises(NoRoom):
        files.reserve(4 * BLOCK)
    assert wanted in names(files)
    monkeypatch.setattr(time, "time", lambda: row.expires / 1000 + HOUR + 1)
    files.sweep()
    assert wanted not in names(files)
    assert other not in names(files)


def test_only_files_of_the_store_are_named() -> None:
    urls = ["https://example.org/a", f"media:{'a' * 32}", "media:../../etc", "data:,x"]
    message = Outbound("ada", "see", "k", attachments=[Attachment(url=url) for url in urls])
    assert stored_files(message) == ["a" * 32]


def test_links_are_not_followed_and_nothing_is_kept_shorter(tmp_path: Path) -> None:
    files = directory(tmp_path)
    target = tmp_path / "target"
    target.write_text("x")
    before = target.stat().st_mtime
    (files.place / ("b" * 32)).symlink_to(target)
    kept, now = add(files), time.time()
    protect(tmp_path, KEY, ["b" * 32, "c" * 32, kept], now + DAY)
    protect(tmp_path, KEY, [kept], now + HOUR)
    assert target.stat().st_mtime == before
    assert (files.place / kept).stat().st_mtime == pytest.approx(now + DAY)


def test_what_an_account_has_put_in_the_place_of_a_file_holds_up_no_other(tmp_path: Path) -> None:
    files = directory(tmp_path)
    names_of = [add(files) for _ in range(4)]
    for name in names_of[1:3]:
        (files.place / name).unlink()
        (files.place / name).mkdir()
    assert remove_files(tmp_path, KEY, names_of) == 2
    assert {each.name for each in files.place.iterdir()} >= set(names_of[1:3])
    assert not {names_of[0], names_of[3]} & {each.name for each in files.place.iterdir()}


def test_a_file_that_cannot_be_removed_is_an_error_and_the_others_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = directory(tmp_path)
    stuck, *others = [add(files) for _ in range(4)]
    unlink = Path.unlink

    def fail(path: Path, missing_ok: bool = False) -> None:
        if path.name == stuck:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", fail)
    with pytest.raises(PermissionError):
        remove_files(tmp_path, KEY, [*others, stuck])
    assert names(files) == {stuck}
