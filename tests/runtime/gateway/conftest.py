"""Shared by the gateway's tests."""

from collections.abc import Iterator

import pytest
import uvloop

from tests.support.wire import recorded

uvloop.new_event_loop().close()  # libuv opens a pipe for the whole process once: not a leak


@pytest.fixture(autouse=True)
def speaks_as_published() -> Iterator[None]:
    """Fail a test whose gateway says what neither OpenClaw's schema nor our page knows."""
    with recorded() as wire:
        yield
    assert wire is None or not wire.problems, "\n".join(dict.fromkeys(wire.problems))
