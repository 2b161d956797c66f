"""One ZeroMQ link: messages from a dealer to a router in the same process."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from ipc.identity.peer import PeerProof
from ipc.zeromq.dealer import Dealer
from ipc.zeromq.router import Router

COUNT = 10_000


@pytest.mark.parametrize("pack", [1, 16])
def test_ten_thousand_messages(
    benchmark: BenchmarkFixture, loop: asyncio.Runner, tmp_path: Path, pack: int
) -> None:
    """10,000 messages of 300 bytes, alone or in packs of 16; all arrive."""
    address = f"ipc://{tmp_path}/link.ipc"
    proof = PeerProof(b"secret")
    body, total = b"x" * 300 * pack, COUNT // pack

    async def run() -> int:
        got = 0
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def on_frame(peer: bytes, body: bytes) -> None:
            nonlocal got
            got += 1
            if got == total:
                done.set_result(None)

        router = Router(address, proof, on_frame)
        left = total

        def push() -> None:
            nonlocal left
            while left and dealer.send(body):
                left -= 1

        dealer = Dealer(address, proof.credentials("w", 1), lambda body: None, on_writable=push)
        push()
        await done
        dealer.close()
        router.close()
        return got

    assert benchmark.pedantic(lambda: loop.run(run()), rounds=5, warmup_rounds=1) == total
