"""People who write to accounts of the channel ``local``, over their sockets."""

from __future__ import annotations

import asyncio

from tests.support.daemon import Daemon


async def say(
    daemon: Daemon, account: str, name: str, text: str, *, answered: bool = True
) -> asyncio.StreamWriter:
    """Write to an account as a person, who stays connected; returns once it is answered."""
    path = daemon.run_dir / f"local-{account}.sock"
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(f"/nick {name}\n{text}\n".encode())
    assert await reader.readline() == f"you are {name}\n".encode()
    if answered:
        assert await reader.readline()
    return writer
