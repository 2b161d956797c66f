"""Files of one store that another one has, too."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ipc.media import ABOUT, account_directory
from runtime.gateway.outbox.lending import GONE, FileLending, link_files
from workers.messages import Attachment

ACCOUNT, AGENT = "local:a", "agent:main"
ONE, TWO = "1" * 32, "2" * 32


@pytest.fixture
def stores(tmp_path: Path) -> tuple[Path, Path]:
    owner = account_directory(tmp_path, ACCOUNT)
    owner.mkdir(parents=True)
    (owner / ONE).write_bytes(b"hello")
    (owner / (ONE + ABOUT)).write_text('{"name":"a.txt"}')
    return owner, account_directory(tmp_path, AGENT)


async def test_a_file_can_be_opened_by_whom_it_is_lent_to(
    tmp_path: Path, stores: tuple[Path, Path]
) -> None:
    _, reader = stores
    files = FileLending(tmp_path)
    link = Attachment("https://example.org/a")
    given = [Attachment(f"media:{ONE}", name="a.txt"), Attachment(f"media:{TWO}", name="b"), link]
    for _ in range(2):  # a turn may be repeated
        found = await files.link(ACCOUNT, AGENT, given)
        assert found == [given[0], Attachment("", name="b", missing=GONE), link]
    assert (reader / ONE).read_bytes() == b"hello"
    assert (reader / (ONE + ABOUT)).exists()
    assert reader.stat().st_mode & 0o077 == 0


async def test_a_file_that_its_owner_has_removed_stays_with_the_reader(
    tmp_path: Path, stores: tuple[Path, Path]
) -> None:
    owner, reader = stores
    assert link_files(tmp_path, ACCOUNT, AGENT, [ONE]) == {ONE}
    (owner / ONE).unlink()
    assert (reader / ONE).read_bytes() == b"hello"


@pytest.mark.parametrize("what", ["link", "fifo", "directory"])
def test_what_is_no_file_is_not_lent(tmp_path: Path, stores: tuple[Path, Path], what: str) -> None:
    owner, reader = stores
    place = owner / TWO
    (owner / (TWO + ABOUT)).write_text("{}")
    if what == "link":
        place.symlink_to("/etc/hostname")
    elif what == "fifo":
        os.mkfifo(place)
    else:
        place.mkdir()
    assert link_files(tmp_path, ACCOUNT, AGENT, [TWO, ONE]) == {ONE}
    assert not os.path.lexists(reader / TWO)


async def test_without_a_state_directory_nothing_is_lent() -> None:
    given = [Attachment(f"media:{ONE}")]
    assert await FileLending().link(ACCOUNT, AGENT, given) == given
