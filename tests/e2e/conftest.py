"""Fixtures of the end-to-end tests: an IRC server, and a third-party channel that can fail."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import faulty
from tests.support.irc_server import IrcServer, available, miniircd, ngircd


@pytest.fixture
def irc_server() -> Iterator[IrcServer]:
    """A real server: ngircd, or miniircd where that is not installed."""
    with ngircd() if available("ngircd") else miniircd() as server:
        yield server


@pytest.fixture
def faulty_path(tmp_path: Path) -> str:
    """PYTHONPATH with the channel ``faulty`` installed."""
    directory = tmp_path / "site"
    directory.mkdir()
    return str(faulty.install(directory))
