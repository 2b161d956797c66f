"""The process of the kit for agents: it is a worker, and outlives nobody."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ipc.identity.peer import PeerProof
from tests.support.spawned import gone
from workers.testing.agent_process import AgentProcess

PROOF = PeerProof(b"s")


async def test_an_agent_process_stops_as_a_worker_does(short_path: Path) -> None:
    address = f"ipc://{short_path / 'none.ipc'}"
    process = AgentProcess(
        "workers.agents.echo:manifest", {}, data=address, proof=PROOF, directory=short_path
    )
    try:
        await process.ready()
        assert await process.stop() == 0
        assert "stopping" in process.printed
    finally:
        process.close()


async def test_what_cannot_run_fails_the_wait_with_its_words(short_path: Path) -> None:
    process = AgentProcess(
        "not_there:manifest", {}, data="ipc:///none", proof=PROOF, directory=short_path
    )
    try:
        with pytest.raises(AssertionError, match="No module named 'not_there'"):
            await process.ready()
    finally:
        process.close()
    assert await asyncio.to_thread(gone, process.pid, within=5.0)
