"""Keeps the last reports of a worker, and decides when its silence means that it hangs.

The kernel's data about the process distinguishes a stopped, a busy and a blocked worker.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec

from ipc.frames.control import Beat
from ipc.frames.status import PLUGIN_FIELDS, PLUGIN_FIGURES
from ipc.heartbeat import Pulse, Verdict
from runtime.supervisor.child import Process
from runtime.supervisor.processes import vitals

BUSY = "using CPU (a busy loop, or code that holds the GIL)"
POSITION_LOST = "position lost"  # the fault for an account whose cursor was lost


class Silence(msgspec.Struct, frozen=True):
    """The seconds without a frame until a worker is suspected, and until it is ended."""

    suspect_after: float
    silent_after: float

    @property
    def grace(self) -> float:
        """Seconds from the suspicion to the end."""
        return self.silent_after - self.suspect_after


class Heartbeat:
    """The reports of one incarnation's worker, with their times (seconds of the loop's clock).

    ``met``: it is authenticated. ``pace`` is the beat interval in seconds that it was sent last,
    ``gateway_up`` the state of the gateway that it was sent last. ``plugin`` is the plugin's own
    part of the status.
    """

    def __init__(self, silence: Silence) -> None:
        self.pulse = Pulse(silence.suspect_after, silence.grace)
        self.beat: Beat | None = None
        self.beat_at = 0.0
        self.cpu_percent: float | None = None
        self.plugin: dict[str, Any] = {}
        self.met = False
        self.pace = 0.0
        self.gateway_up = False
        self._share: int | None = None  # of memory, as it has weighed itself
        self._cpu_when_asked = 0.0

    def set_silence(self, silence: Silence, now: float) -> None:
        """Set other limits and restart the silence: the worker still has its old beat interval."""
        self.pulse.silence, self.pulse.grace = silence.suspect_after, silence.grace
        if self.pulse.asked is None:
            self.pulse.heard = now

    def on_hello(self, now: float) -> None:
        """Record that the worker is authenticated."""
        self.met = True
        self.gateway_up = False  # what it was sent on an earlier connection may be lost
        self.on_frame(now)

    def set_pace(self, seconds: float) -> None:
        """Set the beat interval, in seconds, that the worker was sent."""
        self.pace = seconds

    def set_gateway_up(self, up: bool) -> None:
        """Set the state of the gateway that the worker was sent."""
        self.gateway_up = up

    def set_share(self, share: int) -> None:
        """Store the share of memory in bytes that the worker measured; 0: it could not."""
        self._share = share

    def pop_share(self) -> int | None:
        """Return and clear the measured share of memory."""
        share, self._share = self._share, None
        return share

    def end(self) -> None:
        """Record that the worker has ended, so its plugin is no longer connected."""
        if self.plugin:
            self.plugin["connected"] = False

    def pop_beat(self) -> Beat | None:
        """Return and clear the last beat, so that its counters are added only once."""
        beat, self.beat = self.beat, None
        return beat

    def on_frame(self, now: float) -> bool:
        """Record a sign of life; return whether the worker had been suspected."""
        suspected = self.pulse.asked is not None
        self.pulse.on_frame(now)
        return suspected

    def on_beat(self, beat: Beat, now: float) -> None:
        """Store the figures of a beat."""
        if self.beat is not None and now > self.beat_at:
            used = beat.cpu - self.beat.cpu
            self.cpu_percent = vitals.share_percent(used, now - self.beat_at)
        self.beat, self.beat_at = beat, now

    def apply_patch(self, fields: dict[str, Any]) -> bool:
        """Apply the fields that a plugin may set; return whether more than figures changed."""
        allowed = {name: value for name, value in fields.items() if name in PLUGIN_FIELDS}
        changed = any(
            self.plugin.get(name) != value
            for name, value in allowed.items()
            if name not in PLUGIN_FIGURES
        )
        self.plugin.update(allowed)
        return changed

    def check(self, now: float, process: Process | None) -> Verdict:
        """Return whether the worker has been silent for too long (see ``Pulse.due``)."""
        if not self.met:
            return Verdict.ALIVE
        verdict = self.pulse.due(now)
        if verdict is Verdict.ASK:
            self._cpu_when_asked = _cpu_used(process)
        return verdict

    def why_silent(self, now: float, process: Process | None) -> str:
        """Describe how long the worker has been silent, and what its process does.

        From outside, a busy loop and code that holds the GIL look alike: a running thread.
        Distinguishing them would need a dedicated thread in every worker.
        """
        return f"silent for {now - self.pulse.heard:.0f} s: {self._what_it_does(process)}"

    def _what_it_does(self, process: Process | None) -> str:
        state = vitals.state(process.pid) if process else None
        if state is None:
            return "process is gone"
        if state == vitals.STOPPED:
            return "process is stopped (SIGSTOP)"
        busy = _cpu_used(process) - self._cpu_when_asked > 0.5
        return f"event loop blocked, {BUSY if busy else 'idle'}"


def _cpu_used(process: Process | None) -> float:
    return (vitals.cpu_seconds(process.pid) if process else None) or 0.0


class Totals(msgspec.Struct):
    """The counters of an account, summed over its ended incarnations.

    ``lost`` is how many messages the last one that ended uncleanly may have lost, as far as its
    last beat says; ``None`` where no beat had come.
    """

    messages_in: int = 0
    messages_out: int = 0
    lost: int | None = 0
    dropped: dict[str, int] = msgspec.field(default_factory=dict)

    def add(self, beat: Beat) -> None:
        """Add the counters of an incarnation that has ended."""
        self.messages_in += beat.messages_in
        self.messages_out += beat.messages_out
        self.dropped = self.dropped_with(beat)

    def dropped_with(self, beat: Beat | None) -> dict[str, int]:
        """Return the counts of dropped messages by reason, including the running incarnation's."""
        dropped = dict(self.dropped)
        for reason, count in (beat.dropped if beat else {}).items():
            dropped[reason] = dropped.get(reason, 0) + count
        return dropped


class DataLinkView:
    """The gateway's view of one account's data link.

    ``absent``: it is not connected there. ``journal_fault``: why its messages are not stored, or
    ``POSITION_LOST``.
    """

    def __init__(self) -> None:
        self.absent = False
        self.journal_fault: str | None = None
        self._dropped: Counter[str] = Counter()  # by the present gateway
        self._before: Counter[str] = Counter()  # by earlier ones

    def apply(self, silent: float, dropped: Mapping[str, int], bound: float) -> bool:
        """Store the seconds of silence and counts by reason; return whether ``absent`` changed.

        ``bound`` is the longest acceptable silence in seconds.
        """
        for reason, count in dropped.items():
            if count < self._dropped[reason]:
                self._before[reason] += self._dropped[reason]
            self._dropped[reason] = count
        before, self.absent = self.absent, bound > 0 and silent > bound
        return before != self.absent

    @property
    def halted(self) -> bool:
        """Whether none of its messages can be stored at the moment."""
        return self.journal_fault not in (None, POSITION_LOST)

    @property
    def problem(self) -> str | None:
        """What is wrong for the account's health, or ``None``.

        A journal that stores nothing comes first: while it cannot be opened the gateway welcomes no
        worker of such an account, which then says hello less often than it is expected to.
        """
        absent = self.absent and not self.halted
        return "not on the data link" if absent else self.journal_fault

    def set_journal_fault(self, fault: str | None) -> bool:
        """Store the fault of the journal; return whether it changed."""
        before, self.journal_fault = self.journal_fault, fault
        return before != fault

    def added_to(self, dropped: dict[str, int]) -> dict[str, int]:
        """Return ``dropped`` with the gateway's own nonzero counts added."""
        counts = self._before + self._dropped  # a sum of counters leaves out what is nothing
        return {**dropped, **counts}
