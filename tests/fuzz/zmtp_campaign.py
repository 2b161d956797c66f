"""Forged ZMTP frames of every kind against a link of the product, beside a victim.

What attacks is another process (``zmtp_attacker``), with a worker's credentials. Meanwhile the
victim sends what is numbered: each must be heard once, in order, and nothing else as its word.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import socket
import struct
import sys
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field

import structlog

from ipc.frames.bootstrap import WorkerBoot
from ipc.frames.data import INBOUND, Call, HttpCall
from ipc.frames.words import Phase
from ipc.identity.peer import PeerCredentials
from ipc.procfs import rss_bytes
from ipc.websocket.client import Client
from runtime.supervisor.accounts.account import Account
from runtime.supervisor.accounts.control_link import ControlLink
from runtime.supervisor.lifecycle import Start
from tests.fuzz.zmtp_attacker import CONNECTIONS, OTHER, VICTIM
from tests.support.accounts import Stage, account_of, phase, spec_of
from tests.support.gateway_rig import SECRET, gateway_rig, payload, row
from tests.support.messages import KEY, take
from tests.support.players import beat
from tests.support.short_directory import ShortDirectory
from tests.support.until import PATIENCE, until
from workers.links.control import WorkerControlLink
from workers.links.data import WorkerDataLink

CALLS = 3  # to the victim, at the end
MEMORY_BYTES = 16 << 20  # more than the rings and the heap need
FILES = 4


@dataclass
class ZmtpReport:
    """What was sent, and what the victim made of it. ``rss``, in bytes, and ``files``, by what
    they are, are those before and after."""

    frames: Counter[str] = field(default_factory=Counter)
    connections: int = 0
    refused: int = 0
    said: int = 0
    heard: list[str] = field(default_factory=list)
    forged: int = 0
    answered: int = 0
    rss: tuple[int, int] = (0, 0)
    files: tuple[Counter[str], Counter[str]] = field(default_factory=lambda: (Counter(), Counter()))

    def harm(self) -> list[str]:
        """Return what the frames have done to the victim, or to the process."""
        found = []
        if self.heard != [f"text {seq}" for seq in range(1, self.said + 1)]:
            found.append(f"of {self.said} messages other {len(self.heard)} came, or in disorder")
        if self.forged:
            found.append(f"{self.forged} forged messages")
        if self.answered != CALLS:
            found.append(f"{self.answered} of {CALLS} calls were answered")
        before, after = self.rss
        if after - before > MEMORY_BYTES:
            found.append(f"the memory has grown by {(after - before) >> 20} MiB")
        was, now = self.files
        if now.total() - was.total() > FILES:
            found.append(f"{was.total()} files have become {now.total()}: more are {now - was}")
        return found


class _Victim:
    """The worker beside whom all of it happens."""

    def __init__(self, address: str, known: PeerCredentials) -> None:
        boot = WorkerBoot(KEY, 1, known.token, "", address, "", {}, "", "")
        self.said = 0
        self.calls = 0
        self.link = WorkerDataLink(boot, self._on_call, structlog.get_logger("victim"))
        self.link.open()

    def _on_call(self, call: object, gateway: str) -> None:
        assert isinstance(call, Call | HttpCall)
        self.calls += 1
        self.link.answer(call.id, gateway, True, b'{"id":"1","chat":"x","ts":1}')

    async def say(self) -> None:
        """Say something now and then, for ever."""
        while True:
            self.said += 1
            self.link.post(payload(KEY, self.said), INBOUND)
            await asyncio.sleep(0.005)


async def attacked(address: str, frames: int, start: int, report: ZmtpReport) -> None:
    """Have the link at ``address`` attacked; the first fifth shows what is ordinary."""
    for share in (frames // 5, frames - frames // 5):
        command = (sys.executable, "-m", "tests.fuzz.zmtp_attacker", address, str(share))
        process = await asyncio.create_subprocess_exec(
            *command, str(start), stdout=asyncio.subprocess.PIPE
        )
        printed, _ = await process.communicate()
        assert process.returncode == 0
        sent = Counter(json.loads(printed))
        await settled(report.files[0])
        report.connections += sent.pop(CONNECTIONS)
        report.frames += sent
        now = rss_bytes() or 0, open_files()
        report.rss = report.rss[0] or now[0], now[0]
        report.files = report.files[0] or now[1], now[1]
        start += 1


def open_files() -> Counter[str]:
    """Return how many files of each kind this process has open; those with a name are their own."""
    found: Counter[str] = Counter()
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the directory itself, or one that is closed meanwhile
            target = os.readlink(f"/proc/self/fd/{number}")
            kind = target if target.startswith("/") else target.partition(":[")[0]
            found[_of_whom(int(number)) if kind == "socket" else kind] += 1
    return found


def _of_whom(number: int) -> str:
    """Return what a socket is, and of which process its peer is. Raises ``OSError``."""
    with socket.socket(fileno=os.dup(number)) as sock:
        what = f"{sock.family.name} {sock.type.name}"
        if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            return f"{what}, listening"
        if sock.family != socket.AF_UNIX:
            return what
        pid, _, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        peer = "this process" if pid == os.getpid() else "another process"
        return f"{what} of {peer}, {'open' if _is_open(sock) else 'closed by its peer'}"


def _is_open(sock: socket.socket) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN | select.POLLRDHUP)
    return not any(event & (select.POLLHUP | select.POLLRDHUP) for _, event in poll.poll(0))


async def settled(before: Counter[str]) -> None:
    """Wait until libzmq has closed the attacker's connections, as its threads get to it."""
    most = before.total() + FILES
    with contextlib.suppress(TimeoutError):
        await until(lambda: not before or open_files().total() <= most, PATIENCE)


async def run(frames: int, start: int) -> ZmtpReport:
    """Send ``frames`` forged frames to the data link of a gateway; ``start`` is the seed."""
    report = ZmtpReport()
    async with gateway_rig(row(KEY), row(OTHER)) as rig, asyncio.TaskGroup() as tasks:
        watcher, client = await rig.watcher(), await rig.client()
        victim = _Victim(rig.parts.boot.data, VICTIM)
        await until(lambda: KEY in rig.parts.peers.by_key)
        saying = tasks.create_task(victim.say())
        hearing = tasks.create_task(_hear(watcher, report))
        await attacked(rig.parts.boot.data, frames, start, report)
        saying.cancel()
        await until(lambda: len(report.heard) >= victim.said, PATIENCE)
        params = {"to": "x", "message": "y", "channel": "irc", "accountId": "libera"}
        for number in range(CALLS):
            await client.call("send", params | {"idempotencyKey": f"{os.getpid()}-{number}"})
        report.said, report.answered = victim.said, victim.calls
        report.refused = rig.parts.data_link.report().handshakes_refused
        hearing.cancel()
        victim.link.close()
    return report


async def run_control(frames: int, start: int) -> ZmtpReport:
    """Send ``frames`` forged frames to the control link of a supervisor."""
    report = ZmtpReport()
    accounts = {key: account_of(Stage(), spec_of(key), first_incarnation=0) for key in (KEY, OTHER)}

    def changed(account: Account) -> None:
        said = account.status().plugin.get("detail")
        if account.key == KEY and said is not None and said not in report.heard[-1:]:
            report.heard.append(said)
            report.forged += said == "forged"

    with ShortDirectory() as place, ExitStack() as closing:
        address = f"ipc://{place / 'control.ipc'}"
        link = ControlLink(
            address,
            SECRET,
            find=accounts.get,
            on_hello=lambda account: None,
            on_change=changed,
            on_figures=lambda account: None,
        )
        link.open()
        closing.callback(link.close)
        children = [asyncio.create_task(each.child.run()) for each in accounts.values()]
        try:
            accounts[KEY].child.post(Start())
            accounts[OTHER].child.post(Start())
            await until(lambda: accounts[KEY].child.process is not None)
            boot = WorkerBoot(KEY, 1, VICTIM.token, address, "", "", {}, "", "")
            victim = WorkerControlLink(boot, lambda lag: beat(), lambda: victim.send_drained())
            victim.open()
            closing.callback(victim.close)
            victim.send_ready()
            await phase(accounts[KEY], Phase.RUNNING)
            attack = asyncio.create_task(attacked(address, frames, start, report))
            while not attack.done():
                report.said += 1
                victim.patch({"detail": f"text {report.said}"})
                await asyncio.sleep(0.005)
            await attack
            await until(lambda: len(report.heard) >= report.said, PATIENCE)
            for _ in range(CALLS):
                report.answered += await link.request_drain(accounts[KEY], PATIENCE)
            assert accounts[KEY].phase is Phase.RUNNING
            report.refused = link.handshakes_refused
        finally:
            for child in children:
                child.cancel()
            await asyncio.wait(children)
    return report


async def _hear(watcher: Client, report: ZmtpReport) -> None:
    while True:
        ((_, body),) = await take(watcher, 1)
        text = body["message"]["text"]
        report.forged += text == "forged"
        report.heard.append(text)


CAMPAIGNS = {"data": run, "control": run_control}
