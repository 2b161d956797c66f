"""What the worker's tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import uvloop

from tests.support.short_directory import ShortDirectory

uvloop.new_event_loop().close()  # libuv opens a pipe for the whole process once: not a leak


@pytest.fixture
def run_dir() -> Iterator[Path]:
    """A directory with a path short enough for unix sockets."""
    with ShortDirectory() as path:
        yield path
