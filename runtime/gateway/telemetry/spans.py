"""Builds the spans of the trace of one run, or one sent message, from the journal. Pure.

Nothing that a person wrote, no id of a chat, a sender or a message, and no key that a client chose
is in a span. Ids of traces and spans are derived from the id of the run, so they are the same each
time they are made.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence

import msgspec

from runtime.gateway.journal.outgoing import OutgoingRow
from runtime.gateway.journal.runs import Run
from workers.web.trace_context import TraceContext, read_traceparent

Attribute = str | int | bool
Named = dict[str, Attribute]

MESSAGE, REQUEST = "message", "request"  # the first span: of an account's message, of a client
ADMISSION, AGENT, QUEUE, TURN = "admission", "agent", "agent queue", "agent turn"
DELIVERY, ATTEMPT = "delivery", "delivery attempt"
SEND = "send"  # the first span of a message that a client has sent
FIRST_PIECE = "first delta"  # an event of the turn
# Ids of runs that say nothing: those that are made here, and of clients those that are random.
_RANDOM = re.compile(r"([a-z]{1,16}[-_])?[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}")
GOOD_ENDS = ("final", "merged")  # of runs; also ``aborted``, which a person has requested


class Span(msgspec.Struct, frozen=True):
    """One span. Times are epoch milliseconds; ``error`` is a class of what went wrong, or empty.

    ``events`` are names with their times, ``links`` the first spans of other runs.
    """

    name: str
    id: int
    parent: int
    start: int
    end: int
    attributes: Named = {}
    error: str = ""
    events: Sequence[tuple[str, int]] = ()
    links: Sequence[tuple[int, int]] = ()


class Trace(msgspec.Struct, frozen=True):
    """The spans of one run, each behind its parent.

    ``remote`` is the context of the client, whose trace it goes on with.
    """

    id: int
    spans: list[Span]
    remote: TraceContext | None = None


def trace_id(run: str) -> int:
    """Return the trace id of a run without a trace context of its client."""
    return _number(f"trace\0{run}", 16)


def root_id(run: str) -> int:
    """Return the id of the first span of a run."""
    return _number(f"span\0{run}\0root", 8)


def trace_of(run: Run, rows: Sequence[OutgoingRow]) -> Trace:
    """Return the trace of an ended run, with the messages to its chat."""
    remote = read_traceparent(run.trace)
    return Trace(trace_in(run), list(_spans(run, rows)), remote)


def trace_of_send(account: str, row: OutgoingRow) -> Trace:
    """Return the trace of a message that a client has sent through ``account``."""
    name = f"{account} {row.id}"
    root = root_id(name)
    named: Named = {
        "trunkline.account": account,
        "trunkline.channel": account.partition(":")[0],
        "trunkline.outbox": row.id,
    }
    ended = max(row.ended, row.at)
    first = Span(SEND, root, 0, row.at, ended, named | _delivered(row), _failure(row))
    return Trace(trace_id(name), [first, *_attempts(name, row, root)])


def trace_in(run: Run) -> int:
    """Return the trace id of a run: its client's, or its own."""
    remote = read_traceparent(run.trace)
    return trace_id(run.id) if remote is None else remote.trace


def _spans(run: Run, rows: Sequence[OutgoingRow]) -> Iterator[Span]:
    root = root_id(run.id)
    taken = run.decided or run.at
    ended = max(run.ended, taken)
    end = max([ended, *(row.ended for row in rows)])
    bad = run.state not in (*GOOD_ENDS, "aborted")
    failed = run.error or run.state if bad else ""
    name = MESSAGE if run.origin.account else REQUEST
    links = [(trace_id(each), root_id(each)) for each in [*run.collected, run.merged] if each]
    yield Span(name, root, 0, run.at, end, _named(run), failed, links=links)
    if run.decided:
        outcome: Named = {"trunkline.admission": "run"}
        yield Span(ADMISSION, _id(run.id, ADMISSION), root, run.at, taken, outcome)
    agent = _id(run.id, AGENT)
    yield Span(AGENT, agent, root, taken, ended, _answer_fields(run), failed)
    begun = run.started or ended
    yield Span(QUEUE, _id(run.id, QUEUE), agent, min(taken, begun), begun)
    if run.started:
        pieces = [(FIRST_PIECE, run.first)] if run.first >= run.started else []
        deaths: Named = {"trunkline.agent.deaths": run.deaths} if run.deaths else {}
        yield Span(TURN, _id(run.id, TURN), agent, begun, ended, deaths, failed, pieces)
    for row in rows:
        yield from _delivery(run, row, root)


def _delivery(run: Run, row: OutgoingRow, root: int) -> Iterator[Span]:
    """Yield the span of a message to the chat, and those of its attempts."""
    assert run.reply is not None
    delivery = _id(run.id, f"{DELIVERY}\0{row.key}")
    named: Named = {
        "trunkline.account": run.reply.account,
        "trunkline.delivery.kind": "preview" if row.origin == "preview" else "answer",
    }
    ended = max(row.ended, row.at)
    yield Span(DELIVERY, delivery, root, row.at, ended, named | _delivered(row), _failure(row))
    yield from _attempts(run.id, row, delivery)


def _delivered(row: OutgoingRow) -> Named:
    """Return the outcome of a message."""
    named: Named = {
        "trunkline.delivery.state": row.state,
        "trunkline.delivery.attempts": row.attempts,
        "trunkline.delivery.parts": len(row.sent),
    }
    return named | {"trunkline.delivery.dead_letter": True} if row.letter else named


def _failure(row: OutgoingRow) -> str:
    """Return the reason why a message was not sent, in one word; empty if it was sent."""
    return "" if row.state == "sent" else row.reason or row.state


def _attempts(trace: str, row: OutgoingRow, parent: int) -> Iterator[Span]:
    """Yield the spans of the attempts to send a message; ``trace`` is what their ids come from."""
    ended = max(row.ended, row.at)
    tries = [(each.at, each.ended, each.reason) for each in row.past]
    last = row.last_attempt or row.first_attempt
    if last and (not tries or tries[-1][0] != last):
        tries.append((last, ended, _failure(row)))
    for number, (began, over, reason) in enumerate(tries, row.attempts - len(tries) + 1):
        attempt = _id(trace, f"{ATTEMPT}\0{row.key}\0{number}")
        which: Named = {"trunkline.attempt": number}
        yield Span(ATTEMPT, attempt, parent, began, max(over, began), which, reason)


def _named(run: Run) -> Named:
    named: Named = {"trunkline.agent": run.agent, "trunkline.state": run.state}
    if run.origin.account or _RANDOM.fullmatch(run.id):
        named["trunkline.run"] = run.id
    if run.origin.account:
        named |= {
            "trunkline.account": run.origin.account,
            "trunkline.channel": run.origin.account.partition(":")[0],
        }
    if run.origin.client:
        named["trunkline.client"] = run.origin.client
    if run.late:
        named["trunkline.late"] = True
    return named


def _answer_fields(run: Run) -> Named:
    named: Named = {"gen_ai.agent.name": run.agent, "trunkline.state": run.state}
    if run.mode:
        named["trunkline.queue.mode"] = run.mode
    result = run.result
    if result is None:
        return named
    if result.model:
        named["gen_ai.response.model"] = result.model
    for ours, theirs in (("input", "input_tokens"), ("output", "output_tokens")):
        if isinstance(count := result.usage.get(ours), int):
            named[f"gen_ai.usage.{theirs}"] = count
    return named


def _id(trace: str, what: str) -> int:
    return _number(f"span\0{trace}\0{what}", 8)


def _number(text: str, size: int) -> int:
    """Return a number of ``size`` bytes derived from a text; never 0, which is no valid id."""
    digest = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(digest[:size], "big") or 1
