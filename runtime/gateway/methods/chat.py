"""Sends messages into a session, aborts its runs: ``chat.send``, ``abort`` and ``inject``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from ipc.epoch import now_ms
from ipc.errors import RemoteError
from ipc.frames.requests import Params
from ipc.frames.words import INVALID_REQUEST
from runtime.gateway.access.scopes import ADMIN, WRITE
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import TEXT_BYTES, Repeat, method
from runtime.gateway.conversations.chat_commands import read_command
from runtime.gateway.conversations.queue_modes import STEER_NOTE
from runtime.gateway.conversations.run_answers import digest_of
from runtime.gateway.conversations.session_keys import agent_of
from runtime.gateway.journal.conversations import TranscriptEntry
from runtime.gateway.journal.interface import Journal
from runtime.gateway.journal.runs import ReplyTarget, Run, RunRequest
from runtime.gateway.methods.request_parts import (
    Files,
    Key,
    Word,
    require_sending,
    resolve_files,
    target_of,
)
from runtime.gateway.parts import GatewayParts
from runtime.gateway.runs.asking import changed, made_run
from runtime.gateway.runs.reception import QUEUE
from workers.messages import MAX_TEXT, Id

INJECTED = "gateway-injected"  # the model of what no agent has said


class ChatSendParams(Params):
    """The params of ``chat.send``, OpenClaw's; those without effect are named in the answer."""

    session_key: Key
    message: Annotated[str, Meta(max_length=MAX_TEXT)]
    idempotency_key: Id
    agent_id: Word | None = None
    session_id: Word | None = None
    thinking: Word | None = None
    fast_mode: bool | Literal["auto"] | None = None
    queue_mode: Literal["steer", "followup", "collect", "interrupt"] | None = None
    deliver: bool = False
    originating_channel: Word | None = None
    originating_to: Word | None = None
    originating_account_id: Word | None = None
    originating_thread_id: Word | None = None
    reply_to_id: Word | None = None
    attachments: Files = []
    timeout_ms: Annotated[int, Meta(ge=0, le=604_800_000)] | None = None
    expected_leaf_entry_id: Word | None = None
    suppress_command_interpretation: bool = False

    def turn_fields(self) -> dict[str, Any]:
        """Return the further fields of the turn."""
        return {"thinking": self.thinking} if self.thinking else {}

    def idle(self) -> list[tuple[str, object]]:
        """Return the names of the given params without effect."""
        return [
            ("fastMode", self.fast_mode),
            ("replyToId", self.reply_to_id),
            ("expectedLeafEntryId", self.expected_leaf_entry_id),
        ]


class ChatAbortParams(Params):
    """The params of ``chat.abort``; without ``run_id`` all runs of the session are meant."""

    session_key: Key
    run_id: Id | None = None
    agent_id: Word | None = None
    preserve_side_runs: bool | None = None


class ChatInjectParams(Params):
    """The params of ``chat.inject``."""

    session_key: Key
    message: Annotated[str, Meta(min_length=1, max_length=MAX_TEXT)]
    label: Annotated[str, Meta(max_length=100)] | None = None
    agent_id: Word | None = None


@method("chat.send", WRITE, ChatSendParams, repeat=Repeat.WITH_KEY, most_bytes=TEXT_BYTES)
async def chat_send(parts: GatewayParts, client: ConnectedClient, params: ChatSendParams) -> Any:
    """Send a message to a session; the answer comes as events `chat` and `agent`. The same key and
    text is answered with `in_flight` or `ok`, another text is refused. `deliver` also sends the
    agent's answer to the named chat, or to the one in which the session was last used. The queue
    mode `steer` has the effect of followup, as `note` says, whoever has set it. The gateway
    executes commands. A file is base64 in `content`, or (ours) a stored one: `url: "media:<id>"`
    and the key of its `account`.
    """
    key = parts.asking.answered_key(params.session_key, params.agent_id)
    files = await resolve_files(parts, agent_of(key), params.attachments)
    if not params.message.strip() and not files:
        raise RemoteError(INVALID_REQUEST, "message or attachment required")
    journal = await parts.asking.journal()
    text = params.message
    if not params.suppress_command_interpretation and not files:
        done = await _command(parts, journal, key, params)
        if isinstance(done, dict):
            return done
        text = done
    busy = bool(parts.runs.of_session(key))
    made = made_run(
        params.idempotency_key,
        key,
        RunRequest(text, files, fields=params.turn_fields()),
        client=client.connect.client.id,
        reply=await _target(parts, key, params) if params.deliver else None,
        mode=params.queue_mode or "",
        timeout_ms=params.timeout_ms,
        digest=digest_of(key, params.message, files),  # with its command
    )
    asked = await parts.asking.ask(made)
    if asked.known:
        status = "in_flight" if asked.run.is_open else _status(asked.run)
        return {"runId": asked.run.id, "status": status}
    answer = {"runId": asked.run.id, "status": "started"}
    return answer | _notes(parts, params, made, busy=busy)


def _notes(parts: GatewayParts, params: ChatSendParams, made: Run, *, busy: bool) -> dict[str, Any]:
    """Return what the answer notes of a new run; ``busy``: its session had another one."""
    notes: dict[str, Any] = {}
    if params.queue_mode == "interrupt" and busy:
        notes["interruptedActiveRun"] = True
    if (params.queue_mode or parts.reception.queue_of(made).mode) == "steer":
        notes["note"] = STEER_NOTE
    idle = [name for name, given in params.idle() if given]
    if idle := [*idle, *parts.agents.ignored_fields(agent_of(made.session), params.turn_fields())]:
        notes["ignored"] = idle
    return notes


@method("chat.abort", WRITE, ChatAbortParams, repeat=Repeat.ALWAYS)
async def chat_abort(parts: GatewayParts, client: ConnectedClient, params: ChatAbortParams) -> Any:
    """End a run of a session, or all of them. The events of their ends come before the answer."""
    key = parts.asking.key_in(params.session_key, params.agent_id)
    runs = await parts.asking.abort(key, params.run_id)
    return {"ok": True, "aborted": bool(runs), "runIds": runs}


@method("chat.inject", ADMIN, ChatInjectParams, most_bytes=TEXT_BYTES)
async def chat_inject(
    parts: GatewayParts, client: ConnectedClient, params: ChatInjectParams
) -> Any:
    """Add a message to a session's transcript as a message of its agent, without asking it."""
    key = parts.asking.answered_key(params.session_key, params.agent_id)
    journal = await parts.asking.journal()
    if await journal.session(key) is None:
        raise RemoteError(INVALID_REQUEST, "session not found")
    text = f"[{params.label}]\n\n{params.message}" if params.label else params.message
    entry = TranscriptEntry("assistant", text, at=now_ms(), model=INJECTED)
    number = await parts.asking.add_entry(key, entry)
    parts.broadcast.send_message(f"inject-{number}", key, agent_of(key), _message(text, entry.at))
    return {"ok": True, "messageId": str(number)}


async def _command(
    parts: GatewayParts, journal: Journal, key: str, params: ChatSendParams
) -> dict[str, Any] | str:
    """Execute a command; return its answer, or the remaining text for the agent."""
    command = read_command(params.message, busy=bool(parts.runs.of_session(key)))
    if command is None or command.name == "agent":  # the key names the agent
        return params.message
    run = params.idempotency_key
    if parts.runs.live(run) is not None or await journal.run_of(run) is not None:
        return params.message  # it has been carried out: what was said with it is a run
    conversation = await parts.asking.conversation(key)
    done = parts.reception.answer_client(command, conversation)
    match done.effect:
        case "stop":
            runs = await parts.asking.abort(key, None, "stop")
            return {"ok": True, "aborted": bool(runs), "runIds": runs}
        case "reset":
            await parts.asking.reset(key)
        case "queue":
            settings = {n: v for n, v in conversation.session.settings.items() if n != QUEUE}
            if done.queue is not None:
                settings[QUEUE] = msgspec.to_builtins(done.queue)
            conversation.session = changed(conversation.session, settings=settings)
            await parts.asking.store_session(conversation.session)
    if done.message is not None:
        return done.message
    more = {"provider": "openclaw", "model": INJECTED, "stopReason": "stop"}
    message = _message(done.text, now_ms()) | more
    parts.broadcast.send_message(params.idempotency_key, key, agent_of(key), message)
    return {"runId": params.idempotency_key, "status": "started"}


async def _target(parts: GatewayParts, key: str, params: ChatSendParams) -> ReplyTarget | None:
    """Return the named chat, else the chat of the session's last message."""
    session = (await parts.asking.conversation(key)).session
    require_sending(session)
    channel, to = params.originating_channel, params.originating_to
    if channel and to:
        account, thread = params.originating_account_id, params.originating_thread_id
        return target_of(parts, "chat.send", channel, account, to, thread)
    if not session.to or session.account not in parts.accounts.rows:
        return None
    return ReplyTarget(session.account, session.to, session.thread)


def _message(text: str, at: int) -> dict[str, Any]:
    return {"role": "assistant", "content": [{"type": "text", "text": text}], "timestamp": at}


def _status(run: Run) -> str:
    """Return the state of a run, for a client that sends its key again."""
    if run.state in ("final", "merged"):
        return "ok"
    return "timeout" if run.state in ("timeout", "expired") else "error"
