"""One account under supervision: its child, its figures, its history, its status row.

Everything that happens to the account's process goes through ``child.post``; this class
only adds what a person wants to see and the judgement of a silent worker.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import structlog

from ipc.frames.control import Beat
from ipc.frames.status import PLUGIN_FIELDS, AccountStatus, Hold
from ipc.frames.words import ALIVE, Phase
from ipc.heartbeat import Pulse, Verdict
from runtime.config.accounts import AccountSpec
from runtime.supervisor.accounts.explain import todo
from runtime.supervisor.accounts.history import EMPTY, EVENTS, HistoryEntry
from runtime.supervisor.accounts.restart_reasons import RestartReasons
from runtime.supervisor.child import Child, Process
from runtime.supervisor.lifecycle import (
    UNHEALTHY,
    Event,
    Exited,
    Policy,
    Start,
    State,
    Unhealthy,
    blame,
)
from runtime.supervisor.processes import vitals
from runtime.supervisor.processes.limits import ProcessLimits

HISTORY = EVENTS
BUSY = "using CPU (a busy loop, or code that holds the GIL)"

log = structlog.get_logger("account")


def policy_of(spec: AccountSpec) -> Policy:
    """Return the lifecycle policy that the account's configuration asks for."""
    restart = spec.restart
    return Policy(
        initial=restart.initial_seconds,
        factor=restart.factor,
        maximum=restart.maximum_seconds,
        jitter=restart.jitter,
        slow_after=restart.slow_after,
        slow=restart.slow_seconds,
        ready_within=restart.ready_within_seconds,
        stop_within=restart.stop_within_seconds,
        healthy_after=restart.healthy_after_seconds,
    )


def _unheard(key: str, entry: HistoryEntry) -> None:
    pass


@dataclass(slots=True)
class Figures:
    """What the worker of one incarnation said about itself last. Times are loop seconds."""

    pulse: Pulse
    beat_at: float = 0.0
    cpu_when_asked: float = 0.0
    beat: Beat | None = None
    cpu_percent: float | None = None
    plugin: dict[str, Any] = field(default_factory=dict)
    hello: bool = False
    pace: float = 0.0  # seconds between two beats, as it has been told
    revision: str = ""  # of the configuration that its process was started with
    bounds: ProcessLimits | None = None  # of its process, once that has been started


class Account:
    """An account and everything known about it."""

    def __init__(
        self,
        spec: AccountSpec,
        *,
        suspect_after: float,
        silent_after: float,
        first_incarnation: int,
        spawn: Callable[[Account, int], Awaitable[Process]],
        on_change: Callable[[Account], None],
        hold: Hold | None,
        past: Iterable[dict[str, Any]] = (),
        on_event: Callable[[str, HistoryEntry], None] = _unheard,
    ) -> None:
        self.spec = spec
        self.key = spec.key
        self.hold = hold
        self.history: deque[dict[str, Any]] = deque(past, maxlen=HISTORY)
        self._suspect_after = suspect_after
        self._silent_after = silent_after
        self.figures = self._fresh()
        self.urgent = False  # an operator waits for the next start
        self._on_change = on_change
        self._on_event = on_event
        self._reasons = RestartReasons()
        self._totals = {"in": 0, "out": 0, "lost": 0}
        self._dropped: dict[str, int] = {}
        self._log_dropped: Callable[[], int] = lambda: 0
        self._at: dict[str, tuple[int, int]] = {}  # epoch ms, and of which incarnation
        self._last_error: str | None = None
        self._last_exit: str | None = None
        self._settled: list[tuple[Callable[[State], bool], asyncio.Future[None]]] = []
        self.child = Child(
            spec.key,
            policy_of(spec),
            lambda incarnation: spawn(self, incarnation),
            first_incarnation=first_incarnation,
            failures=self.history[-1]["failures"] if self.history else 0,
            on_change=self._child_changed,
        )
        self._before = self.child.state

    @property
    def phase(self) -> Phase:
        """The child's phase."""
        return self.child.state.phase

    @property
    def ready_at(self) -> int | None:
        """When the account became ready last, in epoch milliseconds."""
        return self._when("ready")

    def begin(self) -> None:
        """Begin the figures of a new incarnation, before it can say anything."""
        self._fold()
        self.figures = self._fresh()

    def captured(self, log_dropped: Callable[[], int]) -> None:
        """Take the counter of dropped lines of the new incarnation's output."""
        self._log_dropped = log_dropped

    def _fresh(self) -> Figures:
        grace = self._silent_after - self._suspect_after
        return Figures(Pulse(self._suspect_after, grace))

    def allow(self, suspect_after: float, silent_after: float) -> None:
        """Set how many seconds of silence raise a suspicion, and how many end the worker.

        The silence begins anew: a worker that beats as seldom as it was told is no suspect.
        """
        if (suspect_after, silent_after) == (self._suspect_after, self._silent_after):
            return
        self._suspect_after, self._silent_after = suspect_after, silent_after
        pulse = self.figures.pulse
        pulse.silence, pulse.grace = suspect_after, silent_after - suspect_after
        if pulse.asked is None:
            pulse.heard = asyncio.get_running_loop().time()

    def bind(self) -> None:
        """Bring the limits that are configured now to a worker that runs.

        Before its hello it may still be about to take on those that it was started with.
        """
        if self.figures.bounds is not None and self.figures.hello:
            self.figures.bounds.change(self.spec.limits)

    def heard(self, now: float) -> bool:
        """Take a frame as a sign of life; return whether the worker had been suspected."""
        suspected = self.figures.pulse.asked is not None
        self.figures.pulse.seen(now)
        return suspected

    def beat(self, beat: Beat, now: float) -> None:
        """Keep the figures of a beat."""
        figures = self.figures
        if figures.beat is not None and now > figures.beat_at:
            used = beat.cpu - figures.beat.cpu
            figures.cpu_percent = round(100 * used / (now - figures.beat_at), 1)
        figures.beat, figures.beat_at = beat, now

    def patch(self, fields: dict[str, Any]) -> bool:
        """Take what the plugin says about itself; return whether anything changed."""
        allowed = {name: value for name, value in fields.items() if name in PLUGIN_FIELDS}
        if "lastError" in allowed:
            said = allowed["lastError"]
            self._last_error = None if said is None else str(said)
        changed = any(self.figures.plugin.get(name) != allowed[name] for name in allowed)
        self.figures.plugin.update(allowed)
        return changed

    def judge(self, now: float) -> Verdict:
        """Say whether a running worker has been silent for too long (see ``Pulse.due``)."""
        if self.phase is not Phase.RUNNING or not self.figures.hello:
            return Verdict.ALIVE
        verdict = self.figures.pulse.due(now)
        if verdict is Verdict.ASK:
            self.figures.cpu_when_asked = self._cpu_used()
        elif verdict is Verdict.GONE:
            silence = now - self.figures.pulse.heard
            self.unhealthy(f"silent for {silence:.0f} s: {self._why_silent()}")
        return verdict

    def _why_silent(self) -> str:
        """Tell a stopped process from a busy and from a blocked event loop.

        A busy loop and code that holds the GIL look alike from outside: a thread that runs.
        Telling them apart takes a thread in every worker that does nothing else.
        """
        process = self.child.process
        state = vitals.state(process.pid) if process else None
        if state is None:
            return "process is gone"
        if state == vitals.STOPPED:
            return "process is stopped (SIGSTOP)"
        busy = self._cpu_used() - self.figures.cpu_when_asked > 0.5
        return f"event loop blocked, {BUSY if busy else 'idle'}"

    def _cpu_used(self) -> float:
        process = self.child.process
        return (vitals.cpu_seconds(process.pid) if process else None) or 0.0

    def _fold(self) -> None:
        """Add the figures of the ended incarnation to the account's totals."""
        beat = self.figures.beat
        if beat is None:
            return
        self._totals["in"] += beat.messages_in
        self._totals["out"] += beat.messages_out
        for reason, count in beat.dropped.items():
            self._dropped[reason] = self._dropped.get(reason, 0) + count
        self.figures.beat = None

    def _child_changed(self, name: str, state: State, event: Event) -> None:
        try:
            self._note(state, event)
        except Exception:  # one account's row must never cost the supervisor
            log.exception("account not noted", account=self.key)
        self._before = state
        self._tell(state)

    def _note(self, state: State, event: Event) -> None:
        now = int(time.time() * 1000)
        self._reasons.note(self._before, state, event)
        match state.phase:
            case Phase.STARTING:
                self._stamp("started", now, state)
            case Phase.RUNNING:
                self._stamp("ready", now, state)
            case Phase.STOPPING if state.cause == UNHEALTHY:
                self._last_error = state.reason
            case Phase.STOPPED | Phase.BACKOFF | Phase.FAILED:
                self._ended(state, now)
        self._enter(state, event, now)

    def _enter(self, state: State, event: Event, now: int) -> None:
        """Enter what happened into the history, unless nothing did that a person would miss."""
        before, text = self._before, state.reason
        forgiven = before.failures > state.failures
        same = (before.phase, before.cause, before.incarnation)
        if same == (state.phase, state.cause, state.incarnation):
            if not forgiven:
                return
            text = "failures forgiven"
        elif isinstance(event, Start):
            text = event.reason or state.reason if event.automatic else "started by an operator"
        how = event.exit if isinstance(event, Exited) else None
        entry = HistoryEntry(
            at=now,
            phase=state.phase.value,
            cause=state.cause,
            text=text,
            incarnation=state.incarnation,
            failures=state.failures,
            exit=str(how) if how else None,
            exit_cause=blame(before, how) if how else None,
        )
        self.history.append({**EMPTY, **msgspec.to_builtins(entry)})
        self._on_event(self.key, entry)

    def _stamp(self, name: str, now: int, state: State) -> None:
        """Remember when something happened for the first time in this incarnation."""
        if self._at.get(name, (0, -1))[1] != state.incarnation:
            self._at[name] = now, state.incarnation

    def _when(self, name: str) -> int | None:
        return self._at[name][0] if name in self._at else None

    def _ended(self, state: State, now: int) -> None:
        beat = self.figures.beat
        unclean = state.phase is not Phase.STOPPED
        if beat is not None and unclean:
            self._totals["lost"] = max(0, beat.emitted - beat.acked)
        if "started" in self._at:
            self._stamp("stopped", now, state)
        self._fold()
        if unclean:
            self._last_exit = str(self.child.last_exit) if self.child.last_exit else None
            self._last_error = state.reason
        self.figures.plugin.update({"connected": False} if self.figures.plugin else {})

    def _tell(self, state: State) -> None:
        for until, future in self._settled:
            if not future.done() and until(state):
                future.set_result(None)
        try:
            self._on_change(self)
        except Exception:  # as above: whoever is told must not cost the supervisor either
            log.exception("change not told", account=self.key)

    async def settled(self, until: Callable[[State], bool], timeout: float | None) -> bool:
        """Wait until the state satisfies ``until``; return whether it did within ``timeout``.

        What was posted before counts: the state is looked at after it has been worked off.
        """
        await asyncio.sleep(0)  # the child empties its mailbox in the turn that is due now
        if until(self.child.state):
            return True
        entry = (until, asyncio.get_running_loop().create_future())
        self._settled.append(entry)
        try:
            async with asyncio.timeout(timeout):
                await entry[1]
        except TimeoutError:
            return False
        finally:
            self._settled.remove(entry)
        return True

    def unhealthy(self, reason: str) -> None:
        """Have the current incarnation ended and started anew."""
        self.child.post(Unhealthy(self.child.state.incarnation, reason))

    def status(self) -> AccountStatus:
        """Return the row that everybody is shown."""
        state, spec, figures = self.child.state, self.spec, self.figures
        beat, process = figures.beat, self.child.process
        alive = state.phase in ALIVE
        plugin = {**spec.manifest.status, **figures.plugin}
        dropped = dict(self._dropped)
        for reason, count in (beat.dropped if beat else {}).items():
            dropped[reason] = dropped.get(reason, 0) + count
        return AccountStatus(
            account=self.key,
            channel=spec.channel,
            account_id=spec.account_id,
            phase=state.phase.value,
            cause=state.cause,
            wanted=state.wanted,
            enabled=spec.enabled,
            configured=spec.configured,
            name=spec.name,
            agent=spec.agent,
            pid=process.pid if alive and process is not None else None,
            incarnation=state.incarnation,
            revision=figures.revision,
            failures=state.failures,
            restarts=state.restarts,
            restart_reasons=dict(self._reasons.counts),
            next_try_at=self._next_try_at(state),
            started_at=self._when("started"),
            ready_at=self._when("ready") if state.phase is Phase.RUNNING else None,
            stopped_at=self._when("stopped"),
            last_error=self._last_error,
            last_exit=self._last_exit,
            hold=self.hold,
            health=self._health(state, plugin),
            todo=todo(self.key, state),
            rss_bytes=beat.rss_bytes if beat and alive else None,
            cpu_percent=figures.cpu_percent if alive else None,
            fds=beat.fds if beat and alive else None,
            loop_lag_ms=round(beat.lag * 1000, 1) if beat and alive else None,
            queued=beat.queued if beat and alive else 0,
            messages_in=self._totals["in"] + (beat.messages_in if beat else 0),
            messages_out=self._totals["out"] + (beat.messages_out if beat else 0),
            dropped=dropped,
            possibly_lost=self._totals["lost"],
            log_dropped=self._log_dropped(),
            plugin=plugin,
        )

    def _health(self, state: State, plugin: dict[str, Any]) -> str | None:
        if state.phase is not Phase.RUNNING:
            return None
        if self.figures.pulse.asked is not None:
            return "degraded: silent"
        return "degraded: not connected" if plugin.get("connected") is False else "ok"

    def _next_try_at(self, state: State) -> int | None:
        due = self.child.deadline
        if state.phase is not Phase.BACKOFF or due is None:
            return None
        left = due - asyncio.get_running_loop().time()
        return int((time.time() + left) * 1000)
