"""Decides what to do with messages that arrive while their session has a turn. Pure.

Each message keeps its own run id, and each run gets its outcome (``RunOutcome``):

    collect     all that wait when the turn begins are one turn: the first one's run leads it
    followup    each message is a turn of its own, in order
    interrupt   the running turn is ended and what waits is superseded: the newest message counts.
                Messages from another chat stay: that chat would get no notice of it
    steer       OpenClaw's default; here it is followup, and answers have a note (``STEER_NOTE``)

How it is used, for one session, with the ``Lanes`` of all:

    arrival = queue.add(message, settings)    → store the run; end runs that it names
    lanes.request(session, agent, queue.next_due())
    session in lanes.begin_due(now): batch = queue.begin_next(now)   → begin ``batch.lead``'s turn
    queue.end(), lanes.end(session)           → give every run its outcome

Times are epoch milliseconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec
from msgspec.structs import replace

from runtime.config.sessions import QueueConfig, QueueMode
from workers.messages import MAX_TEXT

MAX_WINDOWS = 5  # of quiet that a person who never stops writing can be waited for
MAX_NAME = 64
MAX_BEGINNINGS, MAX_BEGINNING = 20, 160  # of messages that were not taken, and their characters
MAX_LATE = 1000  # messages of a session from before an outage

Became = Literal["ended", "collected", "interrupted", "superseded", "overflow", "aborted"]
BECAME = {
    "ended": "its own turn has ended",
    "collected": "it was part of the turn of an earlier message",
    "interrupted": "its turn was ended by a later message",
    "superseded": "a later message came before its turn began",
    "overflow": "as many messages as may wait did so already",
    "aborted": "it was taken back before its turn began",
}
STEER_NOTE = "queue mode steer is treated as followup: the message has its own turn after this one"


class QueuedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message to be answered. ``mode`` is its own queue mode; ``None``: the configured one.

    ``sender`` tells people apart, ``name`` is how they are called, ``chat`` is where the answer
    goes. ``late``: it was written while it could not be taken, so it does not count as one too many
    of those that wait.
    """

    run: str
    text: str
    at: int
    sender: str = ""
    name: str = ""
    mode: QueueMode | None = None
    late: bool = False
    chat: str = ""


class RunOutcome(msgspec.Struct, frozen=True):
    """The outcome of a run. ``by`` is the run that had the turn or replaced it."""

    run: str
    became: Became
    by: str | None = None

    @property
    def reason(self) -> str:
        """The outcome in words, for logs and clients."""
        return BECAME[self.became] + (f" ({self.by})" if self.by and self.by != self.run else "")


class Arrival(msgspec.Struct, frozen=True):
    """The decision about an arrived message.

    ``repeated``: its run is here already. ``ahead`` is how many messages go first. ``interrupts``
    is the run whose turn is to be ended. ``outcomes`` are of runs that end by it, perhaps its own.
    ``notice`` is a sentence for the chat.
    """

    taken: bool
    mode: QueueMode
    repeated: bool = False
    ahead: int = 0
    interrupts: str | None = None
    outcomes: Sequence[RunOutcome] = ()
    notice: str | None = None


class Batch(msgspec.Struct, frozen=True):
    """The messages of one turn. Their runs end with that of ``lead``.

    ``missed`` is how many have come since the last turn and were not taken, ``beginnings`` is how
    the last of these begin.
    """

    lead: str
    messages: Sequence[QueuedMessage]
    text: str
    missed: int = 0
    beginnings: Sequence[str] = ()

    @property
    def notice(self) -> str | None:
        """A note for the agent in addition to the text."""
        if not self.missed:
            return None
        some = "1 more message was" if self.missed == 1 else f"{self.missed} more messages were"
        text = f"{some} not taken, because too many were waiting. Who wrote was asked to repeat it."
        heard = [f"- {each}" for each in self.beginnings]
        return "\n".join([text, "How they begin:" if heard else "", *heard]).strip()


class SessionQueue:
    """The waiting messages of one session, in order, and its running turn."""

    def __init__(self) -> None:
        self._waiting: list[tuple[QueuedMessage, QueueMode, int]] = []  # with mode and debounce
        self._running: Sequence[str] = ()
        self._running_in = ""  # the chat of that turn
        self._interrupted: str | None = None  # the run by which the running turn is ended
        self._missed = 0
        self._beginnings: deque[str] = deque(maxlen=MAX_BEGINNINGS)
        self._notified: set[str] = set()  # chats that know of it

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def running(self) -> str | None:
        """The run that has the turn."""
        return self._running[0] if self._running else None

    @property
    def waiting(self) -> list[str]:
        """The waiting runs, in order."""
        return [message.run for message, _, _ in self._waiting]

    def add(self, message: QueuedMessage, settings: QueueConfig) -> Arrival:
        """Add an arrived message; ``settings`` are those of its channel or session."""
        asked = message.mode or settings.mode
        mode: QueueMode = "followup" if asked == "steer" else asked
        if message.run in self._running or message.run in self.waiting:
            return Arrival(True, mode, repeated=True)
        interrupts, outcomes = None, []
        if mode == "interrupt":
            if message.chat in ("", self._running_in):
                interrupts = self.running
                self._interrupted = message.run
            past = [each for each, _, _ in self._waiting if message.chat in ("", each.chat)]
            outcomes = [RunOutcome(each.run, "superseded", message.run) for each in past]
            self._waiting = [each for each in self._waiting if each[0] not in past]
        most = MAX_LATE if message.late else settings.cap
        if sum(each.late == message.late for each, _, _ in self._waiting) >= most:
            return self._refuse(message, mode, most)
        ahead = len(self._waiting)
        debounce = (settings.debounce_ms or 0) if mode == "collect" else 0
        self._waiting.append((message, mode, debounce))
        return Arrival(True, mode, ahead=ahead, interrupts=interrupts, outcomes=outcomes)

    def restore(
        self,
        messages: Iterable[QueuedMessage],
        settings: QueueConfig,
        running: Sequence[str] = (),
        running_in: str = "",
    ) -> None:
        """Restore the waiting and running messages after a restart, without limits or delays.

        What was to be interrupted or superseded is so already. Their times do not count: the clock
        may have been set back since.
        """
        self._running, self._running_in = running, running_in
        for message in messages:
            collected = (message.mode or settings.mode) == "collect"
            mode: QueueMode = "collect" if collected else "followup"
            self._waiting.append((replace(message, at=0), mode, 0))

    def forget_times(self) -> None:
        """Make what waits due at once: the clock was set, so its times do not count any more."""
        self._waiting = [(replace(each, at=0), mode, 0) for each, mode, _ in self._waiting]

    def next_due(self) -> int | None:
        """Return when the next turn may begin; ``None``: nothing waits."""
        if not self._waiting:
            return None
        first, _, debounce = self._waiting[0]
        joined = self._joined()
        return min(joined[-1].at + debounce, first.at + MAX_WINDOWS * debounce)

    def begin_next(self, now: int) -> Batch | None:
        """Begin the next turn and return its messages; ``None`` if none is due or one runs."""
        due = self.next_due()
        if due is None or due > now or self._running:
            return None
        messages = self._joined()
        del self._waiting[: len(messages)]
        self._running = [each.run for each in messages]
        self._running_in = messages[0].chat
        self._interrupted = None
        missed, beginnings = self._missed, list(self._beginnings)
        self._missed = 0
        self._beginnings.clear()
        self._notified.clear()
        return Batch(messages[0].run, messages, text_of(messages), missed, beginnings)

    def set_lead(self, run: str) -> None:
        """Set which message leads the running turn."""
        self._running = [run, *(each for each in self._running if each != run)]

    def end(self, *, aborted: bool = False) -> list[RunOutcome]:
        """End the running turn; return the outcome of each of its runs.

        ``aborted``: it was ended from outside, perhaps by the message that interrupts it.
        """
        runs, by = self._running, self._interrupted
        self._running, self._interrupted = (), None
        if aborted and by is not None:
            return [RunOutcome(run, "interrupted", by) for run in runs]
        return [
            RunOutcome(run, "collected" if number else "ended", runs[0])
            for number, run in enumerate(runs)
        ]

    def remove(self, run: str) -> RunOutcome | None:
        """Remove one waiting message; return ``None`` if it is not waiting."""
        for number, (message, _, _) in enumerate(self._waiting):
            if message.run == run:
                del self._waiting[number]
                return RunOutcome(run, "aborted")
        return None

    def clear(self) -> list[RunOutcome]:
        """Remove all waiting messages."""
        outcomes = [RunOutcome(run, "aborted") for run in self.waiting]
        self._waiting.clear()
        return outcomes

    def _refuse(self, message: QueuedMessage, mode: QueueMode, cap: int) -> Arrival:
        """Return the refusal of a message; each chat is notified of its first one only."""
        self._missed += 1
        name = _one_line(message.name) or _one_line(message.sender) or "?"
        self._beginnings.append(f"{name}: {_one_line(message.text, MAX_BEGINNING)}")
        new = message.chat not in self._notified
        self._notified.add(message.chat)
        text = (
            f"{cap} messages wait already, so this one was not taken. Please send it again later."
        )
        return Arrival(
            False,
            mode,
            ahead=len(self._waiting),
            outcomes=[RunOutcome(message.run, "overflow")],
            notice=text if new else None,
        )

    def _joined(self) -> list[QueuedMessage]:
        """Return the messages of the next turn, up to the limit of text for one turn."""
        first, mode, _ = self._waiting[0]
        found, size = [first], _size(first)
        for message, other, _ in self._waiting[1:]:
            size += _size(message)
            if mode != "collect" or other != "collect" or size > MAX_TEXT:
                break
            found.append(message)
        return found


def text_of(messages: Sequence[QueuedMessage]) -> str:
    """Return several messages as one text, with names if several people wrote them.

    Then each message begins at the start of a line with the name of its author, and its other
    lines are indented: nobody can write a line that looks like another's.
    """
    if len({message.sender for message in messages}) == 1:
        return "\n".join(message.text for message in messages)
    lines = []
    for message in messages:
        name = _one_line(message.name) or _one_line(message.sender) or "?"
        first, *rest = message.text.splitlines() or [""]
        lines += [f"{name}: {first}", *(f"  {line}" for line in rest)]
    return "\n".join(lines)


def _size(message: QueuedMessage) -> int:
    """Return the largest size that a message can add to a text."""
    return len(message.text) + 2 * len(message.text.splitlines()) + MAX_NAME + 3


def _one_line(text: str, most: int = MAX_NAME) -> str:
    return " ".join(text[: 4 * most].split())[:most]
