"""Builds the results of a run: the message to its chat, the entries of its transcript. Pure."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import msgspec
from msgspec.structs import replace

from runtime.gateway.conversations.error_texts import end_text, error_text
from runtime.gateway.conversations.heartbeat_rules import without_token
from runtime.gateway.conversations.reply_tags import read_reply
from runtime.gateway.journal.conversations import Session, TranscriptEntry
from runtime.gateway.journal.runs import ReplyTarget, Run, RunEnded, RunRequest, RunResult
from runtime.gateway.outbox.previews import answer_key, preview_key
from runtime.gateway.runs.lifecycle import End
from runtime.gateway.runs.live import LiveRun
from workers.agent import Final, HistoryItem, ToolCall, ToolResult, Turn
from workers.messages import MAX_TEXT, Outbound

MAX_TOOLS = 64  # calls of tools and their results, of one turn, that are kept
MAX_TOOL_TEXT = 8 * 1024  # characters of what a tool was given, or has returned
# Runs that no person has asked for. If they fail, the chat gets no error text.
UNASKED = frozenset({"cron", "heartbeat", "hook"})
# What the gateway asks an agent for itself, beside a conversation: nothing of it is kept, and no
# client hears of it.
COMPACT = "compact"
ASIDE = frozenset({COMPACT})
ANEW = frozenset({"new", "reset"})  # why a run is aborted whose session begins anew
PLAIN_KINDS = frozenset({"echo"})  # of agents that repeat what people wrote: no Markdown
# Of agents that do not keep silent by an empty answer. A model gives one where its tokens are spent
# before it says anything, which whoever waits for it has to know.
MODEL_KINDS = frozenset({"openai"})


def turn_of(
    run: Run,
    request: RunRequest,
    history: list[HistoryItem],
    abilities: dict[str, Any],
    deadline: int,
) -> Turn:
    """Return the turn that asks an agent; fields of the request's caller go before ours."""
    turn = Turn(
        run=run.id,
        session=run.session,
        agent=run.agent,
        text=request.text,
        deadline=deadline,
        history=history,
        attachments=request.attachments,
        sender=request.sender,
        account=run.origin.account or None,
        chat=request.chat,
        abilities=abilities,
    )
    if not request.fields:
        return turn
    own = dict(request.fields)
    heard = own.pop("history", [])  # what was said since, beside the transcript
    known = msgspec.to_builtins(turn) | own
    known["history"] = [*known.get("history", []), *heard]
    return msgspec.convert(known, Turn)


def with_settings(request: RunRequest, settings: dict[str, Any]) -> RunRequest:
    """Return a request with the model and the thinking that its session is set to."""
    chosen = {"model": settings.get("model"), "thinking": settings.get("thinkingLevel")}
    given = {name: value for name, value in chosen.items() if value}
    return replace(request, fields=given | request.fields) if given else request


def markup_of(kind: str) -> Literal["plain", "markdown"]:
    """Return how agents of a kind write."""
    return "plain" if kind in PLAIN_KINDS else "markdown"


def preview_of(run: Run, shown: str, text: str, kind: str) -> Outbound:
    """Return the message that shows the beginning of an answer; ``text`` has its tags still."""
    target = run.reply
    assert target is not None
    reply = read_reply(text, current=run.origin.message or None, group=False, silent_groups=False)
    return Outbound(
        to=target.to,
        text=shown[:MAX_TEXT],
        key=preview_key(run.id),
        thread=target.thread,
        reply_to=reply.reply_to or target.reply_to,
        markup=markup_of(kind),
    )


class Speaking(NamedTuple):
    """How answers are to be read. ``kind`` is that of the agent; ``silent`` is whether it may keep
    silent in groups.
    """

    kind: str = ""
    silent_groups: bool = False


def ended_of(
    live: LiveRun, end: End, speaking: Speaking, session: Session, now: int
) -> tuple[RunEnded, Outbound | None]:
    """Return the record of a run's end but for its answers, and the message that its chat gets."""
    run, outcome = live.run, live.outcome
    final = outcome.final if outcome is not None and end.state == "final" else None
    text = live.partial.text
    if final is not None and final.text is not None:
        text = final.text
    message = _message_of(live, end, final, text, speaking)
    if final is None and message is not None:
        text = message.text
    result = None if final is None else result_of(final)
    entries = entries_of(run, live, end, text, now)
    # What has waited for too long is no news: the conversation has rested since.
    when = min(now, max(session.updated, run.at)) if end.state == "expired" else now
    ended = RunEnded(
        live.key,
        run.id,
        run.session,
        end.state,
        now,
        answer=text,
        result=result,
        error=end.kind,
        detail=live.reason if end.state == "aborted" else "",
        entries=entries,
        changed=session_after(session, run, entries, result, when) if entries else None,
    )
    return ended, message


def _message_of(
    live: LiveRun, end: End, final: Final | None, text: str, speaking: Speaking
) -> Outbound | None:
    """Return the message to the run's chat: answer or notice; ``None`` for an allowed silence."""
    run = live.run
    target = run.reply
    if target is None:
        return None
    if live.notice or final is None:
        notice = live.notice or _why_unanswered(live, end)
        asked = run.origin.client not in UNASKED
        return _notice(run, target, notice) if notice and asked else None
    return _answer_of(live, target, final, text, speaking)


def _why_unanswered(live: LiveRun, end: End) -> str:
    """Return the notice about a run that has ended without an answer; "" where there is none."""
    if end.state == "expired":
        return ""  # what has waited for too long is not answered any more, in whichever way
    shown = end_text(
        end.state, end.kind, None if live.outcome is None else live.outcome.retry_after
    )
    return "" if shown is None else shown.text


def _answer_of(
    live: LiveRun, target: ReplyTarget, final: Final, text: str, speaking: Speaking
) -> Outbound | None:
    """Return the agent's answer as a message; ``None`` for an allowed silence."""
    run = live.run
    silent = bool(live.tools) or speaking.kind not in MODEL_KINDS
    if not text and not final.attachments and silent:
        return None
    if is_heartbeat(live.request):
        said = without_token(text)
        if said is None:
            return None
        text = said
    group = run.request.chat is not None and run.request.chat.kind == "group"
    reply = read_reply(
        text,
        current=run.origin.message or None,
        group=group,
        silent_groups=speaking.silent_groups,
        files=bool(final.attachments),
    )
    if reply.kind == "silent":
        return None
    if reply.kind == "empty":
        asked = run.origin.client not in UNASKED
        return _notice(run, target, error_text("empty").text) if asked else None
    return Outbound(
        to=target.to,
        text=reply.text[:MAX_TEXT],
        key=answer_key(run.id),
        thread=target.thread,
        reply_to=reply.reply_to or target.reply_to,
        attachments=final.attachments,
        markup=markup_of(speaking.kind),
    )


def is_aside(run: Run) -> bool:
    """Return whether the gateway asks for itself, beside a conversation."""
    return run.origin.client in ASIDE


def is_heartbeat(request: RunRequest) -> bool:
    """Return whether nobody has asked what a request asks: it is a heartbeat."""
    return bool(request.fields.get("heartbeat"))


def _notice(run: Run, target: ReplyTarget, text: str) -> Outbound:
    return Outbound(to=target.to, text=text, key=answer_key(run.id), thread=target.thread)


def result_of(final: Final) -> RunResult:
    """Return what is kept of an answer beside its text."""
    return RunResult(
        usage={} if final.usage is None else msgspec.to_builtins(final.usage),
        stop_reason=final.stop_reason or "",
        model=final.model or "",
        attachments=final.attachments,
    )


def entries_of(run: Run, live: LiveRun, end: End, text: str, now: int) -> list[TranscriptEntry]:
    """Return the entries that a run adds to its transcript: question, tool calls, and answer.

    ``text`` is the answer as far as it came, or the notice that the person got instead.
    """
    outcome = live.outcome
    if not _leaves_entries(run, live, end, text):
        return []
    asked = _question_entry(run, live.request)
    if end.state == "expired":
        return [asked]  # nobody answers it, but the agent knows of it with the next turn
    used, open_calls = tools_of(live.tools, run.id, now)
    if not text and (outcome is None or outcome.final is None):
        return [asked, *used]
    final = outcome.final if outcome is not None and end.state == "final" else None
    answered = TranscriptEntry(
        "notice" if end.state in ("error", "timeout") else "assistant",
        text,
        at=now,
        run=run.id,
        model=(final and final.model) or "",
        usage={} if final is None or final.usage is None else msgspec.to_builtins(final.usage),
        attachments=[] if final is None else final.attachments,
        chat=run.origin.chat,
        calls=[] if final is None else open_calls,
    )
    return [asked, *used, answered]


def _leaves_entries(run: Run, live: LiveRun, end: End, text: str) -> bool:
    """Return whether a run becomes part of its transcript."""
    expired = end.state == "expired"
    if is_aside(run) or not (run.started or expired) or (expired and run.origin.client):
        return False
    if end.state == "aborted" and live.reason in ANEW:
        return False  # the conversation has begun anew, and knows nothing of it
    found_nothing = is_heartbeat(live.request) and without_token(text) is None
    return not (end.state == "final" and found_nothing)


def _question_entry(run: Run, request: RunRequest) -> TranscriptEntry:
    return TranscriptEntry(
        "user",
        request.text,
        at=run.at,
        run=run.id,
        attachments=request.attachments,
        chat=run.origin.chat,
        sender=run.origin.sender,
        name=_name_in_group(request),
    )


def _name_in_group(request: RunRequest) -> str:
    """Return the name of who has asked, where several people may."""
    group = request.chat is not None and request.chat.kind == "group"
    return (request.sender.name or "") if group and request.sender is not None else ""


def tools_of(
    events: list[ToolCall | ToolResult], run: str, now: int
) -> tuple[list[TranscriptEntry], list[ToolCall]]:
    """Return the entries of calls that have their results, and the calls that have none as yet.

    The results of the latter come from whoever has given the tool. What is too long is left out.
    """
    calls = {each.id: each for each in events if isinstance(each, ToolCall) and _fits(each)}
    results = {each.id: each for each in events if isinstance(each, ToolResult)}
    done = [each for name, each in calls.items() if name in results]
    entries = [TranscriptEntry("assistant", "", at=now, run=run, calls=done)] if done else []
    for call in done:
        text = results[call.id].output[:MAX_TOOL_TEXT]
        entries.append(TranscriptEntry("tool", text, now, run, name=call.name, call=call.id))
    return entries, [each for name, each in calls.items() if name not in results]


def _fits(call: ToolCall) -> bool:
    return len(str(call.arguments)) <= MAX_TOOL_TEXT


def session_after(
    session: Session, run: Run, entries: list[TranscriptEntry], result: RunResult | None, now: int
) -> Session:
    """Return what a session is after a run."""
    usage = dict(session.usage)
    for name, count in (result.usage if result is not None else {}).items():
        usage[name] = usage.get(name, 0) + count
    target, channel = run.reply, run.origin.account.partition(":")[0]
    return replace(
        session,
        created=session.created or now,
        updated=now,
        messages=session.messages + len(entries),
        runs=session.runs + 1,
        usage=usage,
        channel=channel or session.channel,
        account=session.account if target is None else target.account,
        to=session.to if target is None else target.to,
        thread=session.thread if target is None else target.thread,
    )
