"""The daemon of the kit."""

from __future__ import annotations

import pytest

from workers.testing.daemon import TestDaemon


async def test_a_daemon_that_ends_is_told_with_what_it_printed() -> None:
    daemon = TestDaemon("local", "it")
    try:
        daemon.configure({"greetings": "a field that there is not"})
        with pytest.raises(AssertionError, match=r"(?s)the daemon ended with 78: .*greetings"):
            await daemon.start()
    finally:
        await daemon.close()
    assert not daemon.directory.exists()
