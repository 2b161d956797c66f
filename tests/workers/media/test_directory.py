"""The directory of files is bounded, and what a killed worker has left behind goes."""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ipc.media import MediaAbout, body_name
from workers.errors import MediaFailed
from workers.media.directory import BLOCK, PROTECTED_SECONDS, MediaDirectory, about_of

DAY = 86_400.0


def directory(place: Path, *, blocks: int = 10, ttl: float = DAY) -> MediaDirectory:
    made = MediaDirectory(place / "media", blocks * BLOCK, ttl)
    made.prepare()
    return made


def add(files: MediaDirectory, data: bytes = b"x", age: float = 0.0) -> str:
    made, fd = files.create()
    files.reserve(len(data))
    files.write(fd, data)
    os.close(fd)
    fd = os.open(files.place / f".{made}.part", os.O_RDWR)
    files.finish(made, fd, MediaAbout("a", "text/plain"), len(data))
    os.close(fd)
    if age:
        then = time.time() - age
        os.utime(files.place / made, (then, then))
    return made


def names(files: MediaDirectory) -> set[str]:
    return {each.id for each in files.files()}


def test_the_directory_is_for_its_user_alone(tmp_path: Path) -> None:
    files = directory(tmp_path)
    assert files.place.stat().st_mode & 0o777 == 0o700
    assert (files.place / add(files)).stat().st_mode & 0o777 == 0o600


def test_what_is_partial_or_too_old_goes_at_the_start(tmp_path: Path) -> None:
    files = directory(tmp_path)
    kept, _old = add(files), add(files, age=DAY + 1)
    os.close(files.create()[1])
    (files.place / f"{'a' * 32}.json").write_text("{}")
    (files.place / "of-somebody-else").write_text("x")
    again = directory(tmp_path)
    assert names(again) == {kept}
    assert {each.name for each in again.place.iterdir()} == {
        kept,
        f"{kept}.json",
        "of-somebody-else",
    }
    assert again.used == BLOCK


def test_the_oldest_go_for_a_new_one_but_none_of_the_last_hour(tmp_path: Path) -> None:
    files = directory(tmp_path, blocks=3)
    oldest = add(files, b"x" * BLOCK, age=PROTECTED_SECONDS + 20)
    older = add(files, b"x" * BLOCK, age=PROTECTED_SECONDS + 10)
    young = add(files, b"x" * BLOCK, age=PROTECTED_SECONDS - 60)
    fresh = add(files, b"x" * BLOCK)
    assert names(files) == {older, young, fresh}
    assert oldest not in names(files)
    add(files, b"x" * BLOCK)
    with pytest.raises(MediaFailed, match=r"media\.quotaBytes allows.*raise it") as seen:
        files.reserve(1)
    assert seen.value.reason == "unavailable"
    assert young in names(files)


def test_a_link_in_the_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    files = directory(tmp_path)
    made = add(files)
    (files.place / made).unlink()
    (files.place / made).symlink_to("/etc/passwd")
    with pytest.raises(MediaFailed):
        files.open(made)
    (files.place / f"{made}.json").unlink()
    (files.place / f"{made}.json").symlink_to("/etc/passwd")
    assert about_of(files.place, made) == MediaAbout()


def test_what_is_too_old_goes_while_it_runs_and_makes_room(tmp_path: Path) -> None:
    files = directory(tmp_path)
    kept, old = add(files), add(files)
    then = time.time() - DAY - 1
    os.utime(files.place / old, (then, then))
    assert (files.sweep(), names(files), files.used) == (1, {kept}, BLOCK)
    assert not (files.place / f"{old}.json").exists()


@pytest.fixture
def full_disk() -> Iterator[None]:
    """No file may grow beyond 1,000 bytes, as with a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("full_disk")
def test_a_disk_that_takes_no_more_fails_the_file_alone(tmp_path: Path) -> None:
    files = directory(tmp_path)
    _, fd = files.create()
    with pytest.raises(MediaFailed) as seen:
        files.write(fd, bytes(2000))
    os.close(fd)
    assert seen.value.reason == "unavailable"


def test_a_body_that_a_killed_gateway_has_left_goes_after_an_hour(tmp_path: Path) -> None:
    files = directory(tmp_path)
    left, new = files.place / body_name("a" * 32), files.place / body_name("b" * 32)
    for each in (left, new):
        each.write_bytes(b"x")
    then = time.time() - 3601
    os.utime(left, (then, then))
    files.sweep()
    assert [each.name for each in files.place.iterdir()] == [new.name]
    assert files.used == 0
