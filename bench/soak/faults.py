"""The faults that a soak draws from: those of ``bench.faults``, and those of every process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from bench.faults import accounts, shared  # noqa: F401 - they enter their faults
from bench.faults.fault import FAULTS, Fault, Observation
from bench.faults.rig import CHECK_SECONDS
from bench.measuring.rows import up
from bench.soak.rig import SoakRig
from tests.support.until import PATIENCE

# Deleting the sockets keeps two files open each time, by design. The supervisor's end is below.
LEFT_OUT = ("sockets", "supervisor-kill")
BRIEF = 2.0  # seconds; less than any silence that matters

Inject = Callable[[SoakRig], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A fault that may be drawn. ``weight`` is how likely, beside the others.

    It comes at most every ``apart`` seconds, together with all that have the same bound, and in
    the first quarter of the run only when there is one: what ends a process often shows nothing of
    its growth. ``beside``: it may be injected while another one is.
    """

    name: str
    inject: Inject
    weight: float = 1.0
    apart: float = 0.0
    beside: bool = False


CATALOGUE: dict[str, Drawn] = {}


def drawn(
    name: str, *, weight: float = 1.0, apart: float = 0.0, beside: bool = False
) -> Callable[[Inject], Inject]:
    """Register a coroutine in the catalogue."""

    def enter(inject: Inject) -> Inject:
        CATALOGUE[name] = Drawn(name, inject, weight, apart, beside)
        return inject

    return enter


def _borrow(fault: Fault) -> Inject:
    async def inject(rig: SoakRig) -> None:
        await fault.inject(rig, Observation())

    return inject


GATEWAY_APART = 80.0  # seconds
SUPERVISOR_APART = 500.0
for each in FAULTS.values():
    if each.name not in LEFT_OUT:
        ends_gateway = each.name.startswith("gateway")
        inject = _borrow(each)
        CATALOGUE[each.name] = Drawn(each.name, inject, 0.5, GATEWAY_APART if ends_gateway else 0)


@drawn("kill-any", weight=3, beside=True)
async def _kill_any(rig: SoakRig) -> None:
    await _ended_by_force(rig, [rig.victim()], signal.SIGKILL)


@drawn("kill-three", weight=1)
async def _kill_three(rig: SoakRig) -> None:
    await _ended_by_force(rig, [rig.victim() for _ in range(3)], signal.SIGKILL)


@drawn("stop-any")
async def _stop_any(rig: SoakRig) -> None:
    """Stop a process for ever (SIGSTOP): it counts as hanging, and is ended."""
    await _ended_by_force(rig, [rig.victim()], signal.SIGSTOP)


async def _ended_by_force(rig: SoakRig, keys: list[str], number: int) -> None:
    rig.doom(*keys)
    before = {key: rig.incarnation(key) for key in keys}
    for key in before:
        rig.kill(key, number)
    for key, incarnation in before.items():
        await rig.rows.until(key, up(after=incarnation))


@drawn("stop-any-briefly")
async def _stop_any_briefly(rig: SoakRig) -> None:
    key = rig.draw.choice(rig.keys)  # it is not hit: it must be left alone
    await _stopped_briefly(rig.pid(key))


@drawn("gateway-stopped-briefly")
async def _gateway_stopped_briefly(rig: SoakRig) -> None:
    await _stopped_briefly(await rig.gateway())
    await rig.heard()


@drawn("zygote-stopped-briefly")
async def _zygote_stopped_briefly(rig: SoakRig) -> None:
    with contextlib.suppress(ProcessLookupError):  # replaced meanwhile, for a start waited for it
        await _stopped_briefly(rig.zygote())


@drawn("supervisor-stopped-briefly")
async def _supervisor_stopped_briefly(rig: SoakRig) -> None:
    await _stopped_briefly(rig.daemon.pid)
    await rig.daemon.status()


async def _stopped_briefly(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(BRIEF)
    finally:
        os.kill(pid, signal.SIGCONT)


@drawn("gateway-restart", apart=GATEWAY_APART)
async def _gateway_restart(rig: SoakRig) -> None:
    pid = await rig.gateway()
    await rig.daemon.call("gateway.restart")
    await rig.until(lambda s: s["gateway"]["connected"] and s["gateway"]["pid"] != pid)
    await rig.heard()


@drawn("gateway-and-worker-kill", apart=GATEWAY_APART)
async def _gateway_and_worker_kill(rig: SoakRig) -> None:
    pid = await rig.gateway()
    os.kill(pid, signal.SIGKILL)
    await _ended_by_force(rig, [rig.victim()], signal.SIGKILL)
    await rig.until(lambda s: s["gateway"]["connected"] and s["gateway"]["pid"] != pid)
    await rig.heard()


@drawn("supervisor-kill-9", apart=SUPERVISOR_APART)
async def _supervisor_kill(rig: SoakRig) -> None:
    await rig.restart_supervisor(signal.SIGKILL)


@drawn("supervisor-ended-and-started", apart=SUPERVISOR_APART)
async def _supervisor_ended(rig: SoakRig) -> None:
    await rig.restart_supervisor(signal.SIGTERM)


@drawn("zygote-and-workers-kill")
async def _zygote_and_workers_kill(rig: SoakRig) -> None:
    os.kill(rig.zygote(), signal.SIGKILL)
    await _ended_by_force(rig, [rig.victim() for _ in range(2)], signal.SIGKILL)


@drawn("chat-server-kill")
async def _chat_server_kill(rig: SoakRig) -> None:
    if rig.chat is None:
        return
    rig.hit |= {key for key in rig.keys if key.startswith("irc:")}
    rig.chat.kill()
    await asyncio.sleep(rig.draw.uniform(0, BRIEF))
    await rig.chat.start()


@drawn("client-cut", weight=2, beside=True)
async def _client_cut(rig: SoakRig) -> None:
    sessions = rig.person.client.sessions
    rig.relay.cut()
    async with asyncio.timeout(PATIENCE):
        while rig.person.client.sessions == sessions:  # noqa: ASYNC110 - no event of ours
            await asyncio.sleep(CHECK_SECONDS)
    await rig.heard()


@drawn("one-account-changed", weight=2)
async def _one_account_changed(rig: SoakRig) -> None:
    key = rig.victim(channel="local:")
    before = rig.incarnation(key)
    whole = _configuration(rig)
    account = whole["channels"]["local"]["accounts"][key.partition(":")[2]]
    account["greeting"] = f"changed after {before}"
    rig.daemon.config_path.write_text(json.dumps(whole))
    await rig.rows.until(key, up(after=before))


@drawn("account-added-and-removed")
async def _account_added(rig: SoakRig) -> None:
    path = rig.daemon.config_path
    whole = _configuration(rig)
    before = json.dumps(whole)
    whole["channels"]["local"]["accounts"]["guest"] = {}
    path.write_text(json.dumps(whole))
    await rig.rows.until("local:guest", up())
    path.write_text(before)
    await rig.until(lambda status: "local:guest" not in status["accounts"])


def _configuration(rig: SoakRig) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(rig.daemon.config_path.read_text())
    return found


@drawn("stopped-and-started", weight=2, beside=True)
async def _stopped_and_started(rig: SoakRig) -> None:
    keys = list({rig.victim(), rig.victim()})
    before = {key: rig.incarnation(key) for key in keys}
    await rig.daemon.call("channels.stop", {"accounts": keys, "reason": "the soak says so"})
    for key in keys:
        await rig.rows.until(key, lambda row: row["phase"] == "stopped" and row["hold"])
    await rig.call("start", *keys)
    for key in keys:
        await rig.rows.until(key, up(after=before[key]))


@drawn("stopped-without-gateway", apart=GATEWAY_APART)
async def _stopped_without_gateway(rig: SoakRig) -> None:
    """Stop an account whose last messages end with the gateway: that they may be lost is told."""
    key, gateway = rig.victim(channel="source:"), await rig.gateway()
    before = rig.incarnation(key)
    os.kill(gateway, signal.SIGSTOP)
    try:
        await asyncio.sleep(BRIEF / 2)
        await rig.call("stop", key)
        await rig.rows.until(key, lambda row: row["phase"] == "stopped")
    finally:
        os.kill(gateway, signal.SIGKILL)
    await rig.call("start", key)
    await rig.rows.until(key, up(after=before))
    await rig.until(lambda s: s["gateway"]["connected"] and s["gateway"]["pid"] != gateway)
    await rig.heard()


@drawn("restarted", weight=2)
async def _restarted(rig: SoakRig) -> None:
    key = rig.victim()
    before = rig.incarnation(key)
    await rig.call("restart", key)
    await rig.rows.until(key, up(after=before))


@drawn("logs-rotated")
async def _logs_rotated(rig: SoakRig) -> None:
    """Rename every log, as logrotate does, and send HUP: they are opened anew."""
    logs = rig.daemon.directory / "state" / "logs"
    for path in list(logs.glob("*.log")):
        path.rename(path.with_suffix(".old"))
    os.kill(rig.daemon.pid, signal.SIGHUP)
    async with asyncio.timeout(PATIENCE):
        while not (logs / "supervisor.log").exists():  # noqa: ASYNC110 - no event says so
            await asyncio.sleep(CHECK_SECONDS)
