"""Returns the whole history of one message: ``messages.trace``. Ours."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from ipc import timeouts
from ipc.errors import RemoteError
from ipc.frames.cursors import BEGINNING, Cursor, cursor_text
from ipc.frames.requests import Params
from ipc.frames.words import INVALID_REQUEST, UNAVAILABLE
from ipc.nesting import MALFORMED, decode_json
from runtime.gateway.access.scopes import READ
from runtime.gateway.access_policy.admit import REASONS
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import method
from runtime.gateway.conversations.traces import admission, arrival, outbox_row, run_row
from runtime.gateway.journal.interface import Journal
from runtime.gateway.journal.records import Part
from runtime.gateway.journal.runs import Run
from runtime.gateway.methods.request_parts import Word, cursor_in
from runtime.gateway.outbox.previews import answer_key
from runtime.gateway.parts import GatewayParts

SEARCH_SECONDS = 20.0  # for a message by its platform's id
MERGES = 100  # runs that are asked together
ONE_PACK = 1  # bytes: nothing more is read than the frames that were stored together


class TraceParams(Params):
    """The params of ``messages.trace``: an account, and one of cursor and message id; or a run."""

    channel: Word | None = None
    account_id: Word | None = None
    message_id: Word | None = None
    cursor: Annotated[str, Meta(max_length=41)] | None = None
    run_id: Annotated[str, Meta(min_length=1, max_length=512)] | None = None


class StoredFrame(NamedTuple):
    """A frame of an account in the journal: its time of arrival is in epoch milliseconds."""

    cursor: Cursor
    at: int
    event: dict[str, Any]

    @property
    def dropped(self) -> str | None:
        """Why its message was not admitted, as it is stored."""
        reason = self.event.get("dropped")
        return reason if isinstance(reason, str) else None


@method("messages.trace", READ, TraceParams, ours=True)
async def messages_trace(parts: GatewayParts, client: ConnectedClient, params: TraceParams) -> Any:
    """Answer with what has happened to a message. `message` is as it arrived; `admission`, `run`,
    the run `askedIn` if it was combined with others, and `outbox`, the delivery of the answer,
    follow. `traceId` is the id of its trace, if traces are exported. The message is named by its
    event's `cursor`, its platform's `messageId`, or its `runId`.
    """
    journal = await parts.asking.journal()
    if params.run_id is not None:
        run = await find_run(parts, journal, params.run_id)
        if run is None:
            raise RemoteError(INVALID_REQUEST, f"no run is known by the id {params.run_id}")
        key, frame = run.origin.account, None
        if key and run.id.startswith(f"{key}/"):
            frame = await frame_at(
                journal, key, cursor_in("messages.trace", run.id[len(key) + 1 :])
            )
        return await _trace(parts, journal, key, frame, run)
    channel = params.channel or parts.accounts.only_channel()
    key = parts.accounts.resolve("messages.trace", channel, params.account_id)
    if params.cursor is not None:
        frame = await frame_at(journal, key, cursor_in("messages.trace", params.cursor))
    elif params.message_id is not None:
        frame = await _find_frame(journal, key, params.message_id)
    else:
        text = "invalid messages.trace params: one of cursor, messageId and runId is required"
        raise RemoteError(INVALID_REQUEST, text)
    if frame is None:
        raise RemoteError(INVALID_REQUEST, f"{key} has no such message in the journal")
    run = await find_run(parts, journal, f"{key}/{cursor_text(frame.cursor)}")
    return await _trace(parts, journal, key, frame, run)


async def _trace(
    parts: GatewayParts, journal: Journal, key: str, frame: StoredFrame | None, run: Run | None
) -> dict[str, Any]:
    answer: dict[str, Any] = {"account": key} if key else {}
    if frame is not None:
        answer |= {"cursor": cursor_text(frame.cursor), "message": arrival(frame.at, frame.event)}
    answer["admission"] = decided = admission(None if frame is None else frame.event, run)
    if "reason" in decided:
        decided["text"] = REASONS.get(decided["reason"], decided["reason"])
    if run is None:
        return answer
    answer["run"] = run_row(run)
    if parts.telemetry.is_on:
        answer["traceId"] = f"{parts.telemetry.trace_id(run):032x}"
    last = await last_run(parts, journal, run)
    if last.id != run.id:
        answer["askedIn"] = run_row(last)
    if last.reply is not None:
        sent = await journal.sent_by(last.reply.account, answer_key(last.id))
        if sent is not None:
            answer["outbox"] = outbox_row(last.reply.account, sent.row)
    return answer


async def find_run(parts: GatewayParts, journal: Journal | None, id: str) -> Run | None:
    """Return the run with an id, an open one or a stored one."""
    live = parts.runs.live(id)
    if live is not None:
        return live.run
    return None if journal is None else await journal.run_of(id)


async def last_run(parts: GatewayParts, journal: Journal | None, run: Run) -> Run:
    """Return the run into which a run was merged, or the run itself."""
    for _ in range(MERGES):
        found = await find_run(parts, journal, run.merged) if run.merged else None
        if found is None:
            break
        run = found
    return run


async def frame_at(journal: Journal, key: str, cursor: Cursor) -> StoredFrame | None:
    """Return the frame of an account with a cursor."""
    incarnation, seq = cursor
    page = await journal.after(key, (incarnation, max(seq - 1, 0)), ONE_PACK)
    for found, at, part in page.parts:
        if found == incarnation and part.first <= seq <= part.last:
            return _read(found, at, part, seq)
    return None


async def _find_frame(journal: Journal, key: str, message: str) -> StoredFrame | None:
    """Return the newest frame of an account with a message id of its platform."""
    cursor, newest, more = BEGINNING, None, True
    wanted = msgspec.json.encode(message)
    try:
        async with timeouts.timeout(SEARCH_SECONDS):
            while more:
                page = await journal.after(key, cursor)
                for incarnation, at, part in page.parts:
                    cursor = (incarnation, part.last)
                    for seq, payload in enumerate(part.payloads, part.first):
                        frame = _read(incarnation, at, part, seq) if wanted in payload else None
                        if frame is not None and frame.event["message"].get("id") == message:
                            newest = frame
                more = page.more and bool(page.parts)
    except TimeoutError:
        text = f"the journal of {key} is too long to be searched by id: name the event's cursor"
        raise RemoteError(UNAVAILABLE, text) from None
    return newest


def _read(incarnation: int, at: int, part: Part, seq: int) -> StoredFrame | None:
    """Return a frame that has a message."""
    try:
        event = decode_json(part.payloads[seq - part.first], dict[str, Any])
    except MALFORMED:
        return None
    if not isinstance(event.get("message"), dict):
        return None
    return StoredFrame((incarnation, seq), at, event)
