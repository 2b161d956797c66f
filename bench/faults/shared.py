"""Faults of shared parts: gateway, zygote, sockets, disk, descriptors, configuration."""

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

from bench.faults.fault import Observation, fault, left_alone, recovers, replace_target
from bench.faults.rig import CHECK_SECONDS, TARGET, FaultRig, all_run
from bench.load.receiver import receiver
from bench.measuring.rows import down, up
from bench.systems.product import connect_request
from tests.support.until import PATIENCE

FEW = 10  # the supervisor has more than these open, so that no other can be
POISONED = ("faulty-exit:poison", "faulty-import:poison")


@fault("gateway-kill", "kill -9 of the gateway", shared=True)
async def _gateway_kill(rig: FaultRig, observed: Observation) -> None:
    await _gateway_hit(rig, observed, signal.SIGKILL)


@fault("gateway-stopped", "SIGSTOP of the gateway for ever", shared=True)
async def _gateway_stopped(rig: FaultRig, observed: Observation) -> None:
    await _gateway_hit(rig, observed, signal.SIGSTOP)


async def _gateway_hit(rig: FaultRig, observed: Observation, number: int) -> None:
    status = await rig.daemon.status()
    pid, outages = status["gateway"]["pid"], status["gateway"]["outages"]
    os.kill(pid, number)
    await rig.until(lambda s: s["gateway"]["outages"] > outages)
    observed.noticed()
    await rig.until(lambda s: s["gateway"]["connected"] and s["gateway"]["pid"] != pid)
    await rig.heard()


@fault("zygote-kill", "kill -9 of the zygote, then of a worker")
async def _zygote_kill(rig: FaultRig, observed: Observation) -> None:
    os.kill(rig.zygote(), signal.SIGKILL)
    before = rig.incarnation()
    rig.kill()
    await recovers(rig, observed, before)


@fault("zygote-stopped", "SIGSTOP of the zygote, then kill -9 of a worker")
async def _zygote_stopped(rig: FaultRig, observed: Observation) -> None:
    os.kill(rig.zygote(), signal.SIGSTOP)
    before = rig.incarnation()
    rig.kill()
    await recovers(rig, observed, before)


@fault("sockets", "the daemon's sockets deleted, then kill -9 of a worker", keeps=2)
async def _sockets(rig: FaultRig, observed: Observation) -> None:
    for name in ("control.ipc", "data.ipc", "cli.sock"):
        (rig.daemon.run_dir / name).unlink()
    before = rig.incarnation()
    rig.kill()
    await recovers(rig, observed, before)
    while not (rig.daemon.run_dir / "cli.sock").is_socket():  # noqa: ASYNC110 - no event says so
        await asyncio.sleep(CHECK_SECONDS)
    observed.remark = "the two old sockets stay open: closing them would cut those connected"


@fault("full-disk", "nothing can be written (as on a full disk), and kill -9 of a worker")
async def _full_disk(rig: FaultRig, observed: Observation) -> None:
    pids = [rig.daemon.pid, await rig.gateway()]
    with _limited(pids, resource.RLIMIT_FSIZE, 0):
        before = rig.incarnation()
        rig.kill()
        await recovers(rig, observed, before)
        stop = (await rig.call("stop"))["results"][0]
        observed.remark = (
            f"a stop then is not remembered, and its answer shows it: {not stop['persisted']}"
        )
    await rig.call("start")
    await rig.rows.until(TARGET, up(after=before))


@fault("no-descriptors", "no more open files for the supervisor, and kill -9 of a worker")
async def _no_descriptors(rig: FaultRig, observed: Observation) -> None:
    before = rig.incarnation()
    with _limited([rig.daemon.pid], resource.RLIMIT_NOFILE, FEW):
        rig.kill()
        observed.noticed(await rig.rows.until(TARGET, down))
        await rig.rows.until(TARGET, lambda row: down(row) and row["incarnation"] > before)
        observed.remark = str(rig.rows.newest[TARGET]["lastError"])
    await rig.rows.until(TARGET, up(after=before))


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
async def _damaged(rig: FaultRig, observed: Observation) -> None:
    path = rig.daemon.config_path
    whole = path.read_text()
    path.write_text(whole[: len(whole) // 2])
    await rig.until(lambda status: _warned(status, "not taken over"))
    observed.noticed()
    path.write_text(whole)
    await rig.until(lambda status: not _warned(status, "not taken over"))


def _warned(status: dict[str, Any], text: str) -> bool:
    return any(text in warning for warning in status["supervisor"]["warnings"])


@fault("poisoned-accounts", "accounts added whose plugin exits, or fails, on import")
async def _poisoned(rig: FaultRig, observed: Observation) -> None:
    path = rig.daemon.config_path
    whole = path.read_text()
    poisoned = json.loads(whole)
    for key in POISONED:
        poisoned["channels"][key.partition(":")[0]] = {"accounts": {"poison": {}}}
    path.write_text(json.dumps(poisoned))
    seen = [await rig.rows.until(key, lambda row: row["failures"] > 0) for key in POISONED]
    observed.noticed(max(seen))
    path.write_text(whole)
    await rig.until(lambda status: not set(POISONED) & set(status["accounts"]))


@fault("slow-client", "a client that does not read, beside a flood")
async def _slow_client(rig: FaultRig, observed: Observation) -> None:
    before = rig.incarnation()
    gateway = psutil.Process(await rig.gateway())
    client = await receiver(rig.daemon.port, connect_request().encode())
    port = client.transport.get_extra_info("sockname")[1]
    client.transport.pause_reading()
    ordered = asyncio.create_task(rig.order("flood"))
    try:
        ends = time.monotonic() + PATIENCE
        while _has_client(gateway, port):  # its own end would show nothing: it does not read
            if time.monotonic() > ends:
                raise TimeoutError("the client that does not read was not closed")
            await asyncio.sleep(CHECK_SECONDS)
        observed.noticed()
        left_alone(rig, before)
    finally:  # whatever happened, the flood ends
        client.transport.abort()
        await ordered
        await replace_target(rig, observed)


def _has_client(gateway: psutil.Process, port: int) -> bool:
    """Return whether the gateway has an open connection whose other end is this local port."""
    found = gateway.net_connections("tcp4")
    return any(each.raddr and each.raddr.port == port for each in found)


@fault("supervisor-kill", "kill -9 of the supervisor, then a start", shared=True, last=True)
async def _supervisor_kill(rig: FaultRig, observed: Observation) -> None:
    family = rig.daemon.family()
    killed = time.monotonic()
    rig.daemon.kill()
    while any(map(still_runs, family)):  # noqa: ASYNC110 - no process is left to ask
        await asyncio.sleep(0.005)
    observed.noticed()
    observed.remark = (
        f"all {len(family)} processes gone after {(time.monotonic() - killed) * 1e3:.0f} ms"
    )
    await rig.daemon.start()
    await rig.daemon.wait(all_run)
    await rig.heard()


def still_runs(process: psutil.Process) -> bool:
    """Return whether a process has not ended; a zombie has."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
