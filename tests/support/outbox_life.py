"""The outbox of one gateway process, with a scripted worker and a journal that may outlive it."""

from __future__ import annotations

import asyncio
import time
from asyncio import TaskGroup
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from ipc.calls import Waiter
from ipc.errors import RemoteError
from ipc.frames.data import SendProgress
from ipc.frames.status import AccountStatus
from ipc.frames.words import UNAVAILABLE
from ipc.identity.peer import PeerProof
from runtime.config.access_policy import AccessPolicy
from runtime.config.sessions import QueueConfig, QueueMode
from runtime.gateway.accounts.agents import MEANT, Agents
from runtime.gateway.accounts.answering import Answering
from runtime.gateway.accounts.fanout import Fanout
from runtime.gateway.accounts.handover import Handover
from runtime.gateway.accounts.intake import Intake
from runtime.gateway.accounts.peers import Peers
from runtime.gateway.accounts.ring import Rings
from runtime.gateway.accounts.rows import Accounts
from runtime.gateway.jobs import Jobs
from runtime.gateway.journal.interface import Journal
from runtime.gateway.journal.outgoing import OutgoingRow
from runtime.gateway.journal.records import Arrived, Kept, Marked
from runtime.gateway.outbox.dead_letters import DeadLetters
from runtime.gateway.outbox.lending import FileLending
from runtime.gateway.outbox.outbox import Outbox
from runtime.gateway.runs.links import RunLinks, TurnTaking
from runtime.gateway.runs.reception import ConversationsConfig, Reception
from runtime.gateway.runs.recovery import Recovery
from runtime.gateway.runs.runs import Runs
from runtime.gateway.runs.sessions import SessionCache
from tests.support.admission import OPEN, open_gate
from tests.support.gateway_rig import payload
from tests.support.journals import KEY, store
from tests.support.runs_life import ScriptedAgent
from workers.messages import Outbound

Verdict = Exception | dict[str, Any] | None  # an error, a result, or nothing yet


def done(id: str = "p1", parts: int = 1) -> dict[str, Any]:
    """Return the answer of a worker whose platform has accepted the message."""
    return {"sent": [{"id": f"{id}.{number}", "chat": "ada", "ts": 5} for number in range(parts)]}


def refusal(retryable: bool = True, after: int | None = None, **details: Any) -> RemoteError:
    """Return the answer of a worker whose platform does not accept the message now."""
    return RemoteError(
        UNAVAILABLE, "not now", details=details, retryable=retryable, retry_after_ms=after
    )


class OutboxLife:
    """One life of a gateway. ``worker`` decides what comes of each call, whose params are kept in
    ``calls``; what it leaves open waits in ``waiting``. ``turns(self)`` makes what runs have as
    the turn link, the scripted ``agent`` unless told otherwise.
    """

    def __init__(
        self,
        tasks: TaskGroup,
        journal: Journal,
        worker: Callable[[dict[str, Any]], Verdict] = lambda call: done(),
        agent: str = "none",
        state_dir: Path | None = None,
        mode: QueueMode = "followup",
        kind: str = "echo",
        repeat: str = "unseen",
        policy: AccessPolicy = OPEN,
        turns: Callable[[OutboxLife], TurnTaking] | None = None,
        **row: Any,
    ) -> None:
        self.journal, self.worker = journal, worker
        self.calls: list[dict[str, Any]] = []
        self.waiting: list[tuple[dict[str, Any], Waiter[bytes]]] = []
        self.shown: list[tuple[str, str, str]] = []  # edits of previews: method, message, text
        self.show: Callable[[dict[str, Any]], Verdict] = lambda call: {}
        self.jobs = Jobs(tasks)
        self.accounts = Accounts([])
        self.peers = Peers(self.accounts, PeerProof(b"secret"))
        fanout = Fanout(self.flush)
        handover = Handover(Rings(100, 1 << 20), fanout)
        self.intake = Intake(
            self.peers, handover, lambda on_change: journal, self._on_stored, self._on_left
        )
        self.gatekeeper = open_gate(
            KEY, journal=lambda: self.intake.journal, flush=self.flush, policy=policy
        )
        entries = {"echo": {"kind": kind, "repeat": repeat}}
        self.agents = Agents({"default": agent, "entries": entries}, self.accounts, self.gatekeeper)
        self.agent = ScriptedAgent(self.accounts)
        self.outbox = Outbox(
            self.peers,
            self.intake,
            self.ask,
            self.jobs,
            self.flush,
            self.agents.on_answer,
            state_dir,
            lambda key: self.reception.is_answered(key),
        )
        self.dead_letters = DeadLetters(self.outbox, self.intake, self.flush)
        self.sessions = SessionCache(lambda: self.intake.journal)
        self.runs = self.agent.runs = Runs(
            RunLinks(
                journal=lambda: self.intake.journal,
                flush_soon=self.flush,
                agents=self.agents,
                turns=self.agent if turns is None else turns(self),
                outbox=self.outbox,
                sessions=self.sessions,
                jobs=self.jobs,
                abilities=lambda key: {},
                queue=lambda run: self.reception.queue_of(run),
                silent_groups=lambda: self.reception.silent_groups,
                files=FileLending(state_dir),
            )
        )
        self.reception = Reception(
            self.agents,
            self.gatekeeper,
            self.sessions,
            self.runs,
            lambda: self.intake.journal,
            self.accounts,
        )
        self.reception.configure(ConversationsConfig(queue=QueueConfig(mode=mode)))
        self.answering = Answering(
            self.agents,
            self.jobs,
            self.outbox,
            self.gatekeeper,
            self.intake,
            self.reception,
            self.runs,
            self.flush,
            state_dir,
        )
        where = Path("journal.db")
        self.recovery = Recovery(self.runs, self.intake, self.jobs, lambda: where)
        self.row = row  # fields of each report
        self.report()

    def flush(self) -> None:
        self.journal.flush()

    def report(self, incarnation: int = 1, phase: str = "running", **more: Any) -> None:
        """Report the account as the supervisor does; one that runs is welcomed by ``welcome``."""
        fields: dict[str, Any] = {"journal": "on", "wanted": True} | self.row | more
        row = AccountStatus(KEY, "irc", "libera", phase=phase, incarnation=incarnation, **fields)
        self.accounts.apply(KEY, row)
        self.intake.configure(KEY)
        for peer in self.peers.of_account(KEY):
            if self.peers.has_ended(peer):
                self.peers.forget(peer)
        self.outbox.on_report(KEY)

    def welcome(self, incarnation: int = 1) -> None:
        """Send the hello of the account's worker."""
        self.report(incarnation)
        peer = self.peers.ensure(f"{KEY}#{incarnation}".encode(), KEY, incarnation)
        self.peers.welcome(peer)
        self.outbox.on_welcome(KEY)
        self.answering.on_welcome(KEY)
        self.recovery.on_report()

    def ask(
        self, key: str, method: str, params: bytes, seconds: float, waiter: Waiter[bytes]
    ) -> bool:
        assert key == KEY
        call = msgspec.json.decode(params)
        if method != "deliver":
            self.shown.append((method, call["message"], call.get("text", "")))
            asyncio.get_running_loop().call_soon(settle, waiter, self.show(call))
            return True
        self.calls.append(call)
        verdict = self.worker(call)
        if verdict is None:
            self.waiting.append((call, waiter))
        else:
            asyncio.get_running_loop().call_soon(settle, waiter, verdict)
        return True

    def settle(self, verdict: Verdict, number: int = 0) -> None:
        """Give an open call of the worker its result."""
        settle(self.waiting.pop(number)[1], verdict)

    def progress(self, key: str, attempt: int, texts: list[str], sent: list[Any]) -> None:
        peer = self.peers.by_key[KEY]
        encode = msgspec.json.encode
        made = encode(texts) if texts else b""
        self.outbox.on_progress(peer, SendProgress(key, attempt, made, encode(sent)))

    async def send(
        self, key: str, text: str = "hi", to: str = "ada", seconds: float = 30.0, **more: Any
    ) -> OutgoingRow:
        return await self.outbox.send(KEY, Outbound(to, text, key), seconds, **more)

    async def hears(
        self,
        first: int,
        count: int = 1,
        at: float | None = None,
        flags: int = MEANT,
        **message: Any,
    ) -> None:
        """Store messages with these fields, and pass them on as the intake does."""
        now = int((time.time() if at is None else at) * 1000)
        some = [payload(KEY, number, **message) for number in range(first, first + count)]
        ids: list[str | None] = [f"m{number}" for number in range(first, first + count)]
        record = Arrived(KEY, 1, first, bytes([flags]) * count, some, ids, at=now)
        (kept,) = await store(self.journal, record)
        assert isinstance(kept, Kept)
        for part in kept.parts:
            self.answering.on_stored(KEY, 1, now, part)

    @property
    def sent(self) -> list[str]:
        """The keys of the sends that the worker was given."""
        return [call["message"]["key"] for call in self.calls if call.get("begin", True)]

    @property
    def failed(self) -> dict[str, int]:
        return {reason: count for reason, count in self.agents.failed.items() if count}

    async def pending(self) -> list[OutgoingRow]:
        await store(self.journal, Marked(KEY, b"0"))  # what is before it is stored too
        return [each.row for each in await self.journal.outgoing(KEY)]

    def end(self) -> None:
        """End this gateway process without notice, as kill -9 does."""
        for account in self.outbox.accounts.values():
            account.forget("is over")
        self.runs.close()
        self.answering.close()

    async def rests(self) -> None:
        """Wait until nothing is in progress."""
        assert await self.jobs.finish(5)
        self.flush()

    def _on_stored(self, key: str, incarnation: int, at: int, part: Any) -> None:
        self.answering.on_stored(key, incarnation, at, part)

    def _on_left(self, key: str) -> None:
        self.answering.forget(key)


def settle(waiter: Waiter[bytes], verdict: Verdict) -> None:
    """Give a call its result."""
    if isinstance(verdict, Exception):
        waiter.set_exception(verdict)
    else:
        waiter.set_result(msgspec.json.encode(verdict))
