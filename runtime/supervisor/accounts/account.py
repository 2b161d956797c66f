"""Supervises one account or agent: its child, its heartbeat, its history, its status row.

All events of the account's process go through ``child.post``; this class only adds the
information for operators and the check of a silent worker.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any

import structlog

from ipc.frames.control import Beat, LoginAsked
from ipc.frames.status import AccountStatus, Hold
from ipc.frames.words import ALIVE, Phase
from ipc.heartbeat import Verdict
from runtime.config.worker_spec import WorkerSpec
from runtime.supervisor.accounts.explain import todo
from runtime.supervisor.accounts.heartbeat import DataLinkView, Heartbeat, Silence, Totals
from runtime.supervisor.accounts.history import HistoryEntry, entry_of, kept_entries, note_of, shown
from runtime.supervisor.accounts.launch import AccountLauncher
from runtime.supervisor.accounts.login import PendingLogin
from runtime.supervisor.accounts.recollection import recollect, remaining_wait
from runtime.supervisor.accounts.restart_reasons import RestartReasons
from runtime.supervisor.accounts.status_row import (
    fields_of_account,
    figures_of,
    has_journal,
    health_of,
)
from runtime.supervisor.changes import Changes, next_try_at
from runtime.supervisor.child import Child, Process
from runtime.supervisor.lifecycle import (
    ASKED,
    LINKING,
    UNHEALTHY,
    WAITING,
    Event,
    Exited,
    Linking,
    State,
    Unhealthy,
)
from runtime.supervisor.policy import policy_of
from runtime.supervisor.processes.limits import ProcessLimits

ABSENT_BEATS = 3  # without a sign on the data link; with each beat there is one

log = structlog.get_logger("account")


def _now() -> float:
    return asyncio.get_running_loop().time()


def _unheard(key: str, entry: HistoryEntry) -> None:
    pass


class Account:
    """An account or agent, and its state.

    ``launcher`` starts its processes, ``on_change(account)`` is called after every change, and
    ``on_event(key, entry)`` with each entry of its history, which begins with
    ``past``.
    """

    def __init__(
        self,
        spec: WorkerSpec,
        *,
        silence: Silence,
        first_incarnation: int,
        launcher: AccountLauncher,
        on_change: Callable[[Account], None],
        hold: Hold | None,
        past: Iterable[HistoryEntry] = (),
        on_event: Callable[[str, HistoryEntry], None] = _unheard,
    ) -> None:
        self._spec = spec
        self.key = spec.key
        self._hold = hold
        # Those that the history on disk keeps: as JSON data they would take four times as much.
        self._entries = kept_entries(spec.key, past)
        self._silence = silence
        self.heartbeat = Heartbeat(silence)
        self.login = PendingLogin()
        self._revision = ""  # of the configuration that its process was started with
        self._limits: ProcessLimits | None = None  # of its process
        self._launcher = launcher
        self._urgent = self._draining = False
        self._changes = Changes(spec.key, lambda: on_change(self))
        self._on_event = on_event
        self._reasons = RestartReasons()
        self._totals = Totals()
        self._link = DataLinkView()
        self._log_dropped: Callable[[], int] = lambda: 0
        self._at: dict[str, tuple[int, int]] = {}  # epoch ms, and of which incarnation
        self._last_error: str | None = None
        self._last_exit: str | None = None
        self.child = Child(
            spec.key,
            policy_of(spec),
            self._spawn,
            state=recollect(self.history, first_incarnation, time.time(), _now()),
            due=remaining_wait(self.history, time.time()),
            on_change=self._on_child_changed,
        )
        self._before = self.child.state

    @property
    def history(self) -> list[dict[str, Any]]:
        """Its last events as plain JSON data, the oldest first."""
        return shown(self._entries)

    @property
    def phase(self) -> Phase:
        """The child's phase."""
        return self.child.state.phase

    @property
    def ready_at(self) -> int | None:
        """When the account became ready last, in epoch milliseconds."""
        return self._when("ready")

    @property
    def spec(self) -> WorkerSpec:
        """The account's part of the configuration."""
        return self._spec

    @property
    def hold(self) -> Hold | None:
        """The hold (manual stop) that keeps the account down, if there is one."""
        return self._hold

    @property
    def halted(self) -> bool:
        """Whether none of its messages can be stored at the moment."""
        return self._link.halted

    def configure(self, spec: WorkerSpec) -> None:
        """Adopt a changed configuration, without restarting the process."""
        self._spec = spec
        self.child.policy = policy_of(spec)

    def set_hold(self, hold: Hold | None) -> None:
        """Set the hold that the status shows; ``None``: not held."""
        self._hold = hold

    def set_draining(self, draining: bool) -> None:
        """Show in the status whether the account is being drained."""
        self._draining = draining
        self._changes.notify()

    def prioritize(self) -> None:
        """Queue the next start before automatic ones, for a waiting operator."""
        self._urgent = True

    async def _spawn(self, incarnation: int) -> Process:
        """Start the process of an incarnation, and reset its figures."""
        if (last := self.heartbeat.pop_beat()) is not None:
            self._totals.add(last)
        self.heartbeat = Heartbeat(self._silence)
        self._revision, self._limits = "", None
        urgent, self._urgent = self._urgent, False
        await self._launcher.wait_turn(self.key, urgent=urgent)
        boot = self._launcher.prepare(self.spec, incarnation)
        self._revision = boot.revision
        self.heartbeat.set_pace(boot.beat)
        launched = await self._launcher.spawn(self.spec, boot)
        self._limits, self._log_dropped = launched.limits, launched.log_dropped
        return launched.process

    def set_silence(self, silence: Silence) -> None:
        """Set the seconds of silence until the worker is suspected, and until it is ended."""
        if silence != self._silence:
            self._silence = silence
            self.heartbeat.set_silence(silence, asyncio.get_running_loop().time())

    def bind(self) -> None:
        """Apply the configured resource limits to a running worker.

        Before its hello a worker may still be applying the limits that it was started with.
        """
        if self._limits is not None and self.heartbeat.met:
            self._limits.change(self.spec.limits)

    @property
    def unmet_limits(self) -> list[str]:
        """The limits that could not be applied to its running process."""
        return self._limits.unmet if self._limits is not None and self.phase in ALIVE else []

    def on_frame(self, now: float) -> bool:
        """Record a sign of life; return whether the worker had been suspected."""
        return self.heartbeat.on_frame(now)

    def on_beat(self, beat: Beat, now: float) -> None:
        """Store the figures of a beat."""
        self.heartbeat.on_beat(beat, now)

    def apply_patch(self, fields: dict[str, Any]) -> bool:
        """Store a status patch of the plugin; return whether anything but figures changed."""
        if "lastError" in fields:
            said = fields["lastError"]
            self._last_error = None if said is None else str(said)
        return self.heartbeat.apply_patch(fields)

    def on_link_report(
        self, silent: float, duplicates: int, repeated: int, journal_fault: str | None = None
    ) -> bool:
        """Store the gateway's view of the data link; return whether the account's health changed.

        ``silent`` is the seconds without a sign of the worker. ``duplicates`` counts the messages
        that the present gateway got twice, and dropped, ``repeated`` those that the platform had
        sent before. ``journal_fault``: why its messages are not stored, or what it has lost.
        """
        counts = {"duplicate": duplicates, "repeated": repeated}
        absent = self._link.apply(silent, counts, ABSENT_BEATS * self.heartbeat.pace)
        absent |= self._link.set_journal_fault(journal_fault if has_journal(self.spec) else None)
        return absent and self.phase is Phase.RUNNING

    def check(self, now: float) -> Verdict:
        """Check a running worker for silence, and end it if that has lasted too long.

        This includes a worker that waits before it is ready, which no deadline would end soon.
        """
        waiting = self.child.state.cause in (WAITING, LINKING)
        if self.spec.is_attached or (self.phase is not Phase.RUNNING and not waiting):
            return Verdict.ALIVE
        verdict = self.heartbeat.check(now, self.child.process)
        if verdict is Verdict.GONE:
            self.mark_unhealthy(self.heartbeat.why_silent(now, self.child.process))
        return verdict

    def on_login_asked(self, asked: LoginAsked | None, now: float) -> None:
        """Store the login prompt of its worker; ``None``: the prompt is over."""
        incarnation = self.child.state.incarnation
        if asked is None:
            self.login.end()
            self.child.post(Linking(incarnation, ""))
            return
        self.login.set_prompt(asked, incarnation, now)
        self.child.post(Linking(incarnation, f"log in: `trunkline channels login {self.key}`"))
        if self.child.state.cause == LINKING:  # else the change of the state is reported
            self._changes.notify()

    def _on_child_changed(self, name: str, state: State, event: Event) -> None:
        try:
            self._record_change(state, event)
        except Exception:  # one account's row must never cost the supervisor
            log.exception("change of an account not recorded", account=self.key)
        self._before = state
        self._changes.notify()

    def _record_change(self, state: State, event: Event) -> None:
        now = int(time.time() * 1000)
        self._reasons.count(self._before, state, event)
        match state.phase:
            case Phase.STARTING:
                self._stamp("started", now, state)
            case Phase.RUNNING:
                self._stamp("ready", now, state)
            case Phase.STOPPING if state.cause == UNHEALTHY:
                self._last_error = state.reason
            case Phase.STOPPED | Phase.BACKOFF | Phase.FAILED:
                self._on_ended(state, event, now)
        self._add_entry(state, event, now)

    def _add_entry(self, state: State, event: Event, now: int) -> None:
        """Add an entry to the history if the change matters to an operator."""
        due, lost = next_try_at(self.child) if state.retry == ASKED else None, self._totals.lost
        entry = entry_of(self._before, state, event, at=now, lost=lost, asked_until=due)
        if entry is not None:
            self._add(entry)

    def _add(self, entry: HistoryEntry) -> None:
        self._entries.add(entry, entry.kind)
        self._on_event(self.key, entry)

    def add_note(self, text: str, by: str | None) -> None:
        """Add a note to the history, without a change of phase; ``by``: who caused it."""
        self._add(note_of(self.child.state, text, at=int(time.time() * 1000), by=by))

    def _stamp(self, name: str, now: int, state: State) -> None:
        """Remember when something happened for the first time in this incarnation."""
        if self._at.get(name, (0, -1))[1] != state.incarnation:
            self._at[name] = now, state.incarnation

    def _when(self, name: str) -> int | None:
        return self._at[name][0] if name in self._at else None

    def _on_ended(self, state: State, event: Event, now: int) -> None:
        beat = self.heartbeat.beat
        unclean = state.phase is not Phase.STOPPED
        if isinstance(event, Exited) and beat is not None:  # one that was stopped sent a last one
            self._totals.lost = max(0, beat.emitted - beat.acked)
        elif unclean and isinstance(event, Exited) and event.exit.spawned:
            self._totals.lost = None  # it has reported nothing: unknown is not none
        if "started" in self._at:
            self._stamp("stopped", now, state)
        if (last := self.heartbeat.pop_beat()) is not None:
            self._totals.add(last)
        if unclean:
            self._last_exit = str(self.child.last_exit) if self.child.last_exit else None
            self._last_error = state.reason
        self.heartbeat.end()

    async def wait_until(self, until: Callable[[State], bool], timeout: float | None) -> bool:
        """Wait until the state satisfies ``until``; return whether it did within ``timeout``.

        Events that were posted before are included.
        """
        return await self._changes.until(lambda: until(self.child.state), timeout)

    def mark_unhealthy(self, reason: str) -> None:
        """End the present incarnation as unhealthy; the lifecycle starts another."""
        self.child.post(Unhealthy(self.child.state.incarnation, reason))

    def status(self) -> AccountStatus:
        """Return the status row of the account."""
        state, spec, totals = self.child.state, self.spec, self._totals
        beat, process = self.heartbeat.beat, self.child.process
        alive = state.phase in ALIVE
        plugin = {**spec.manifest.status, **self.heartbeat.plugin}
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
            **fields_of_account(spec),
            **figures_of(beat, totals, alive=alive),
            pid=process.pid or None if alive and process is not None else None,
            incarnation=state.incarnation,
            revision=self._revision,
            failures=state.failures,
            restarts=state.restarts,
            restart_reasons=dict(self._reasons.counts),
            next_try_at=next_try_at(self.child),
            retry=state.retry,
            started_at=self._when("started"),
            ready_at=self._when("ready") if state.phase is Phase.RUNNING else None,
            stopped_at=self._when("stopped"),
            last_error=self._last_error,
            last_exit=self._last_exit,
            hold=self.hold,
            draining=self._draining,
            health=health_of(
                state.phase,
                plugin,
                self._link,
                beat,
                suspected=self.heartbeat.pulse.asked is not None,
                is_agent=spec.is_agent,
            ),
            todo=todo(spec, state),
            login=self.login.status(state, _now(), int(time.time() * 1000)),
            cpu_percent=self.heartbeat.cpu_percent if alive else None,
            dropped=self._link.added_to(totals.dropped_with(beat)),
            possibly_lost=totals.lost,
            log_dropped=self._log_dropped(),
            plugin=plugin,
        )
