"""Drives one account of a channel in a real worker: the object behind the fixture ``account``."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sqlite3
from collections.abc import Coroutine, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from ipc.nesting import decode_json
from workers.messages import Happened, Inbound
from workers.plugin import Manifest
from workers.process.loading import import_object
from workers.secrets import field_at
from workers.testing.daemon import TestDaemon
from workers.testing.fake import ChannelUnderTest, Fake, FakePlace
from workers.testing.faults import Fault, FaultKind
from workers.testing.kill_points import (
    SUFFIX,
    KillOrder,
    Point,
    install,
    pending,
    remove_order,
    save_order,
)
from workers.testing.kit_client import KitClient, SendOutcome
from workers.testing.loop_thread import PATIENCE, LoopThread, wait_until

T = TypeVar("T")

ACCOUNT = "it"
OUTLIVING = 5.0  # seconds that a process may take to end where the host is busy
SHORT = 80  # characters of a text in the sentence of a failure


class GatewayControl:
    """The gateway of the account under test: it may be taken down, killed, and brought up."""

    def __init__(self, daemon: TestDaemon, loop: LoopThread) -> None:
        self._daemon = daemon
        self._loop = loop

    def down(self) -> None:
        """Stop the gateway, and leave it down."""
        self._loop.run(self._daemon.call("gateway.stop"))

    def up(self) -> None:
        """Start the gateway, and wait until it answers."""
        self._loop.run(self._daemon.call("gateway.start"))

    def kill(self) -> None:
        """Kill the gateway with SIGKILL; the supervisor starts the next one."""
        before = self._loop.run(self._daemon.status())["gateway"]
        os.kill(before["pid"], signal.SIGKILL)
        self._loop.run(
            self._daemon.until(
                lambda status: (
                    status["gateway"]["connected"] and status["gateway"]["pid"] != before["pid"]
                ),
                "another gateway answers after the killed one",
            )
        )


class RunningAccount:
    """An account of the channel, alive between a fake platform and a real gateway.

    Whatever waits, waits for a condition, and fails with a sentence when it does not come true.
    """

    def __init__(self, channel: ChannelUnderTest) -> None:
        self.channel = channel
        self.manifest: Manifest = import_object(channel.manifest)
        self.fake: Fake = channel.fake()
        self._loop = LoopThread()
        self._daemon = TestDaemon(self.manifest.id + SUFFIX, ACCOUNT)
        self.gateway = GatewayControl(self._daemon, self._loop)
        self._fields: dict[str, Any] = {}
        self._client = KitClient()
        self._numbers = itertools.count(1)
        self._seen = 0  # of what people saw, so many messages are forgotten
        self._doomed = -1  # the last incarnation that is to be killed

    def say(self, text: str) -> None:
        """Write to the account as a person on the platform."""
        self._loop.run(self.fake.say(text))

    def send(self, text: str, to: str | None = None, **params: Any) -> SendOutcome:
        """Send a message through the worker; ``params`` are those of ``message.action``.

        ``key`` is the message's key, a new one unless it is given.
        """
        return self.act("send", to=to or self.fake.to, message=text, **params)

    def act(self, action: str, **params: Any) -> SendOutcome:
        """Execute an action of the account's ``can``, such as ``edit``, and return the outcome."""
        key = params.pop("key", None) or f"kit-{next(self._numbers)}"
        request = {
            "channel": self.manifest.id + SUFFIX,
            "accountId": ACCOUNT,
            "action": action,
            "params": params,
            "idempotencyKey": key,
        }
        return self._loop.run(self._client.call_action(request), 2 * PATIENCE)

    def on_platform(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what a coroutine of the fake returns, for example ``fake.edit("…")``."""
        return self._loop.run(work)

    def fail(self, kind: FaultKind, *, times: int = 0, seconds: float = 0.0) -> None:
        """Begin a fault of the platform: see ``workers.testing.faults``."""
        assert kind in self.fake.faults, f"the fake cannot do this wrong: {kind}"
        self._loop.run(self.fake.fail(Fault(kind, times, seconds)))

    def heal(self) -> None:
        """End all faults of the platform."""
        self._loop.run(self.fake.heal())

    def kill(self) -> None:
        """Kill the worker with SIGKILL, and wait until the next one is up."""
        row = self.row
        os.kill(row["pid"], signal.SIGKILL)
        self.up(after=row["incarnation"])

    def kill_at(self, point: Point, times: int = 1) -> None:
        """Order the worker killed at its next emits: ``before``, ``after`` or ``durable``."""
        self._doomed = self.row["incarnation"] + times - 1
        save_order(self._daemon.storage, KillOrder(point, times))

    def killed(self, *, up: bool = True) -> None:
        """Wait until the worker has been killed as ordered, and the next one is ``up``."""
        wait_until(
            lambda: pending(self._daemon.storage) is None,
            lambda: (
                f"the worker is killed where it was ordered: {pending(self._daemon.storage)}"
                f" is left. It is {self.row.get('phase')}; is anything emitted?"
            ),
        )
        if up:
            self.up(after=self._doomed)

    def stop(self) -> float:
        """Stop the account; return how many seconds that took."""
        before = self._loop.call(_now)
        self._account("channels.stop", wait=True)
        return self._loop.call(_now) - before

    def start(self) -> None:
        """Start the account, and wait until it is up."""
        before = self.row["incarnation"]
        self._account("channels.start")
        self.up(after=before - 1 if self.row["phase"] == "running" else before)

    def restart(self) -> None:
        """Replace the worker by another, whether or not that one comes up."""
        before = self.row["incarnation"]
        self._account("channels.restart")
        self.until(lambda row: row["incarnation"] > before, "another worker is started")

    def kill_supervisor(self) -> list[str]:
        """Kill the supervisor with SIGKILL, and start another.

        Return the command lines of what outlives it; that is killed, too.
        """
        family = self._loop.call(self._daemon.family)
        self._loop.run(self._daemon.kill())
        left: list[str] = []

        def is_gone() -> bool:
            left[:] = [" ".join(each.cmdline()) for each in family if _lives(each)]
            return not left

        try:
            wait_until(is_gone, "the supervisor's children have ended", OUTLIVING)
        except AssertionError:
            for each in family:
                if _lives(each):
                    each.kill()
        self._loop.run(self._daemon.start(), 2 * PATIENCE)
        self.up()
        return left

    def heard(self, count: int = 0, within: float = PATIENCE) -> list[Inbound]:
        """Return the messages that the gateway has handed on, once there are ``count``."""

        def seen() -> list[Inbound]:
            return [each for each in self._client.events if isinstance(each, Inbound)]

        def describe() -> str:
            texts = [_short(text) for text in _texts(seen())]
            return f"{count} messages reach the gateway; there are {texts}"

        wait_until(lambda: len(seen()) >= count, describe, within)
        return seen()

    def texts(self, count: int = 0, within: float = PATIENCE) -> list[str]:
        """Return the texts of these messages."""
        return _texts(self.heard(count, within))

    def happened(self, count: int = 0, within: float = PATIENCE) -> list[Happened]:
        """Return what else has happened on the platform, once it is ``count``."""

        def seen() -> list[Happened]:
            return [each for each in self._client.events if isinstance(each, Happened)]

        wait_until(
            lambda: len(seen()) >= count,
            lambda: f"{count} happenings reach the gateway; there are {seen()}",
            within,
        )
        return seen()

    def settled(self) -> list[str]:
        """Return the texts so far once a further one, said now, has arrived: nothing is under way.

        Messages of an account keep their order, so all that was said before has come by then.
        """
        fence = f"fence {next(self._numbers)}"
        self.say(fence)
        wait_until(
            lambda: fence in _texts(self.heard()),
            lambda: f"{fence!r} reaches the gateway; there are {_texts(self.heard())}",
        )
        return [text for text in _texts(self.heard()) if not text.startswith("fence ")]

    def shown(self, count: int = 0, within: float = PATIENCE) -> list[str]:
        """Return what people on the platform have seen of the account, once it is ``count``."""

        def seen() -> list[str]:
            return list(self._loop.call(self.fake.heard))[self._seen :]

        wait_until(
            lambda: len(seen()) >= count,
            lambda: f"people see {count} messages; they see {[_short(each) for each in seen()]}",
            within,
        )
        return seen()

    @property
    def gaps(self) -> list[str]:
        """The gaps that the gateway has reported to the test's client: messages are missing."""
        return self._loop.call(self._client.gaps.copy)

    def forget(self) -> None:
        """Drop the events received and the messages shown so far."""
        self._loop.call(self._client.events.clear)
        self._seen = len(self._loop.call(self.fake.heard))

    @property
    def cursor(self) -> Any:
        """The last durable cursor of the account, as the journal has it."""
        path = self._daemon.state_dir / "journal.db"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as journal:
            query = "SELECT cursor FROM account WHERE key = ?"
            found = journal.execute(query, (self._daemon.key,)).fetchone()
        return decode_json(found[0], object) if found and found[0] else None

    @property
    def row(self) -> dict[str, Any]:
        """The account's row of the status."""
        return self._loop.run(self._daemon.row())

    @property
    def log(self) -> list[str]:
        """The lines of the account's log, oldest first."""
        lines = self._loop.run(self._daemon.call("channels.logs", accounts=[self._daemon.key]))
        return [" ".join(map(str, line.values())) for line in lines["lines"]]

    def everything_shown(self) -> str:
        """Return all that people could read of the account: logs, status, what was printed."""
        shown = [self._daemon.printed(), repr(self._loop.run(self._daemon.status()))]
        files = [*self._daemon.state_dir.rglob("*.log*"), *self._daemon.state_dir.rglob("*.jsonl")]
        shown += [path.read_text(errors="replace") for path in files if path.is_file()]
        return "\n".join(shown)

    @property
    def secrets(self) -> list[str]:
        """The secrets of the account's configuration."""
        found = [field_at(self._fields, name) for name in sorted(self.manifest.secrets)]
        return [secret for secret in found if isinstance(secret, str) and secret]

    def until(self, true: Any, sentence: str, within: float = PATIENCE) -> dict[str, Any]:
        """Return the account's row once ``true(row)`` holds; fail with the sentence else."""
        key = self._daemon.key

        def holds(status: dict[str, Any]) -> bool:
            return any(row["account"] == key and true(row) for row in status["accounts"])

        self._loop.run(self._daemon.until(holds, sentence, within), within + PATIENCE)
        return self.row

    def up(self, after: int = -1) -> None:
        """Wait until the account is up, with a later incarnation than ``after``."""
        self.until(
            lambda row: row["phase"] == "running" and row["incarnation"] > after,
            "the account is running",
        )
        self._loop.run(self.fake.meet())

    def reset(self) -> None:
        """Reset it to the start of every test: no fault, running, nothing received."""
        self.heal()
        remove_order(self._daemon.storage)
        if not self._loop.run(self._daemon.status())["gateway"]["connected"]:
            self.gateway.up()
        if self.row["phase"] != "running":
            self._account("channels.start")
        self.up()
        self.settled()
        self.forget()

    def open(self) -> None:
        """Start the fake, the daemon and the account, and wait until it is up."""
        daemon = self._daemon
        install(daemon.modules, self.channel.manifest, self.manifest.id + SUFFIX)
        place = FakePlace(daemon.run_dir, ACCOUNT, Path(daemon.directory), daemon.ingress_url)
        self._fields = {**self._loop.run(self.fake.start(place)), **self.channel.config}
        daemon.configure(self._fields)
        self._loop.run(daemon.start(), 2 * PATIENCE)
        self._loop.run(self._client.open(daemon.port, daemon.key))
        self.up()

    def close(self) -> None:
        """End all of it."""
        try:
            self._loop.run(self._client.close())
            self._loop.run(self._daemon.close(), 2 * PATIENCE)
        finally:
            self._loop.run(self.fake.close())
            self._loop.close()

    def _account(self, method: str, **params: Any) -> None:
        answer = self._loop.run(
            self._daemon.call(method, accounts=[self._daemon.key], **params), PATIENCE
        )
        for row in answer["results"]:
            assert row["ok"], f"{method}: {row.get('error')}"


@contextmanager
def running(channel: ChannelUnderTest) -> Iterator[RunningAccount]:
    """Run an account of the channel for the length of a block."""
    account = RunningAccount(channel)
    try:
        account.open()
        yield account
    finally:
        account.close()


def _texts(messages: list[Inbound]) -> list[str]:
    return [message.text for message in messages]


def _short(text: str) -> str:
    return text if len(text) <= SHORT else f"{text[:SHORT]}… ({len(text)} characters)"


def _lives(process: Any) -> bool:
    try:
        return bool(process.is_running() and process.status() != "zombie")
    except Exception:  # noqa: BLE001 - it has ended meanwhile
        return False


def _now() -> float:
    return asyncio.get_running_loop().time()
