"""A file that a message names is opened only where it may be, whatever leads there."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from workers.errors import MediaFailed
from workers.media.opening import open_allowed
from workers.media.policy import MediaPolicy


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name in ("out", "other", "out/state"):
        (tmp_path / name).mkdir()
    (tmp_path / "out/a").write_text("allowed")
    (tmp_path / "other/secret").write_text("secret")
    (tmp_path / "out/state/token").write_text("secret")
    (tmp_path / "out/inside").symlink_to("a")
    (tmp_path / "out/outside").symlink_to("../other/secret")
    (tmp_path / "out/way").symlink_to("../other")
    (tmp_path / "out/loop").symlink_to("loop")
    os.mkfifo(tmp_path / "out/pipe")
    (tmp_path / "link").symlink_to("out")
    return tmp_path


def read(place: Path, path: str, allow: str = "out") -> str:
    policy = MediaPolicy([str(place / allow)], [str(place / "out/state")])
    with os.fdopen(open_allowed(f"file://{place}/{path}", policy)) as file:
        return file.read()


@pytest.mark.parametrize("path", ["out/a", "out/inside", "out/../out/a"])
def test_a_file_below_an_allowed_directory_is_read(path: str, place: Path) -> None:
    assert read(place, path) == "allowed"


def test_an_allowed_directory_may_be_a_link_itself(place: Path) -> None:
    assert read(place, "link/a", allow="link") == "allowed"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("out/outside", "forbidden"),
        ("out/way/secret", "forbidden"),
        ("out/../other/secret", "forbidden"),
        ("out/state/token", "forbidden"),
        ("out/missing", "not_found"),
        ("out/a/b", "not_found"),
        ("out/loop", "forbidden"),
        ("out/pipe", "invalid"),
        ("out", "invalid"),
    ],
)
def test_a_file_elsewhere_is_refused(path: str, reason: str, place: Path) -> None:
    with pytest.raises(MediaFailed) as seen:
        read(place, path)
    assert seen.value.reason == reason


def test_devices_are_never_opened(place: Path) -> None:
    with pytest.raises(MediaFailed, match="not a regular file"):
        open_allowed("file:///dev/zero", MediaPolicy(["/dev"]))


def test_a_link_that_is_swapped_all_the_time_never_leads_outside(place: Path) -> None:
    """The check and the use are of the same file: 500 tries against a thread that swaps."""
    path, over = place / "out/swapped", threading.Event()
    path.symlink_to("a")

    def swap() -> None:
        fresh = place / "out/fresh"
        while not over.is_set():
            for target in ("../other/secret", "a"):
                fresh.symlink_to(target)
                fresh.replace(path)

    swapper = threading.Thread(target=swap)
    swapper.start()
    seen = set()
    try:
        for _ in range(500):
            try:
                seen.add(read(place, "out/swapped"))
            except MediaFailed as error:
                seen.add(error.reason or "")
    finally:
        over.set()
        swapper.join()
    assert "secret" not in seen
    assert "allowed" in seen
