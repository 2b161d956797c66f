"""Faults of what all accounts share: gateway, zygote, sockets, disk, descriptors, configuration."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil

from bench.faults.fault import Sight, comes_back, fault, replaced, unmoved
from bench.faults.ward import BAD, LOOK, Ward, all_run
from bench.load.receiver import receiver
from bench.measuring.rows import down, up
from bench.systems.product import connect_request
from tests.support.daemon import PATIENCE

FEW = 10  # the supervisor has more than these open, so that no other can be
POISONED = ("faulty-exit:poison", "faulty-import:poison")


@fault("gateway-kill", "kill -9 of the gateway", shared=True)
async def _gateway_kill(ward: Ward, sight: Sight) -> None:
    await _gateway_hit(ward, sight, signal.SIGKILL)


@fault("gateway-stopped", "SIGSTOP of the gateway for ever", shared=True)
async def _gateway_stopped(ward: Ward, sight: Sight) -> None:
    await _gateway_hit(ward, sight, signal.SIGSTOP)


async def _gateway_hit(ward: Ward, sight: Sight, number: int) -> None:
    status = await ward.daemon.status()
    pid, outages = status["gateway"]["pid"], status["gateway"]["outages"]
    os.kill(pid, number)
    await ward.until(lambda s: s["gateway"]["outages"] > outages)
    sight.saw()
    await ward.until(lambda s: s["gateway"]["connected"] and s["gateway"]["pid"] != pid)
    await ward.witness.heard()


@fault("zygote-kill", "kill -9 of the zygote, then of a worker")
async def _zygote_kill(ward: Ward, sight: Sight) -> None:
    os.kill(ward.zygote(), signal.SIGKILL)
    before = ward.incarnation()
    ward.kill()
    await comes_back(ward, sight, before)


@fault("zygote-stopped", "SIGSTOP of the zygote, then kill -9 of a worker")
async def _zygote_stopped(ward: Ward, sight: Sight) -> None:
    os.kill(ward.zygote(), signal.SIGSTOP)
    before = ward.incarnation()
    ward.kill()
    await comes_back(ward, sight, before)


@fault("sockets", "the daemon's sockets deleted, then kill -9 of a worker", keeps=2)
async def _sockets(ward: Ward, sight: Sight) -> None:
    for name in ("control.ipc", "data.ipc", "cli.sock"):
        (ward.daemon.run_dir / name).unlink()
    before = ward.incarnation()
    ward.kill()
    await comes_back(ward, sight, before)
    while not (ward.daemon.run_dir / "cli.sock").is_socket():  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(LOOK)
    sight.remark = "the two old sockets stay open: closing them would cut those connected"


@fault("full-disk", "nothing can be written (as on a full disk), and kill -9 of a worker")
async def _full_disk(ward: Ward, sight: Sight) -> None:
    pids = [ward.daemon.pid, await ward.gateway()]
    with _limited(pids, resource.RLIMIT_FSIZE, 0):
        before = ward.incarnation()
        ward.kill()
        await comes_back(ward, sight, before)
        stop = (await ward.call("stop"))["results"][0]
        sight.remark = f"a stop then is not remembered, and says so: {not stop['persisted']}"
    await ward.call("start")
    await ward.rows.until(BAD, up(after=before))


@fault("no-descriptors", "no more open files for the supervisor, and kill -9 of a worker")
async def _no_descriptors(ward: Ward, sight: Sight) -> None:
    before = ward.incarnation()
    with _limited([ward.daemon.pid], resource.RLIMIT_NOFILE, FEW):
        ward.kill()
        sight.saw(await ward.rows.until(BAD, down))
        await ward.rows.until(BAD, lambda row: down(row) and row["incarnation"] > before)
        sight.remark = str(ward.rows.newest[BAD]["lastError"])
    await ward.rows.until(BAD, up(after=before))


@contextmanager
def _limited(pids: list[int], which: int, value: int) -> Iterator[None]:
    """Lower a resource limit of running processes, prlimit(2), for a while."""
    old = {pid: resource.prlimit(pid, which) for pid in pids}
    for pid, (_, hard) in old.items():
        resource.prlimit(pid, which, (value, hard))
    try:
        yield
    finally:
        for pid, limits in old.items():
            resource.prlimit(pid, which, limits)


@fault("damaged-configuration", "garbage in the configuration file")
async def _damaged(ward: Ward, sight: Sight) -> None:
    path = ward.daemon.config_path
    whole = path.read_text()
    path.write_text(whole[: len(whole) // 2])
    await ward.until(lambda status: _warned(status, "not taken over"))
    sight.saw()
    path.write_text(whole)
    await ward.until(lambda status: not _warned(status, "not taken over"))


def _warned(status: dict[str, Any], text: str) -> bool:
    return any(text in warning for warning in status["supervisor"]["warnings"])


@fault("poisoned-accounts", "accounts added whose plugin exits, or fails, on import")
async def _poisoned(ward: Ward, sight: Sight) -> None:
    path = ward.daemon.config_path
    whole = path.read_text()
    poisoned = json.loads(whole)
    for key in POISONED:
        poisoned["channels"][key.partition(":")[0]] = {"accounts": {"poison": {}}}
    path.write_text(json.dumps(poisoned))
    seen = [await ward.rows.until(key, lambda row: row["failures"] > 0) for key in POISONED]
    sight.saw(max(seen))
    path.write_text(whole)
    await ward.until(lambda status: not set(POISONED) & set(status["accounts"]))


@fault("slow-client", "a client that does not read, beside a flood")
async def _slow_client(ward: Ward, sight: Sight) -> None:
    before = ward.incarnation()
    gateway = psutil.Process(await ward.gateway())
    calm = gateway.num_fds()
    client = await receiver(ward.daemon.port, connect_request().encode())
    client.transport.pause_reading()
    told = asyncio.create_task(ward.order("flood"))
    ends = time.monotonic() + PATIENCE
    while gateway.num_fds() > calm:  # it does not read, so it is not told
        if time.monotonic() > ends:
            raise TimeoutError("the client that does not read was not closed")
        await asyncio.sleep(LOOK)
    sight.saw()
    client.transport.abort()
    await told
    unmoved(ward, before)
    await replaced(ward, sight)


@fault("supervisor-kill", "kill -9 of the supervisor, then a start", shared=True, last=True)
async def _supervisor_kill(ward: Ward, sight: Sight) -> None:
    family = ward.daemon.family()
    killed = time.monotonic()
    ward.daemon.kill()
    while any(map(_runs, family)):  # noqa: ASYNC110 - nobody is left to tell
        await asyncio.sleep(0.005)
    sight.saw()
    sight.remark = (
        f"all {len(family)} processes gone after {(time.monotonic() - killed) * 1e3:.0f} ms"
    )
    await ward.daemon.start()
    await ward.daemon.wait(all_run)
    await ward.witness.heard()


def _runs(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
