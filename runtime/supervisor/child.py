"""Runs one supervised process: carries out the actions that ``lifecycle.step`` decides.

It has one mailbox and handles one event at a time, without locks, flags, or an await while
deciding. It drives the gateway and every account; only their policy and the source of Ready
and Unhealthy differ.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

from ipc.frames.words import Phase
from ipc.permissions import describe
from runtime.supervisor.lifecycle import (
    Action,
    Deadline,
    Event,
    Exit,
    Exited,
    Kill,
    Spawn,
    Spawned,
    State,
    Terminate,
    Wake,
    step,
)
from runtime.supervisor.policy import Policy

log = structlog.get_logger("supervisor")


NEW = State()


class Process(Protocol):
    """A started operating-system process (see ``processes/process.py``)."""

    @property
    def pid(self) -> int:
        """Its process id."""

    def terminate(self) -> None:
        """Ask the process to end."""

    def kill(self) -> None:
        """Kill the process and what it started."""

    async def wait(self) -> Exit:
        """Wait until the process and its group have ended; return how. Does not raise."""


class StandInProcess:
    """The process of a child that has none. It ends by ``end``, or as soon as it is asked to.

    ``text`` is the reason of its exit in the latter case.
    """

    pid = 0

    def __init__(self, text: str | None = None) -> None:
        self._text = text
        self._ended: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()

    def end(self, how: Exit) -> None:
        """End it; the first exit counts."""
        if not self._ended.done():
            self._ended.set_result(how)

    def terminate(self) -> None:
        """End it in an orderly way."""
        self.end(Exit(code=0, text=self._text))

    def kill(self) -> None:
        """End it: there is nothing to kill."""
        self.terminate()

    async def wait(self) -> Exit:
        """Return how it ended."""
        return await asyncio.shield(self._ended)


def _symmetric() -> float:
    return random.uniform(-1.0, 1.0)


def _unwatched(name: str, state: State, event: Event) -> None:
    pass


class Child:
    """One supervised process. Everything that happens to it arrives through ``post``.

    ``spawn(incarnation)`` starts the process; what it raises counts as a failure with that
    text. ``state`` is where it begins: its incarnation is the number before the first one used,
    its failures those of an earlier supervisor that were not forgiven. ``due``: the phase in
    which it begins is over after so many seconds (needs the running loop).
    ``on_change(name, state, event)`` is called after every state change, and once more if the
    child became ready before its process handle was known. ``policy`` may be replaced at any
    time. ``last_exit`` is how the last process ended.
    """

    def __init__(
        self,
        name: str,
        policy: Policy,
        spawn: Callable[[int], Awaitable[Process]],
        *,
        state: State = NEW,
        due: float | None = None,
        on_change: Callable[[str, State, Event], None] = _unwatched,
        rand: Callable[[], float] = _symmetric,
    ) -> None:
        self.name = name
        self.policy = policy
        self.state = state
        self.process: Process | None = None
        self.last_exit: Exit | None = None
        self.stale = 0  # events of earlier incarnations, dropped
        self._spawn = spawn
        self._on_change = on_change
        self._rand = rand
        self._inbox: asyncio.Queue[Event] = asyncio.Queue()
        self._timer: asyncio.TimerHandle | None = None
        self._overdue: Terminate | Kill | None = None  # asked for before the process was there
        if due is not None:
            self._set_timer(due)

    @property
    def deadline(self) -> float | None:
        """The deadline of the current phase, on the loop's clock; ``None`` if it has none.

        In BACKOFF, and in FAILED with further tries, it is the time of the next try.
        """
        return self._timer.when() if self._timer else None

    def post(self, event: Event) -> None:
        """Queue an event in the mailbox; never blocks. Call it only on the loop's thread."""
        self._inbox.put_nowait(event)

    async def run(self) -> None:
        """Handle events until cancelled; then kill a process that still runs."""
        try:
            async with asyncio.TaskGroup() as watchers:
                while True:
                    self._handle(await self._inbox.get(), watchers)
        finally:
            self._disarm()

    def _handle(self, event: Event, watchers: asyncio.TaskGroup) -> None:
        before = self.state
        if getattr(event, "incarnation", before.incarnation) != before.incarnation:
            self.stale += 1
        self.state, actions = step(self.policy, before, event, self._rand())
        if self.state.phase is not before.phase:
            self._disarm()
        if isinstance(event, Deadline) and self._timer and self._timer.when() <= _now():
            self._disarm()
        for action in actions:
            self._perform(action, watchers)
        if self.state != before:
            self._on_change(self.name, self.state, event)

    def _perform(self, action: Action, watchers: asyncio.TaskGroup) -> None:
        match action:
            case Spawn(incarnation):
                self._overdue = None
                watchers.create_task(self._watch(incarnation), name=f"{self.name}#{incarnation}")
            case Terminate() | Kill():
                self._signal(action)
            case Wake(after):
                self._set_timer(after)

    def _set_timer(self, after: float) -> None:
        self._disarm()
        due = Deadline(self.state.incarnation, self.state.phase)
        self._timer = asyncio.get_running_loop().call_later(after, self.post, due)

    def _signal(self, action: Terminate | Kill) -> None:
        self._overdue = action
        if self.process is None:
            return
        if isinstance(action, Kill):
            self.process.kill()
        else:
            self.process.terminate()

    async def _watch(self, incarnation: int) -> None:
        try:
            process = await self._spawn(incarnation)
        except Exception as error:  # noqa: BLE001 — whatever keeps it from starting is its failure
            text = describe(error) if isinstance(error, OSError) else str(error)
            how = Exit(text=f"cannot start: {text or type(error).__name__}")
        else:
            born = Spawned(incarnation)
            self.post(born)
            how = await self._wait_for_exit(process, born)
        self.last_exit = how
        self.post(Exited(incarnation, how, _now()))

    async def _wait_for_exit(self, process: Process, born: Spawned) -> Exit:
        self.process = process
        # A worker may be ready before the spawner's thread has handed over its process: the
        # change to RUNNING is reported again, now with a pid.
        if self.state.phase is Phase.RUNNING and self.state.incarnation == born.incarnation:
            self._on_change(self.name, self.state, born)
        try:
            if self._overdue:  # a stop came while it was being spawned
                self._signal(self._overdue)
            return await process.wait()
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise
        finally:
            self.process = None

    def _disarm(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = None


async def supervise(child: Child) -> None:
    """Run ``child`` until cancelled; an exception in the supervision counts as its failure.

    A bug in the code around one child, or an unexpected system error, must not end the supervisor
    and all other children: it is logged, and the child is tried again.
    """
    while True:
        try:
            await child.run()
        except Exception as error:  # its process, if there was one, has been killed
            log.exception("supervision failed", child=child.name)
            text = f"supervision failed: {_innermost(error)}"
            child.post(Exited(child.state.incarnation, Exit(text=text), _now()))


def _innermost(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"


def _now() -> float:
    return asyncio.get_running_loop().time()
