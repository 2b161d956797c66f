"""Defines runs, as the journal keeps them, and the records that change them. Pure.

A run is one question to an agent, from its acceptance until its id may be used again. Each step
of it is a record of one key: that of the channel account whose message asked, or ``agent:<id>``
where a client did. What a record changes is decided here, for every journal alike.

A record that changes a run which has ended changes nothing of it, so what ends first counts.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import msgspec
from msgspec.structs import replace

from runtime.gateway.journal.conversations import Session, TranscriptEntry
from runtime.gateway.journal.outgoing import Known, OutgoingMessage, OutgoingRow
from workers.messages import Attachment, Chat, Sender

RunState = Literal["queued", "running", "final", "aborted", "error", "timeout", "expired", "merged"]

OPEN_STATES = ("queued", "running")
ENDED_STATES = tuple(each for each in get_args(RunState) if each not in OPEN_STATES)
RUN_SECONDS = 7 * 86400.0  # for so long the id of a run that has ended is known again
ANSWER_BYTES = 64 * 1024  # of what a running turn has answered so far
_CHARACTER = 4  # bytes of the longest one


class RunOrigin(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Where a run comes from: a message of a channel account, or a client.

    ``account`` is the key of the account, ``message``, ``chat``, ``thread`` and ``sender`` are ids
    of its platform. ``client`` names what asked otherwise.
    """

    account: str = ""
    chat: str = ""
    thread: str | None = None
    message: str = ""
    sender: str = ""
    client: str = ""


class ReplyTarget(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Where the answer of a run goes: an account's key, a chat of it, the message it replies to."""

    account: str
    to: str
    thread: str | None = None
    reply_to: str | None = None


MAX_FILES_BYTES = 512 * 1024  # of all files of a request as base64: they go with its turn


class RunRequest(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What an agent is asked. ``fields`` are further fields of its turn, as JSON has them."""

    text: str = ""
    attachments: list[Attachment] = []
    sender: Sender | None = None
    chat: Chat | None = None
    fields: dict[str, Any] = {}


NO_ORIGIN, NO_REQUEST = RunOrigin(), RunRequest()


class RunResult(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What an agent reported of a turn beside its text."""

    usage: dict[str, Any] = {}
    stop_reason: str = ""
    model: str = ""
    attachments: list[Attachment] = []


class Run(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One question to an agent, and how far it has come. Times are epoch milliseconds.

    ``id`` is the idempotency key, ``digest`` tells another content under the same one. ``mode`` is
    how it was queued, ``late``: its message was written long before it was taken. ``at`` is when
    what asks came, ``decided`` when it was admitted, ``first`` when the first piece of the answer
    came. ``trace`` is the W3C trace context that it came with. ``collected`` are
    the ids of runs that are asked together with it, ``merged`` is the run that it is asked with.
    ``incarnation`` is that of the agent which has the last turn,
    ``events`` the number of the last acknowledged event of that, ``seen``: a piece of the answer or
    a tool call was among them. ``retried``: an error that passes was tried again, ``deaths`` counts
    incarnations that have died with it; there is no other turn before ``next``. ``preview`` is the
    platform's id of the message that shows the answer so far. ``error`` is the class of what went
    wrong, ``detail`` is why a run was aborted; the words of an agent or a provider are in the log
    alone.

    ``request`` and ``answer`` are kept beside the rest because they may be large. ``answer`` is
    the text so far, at most ``ANSWER_BYTES`` of it, and at the end the whole one. The request is
    dropped then.
    """

    id: str
    session: str
    agent: str
    origin: RunOrigin = NO_ORIGIN
    reply: ReplyTarget | None = None
    state: RunState = "queued"
    digest: str = ""
    mode: str = ""
    late: bool = False
    collected: list[str] = []
    merged: str = ""
    at: int = 0
    deadline: int = 0
    started: int = 0
    ended: int = 0
    next: int = 0
    incarnation: int = 0
    events: int = 0
    seen: bool = False
    retried: bool = False
    deaths: int = 0
    preview: str = ""
    result: RunResult | None = None
    error: str = ""
    detail: str = ""
    decided: int = 0
    first: int = 0
    trace: str = ""
    request: RunRequest = NO_REQUEST
    answer: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it has not ended yet."""
        return self.state in OPEN_STATES


class RunQueued(msgspec.Struct, frozen=True):
    """A run was accepted; it may have ended already."""

    key: str
    run: Run


class RunStarted(msgspec.Struct, frozen=True):
    """A turn of a run begins. It is stored before anything goes to the agent, but for a first turn
    that may be repeated, whose agent may have it some moments earlier.

    ``request`` takes the place of the run's where ``collected`` runs are asked together with it.
    """

    key: str
    run: str
    incarnation: int
    at: int
    deadline: int = 0
    retried: bool = False
    deaths: int = 0
    collected: list[str] = []
    request: RunRequest | None = None


class RunPostponed(msgspec.Struct, frozen=True):
    """A turn of a run has ended without being its end; there is no other one before ``next``."""

    key: str
    run: str
    next: int
    retried: bool = False
    deaths: int = 0
    error: str = ""


class RunSeen(msgspec.Struct, frozen=True):
    """Events of a running turn came, up to the number ``events``. It is stored before they are
    acknowledged. ``more`` is what they add to the answer, ``at`` when the first one of the answer
    came, where they hold that.
    """

    key: str
    run: str
    events: int
    seen: bool = False
    more: str = ""
    preview: str = ""
    at: int = 0


class RunEnded(msgspec.Struct, frozen=True):
    """A run has ended: its answers are to be sent, and its entries are in the transcript.

    ``answer`` is the whole text; ``None``: what there is so far stays. ``session`` is the key of
    its session, ``changed`` what that is afterwards.
    """

    key: str
    run: str
    session: str
    state: Literal["final", "aborted", "error", "timeout", "expired"]
    at: int
    answer: str | None = None
    result: RunResult | None = None
    error: str = ""
    detail: str = ""
    answers: list[OutgoingMessage] = []
    entries: list[TranscriptEntry] = []
    changed: Session | None = None


class RunMerged(msgspec.Struct, frozen=True):
    """A queued run is asked together with another one, ``into``, which has its text by then."""

    key: str
    run: str
    into: str
    at: int


RunRecord = RunStarted | RunPostponed | RunSeen | RunEnded | RunMerged


class Recorded(Known, frozen=True):
    """The known runs, by id, in place of new ones with the same ids.

    ``first`` is the number of the first entry that was added; the others count on from it.
    """

    runs: dict[str, Run] = {}
    first: int = 0


def outcome_of(
    rows: dict[str, OutgoingRow], runs: dict[str, Run], first: int = 0
) -> Recorded | Known | None:
    """Return what became of a record with sends, runs and entries."""
    if runs or first:
        return Recorded(rows, runs, first)
    return Known(rows) if rows else None


def stored_run(run: Run) -> Run:
    """Return what is kept of a new run: while it is open its request, else its answer."""
    return replace(run, answer="") if run.is_open else replace(run, request=NO_REQUEST)


def run_changes(record: RunRecord) -> dict[str, Any]:
    """Return which fields of its run a record sets, but for the request and the answer."""
    match record:
        case RunStarted():
            return {
                "state": "running",
                "started": record.at,
                "incarnation": record.incarnation,
                "deadline": record.deadline,
                "retried": record.retried,
                "deaths": record.deaths,
                "collected": record.collected,
                "events": 0,
                "seen": False,
            }
        case RunPostponed():
            return {
                "state": "queued",
                "next": record.next,
                "retried": record.retried,
                "deaths": record.deaths,
                "error": record.error,
            }
        case RunSeen():
            changes: dict[str, Any] = {"events": record.events}
            if record.seen:
                changes["seen"] = True
            if record.preview:
                changes["preview"] = record.preview
            if record.at:
                changes["first"] = record.at
            return changes
        case RunEnded():
            ended = {
                "state": record.state,
                "ended": record.at,
                "error": record.error,
                "detail": record.detail,
            }
            return ended if record.result is None else ended | {"result": record.result}
        case RunMerged():
            return {"state": "merged", "merged": record.into, "ended": record.at}


def changed_run(run: Run, record: RunRecord) -> Run:
    """Return what a record makes of a run."""
    if not run.is_open:
        return run
    request, answer = run.request, run.answer
    match record:
        case RunStarted():
            request, answer = record.request or request, ""
        case RunSeen():
            answer = grown(answer, record.more)
        case RunEnded():
            request, answer = NO_REQUEST, answer if record.answer is None else record.answer
        case RunMerged():
            request, answer = NO_REQUEST, ""
    return replace(run, request=request, answer=answer, **run_changes(record))


def grown(answer: str, more: str) -> str:
    """Return an answer so far with what came, at most ``ANSWER_BYTES`` of it."""
    before = answer.encode()
    if len(before) > ANSWER_BYTES - _CHARACTER:
        return answer
    return (before + more.encode())[:ANSWER_BYTES].decode(errors="ignore")


_NAMES = dict(zip(Run.__struct_fields__, Run.__struct_encode_fields__, strict=True))


def run_patch(record: RunRecord) -> dict[str, Any]:
    """Return what a record sets, and of which run, as a merge patch of the run's JSON."""
    return {"id": record.run} | {_NAMES[name]: each for name, each in run_changes(record).items()}
