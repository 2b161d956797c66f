"""Asks an agent and waits for its answer: ``agent`` and ``agent.wait``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from ipc.errors import RemoteError
from ipc.frames.requests import Params
from ipc.frames.words import INVALID_REQUEST
from runtime.gateway.access.scopes import WRITE
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import (
    TEXT_BYTES,
    FailedAnswer,
    Repeat,
    TwoAnswers,
    method,
)
from runtime.gateway.conversations.run_answers import (
    accepted_answer,
    command_answer,
    failure_of,
    final_answer,
    in_flight_answer,
    wait_answer,
)
from runtime.gateway.conversations.session_keys import agent_of, main_key, named_key
from runtime.gateway.journal.interface import Journal
from runtime.gateway.journal.runs import ReplyTarget, Run, RunRequest
from runtime.gateway.methods.request_parts import (
    Files,
    Free,
    Word,
    require_sending,
    resolve_files,
    session_of_chat,
    target_of,
    unknown_channel,
)
from runtime.gateway.parts import GatewayParts
from runtime.gateway.runs.asking import made_run
from workers.messages import MAX_TEXT, Id

WAIT_MS, MAX_WAIT_MS = 30_000, 3_600_000
NO_CHANNEL = ("last", "webchat")  # OpenClaw's clients name them where nothing is delivered
RESETS = frozenset({"/new", "/reset"})
FIELDS = {"instructions": "extraSystemPrompt"}  # of a turn, and what the param is called
RESET_DONE = "✅ New session started."


class AgentParams(Params):
    """The params of ``agent``, OpenClaw's; those without effect are named in the answer."""

    message: Annotated[str, Meta(min_length=1, max_length=MAX_TEXT)]
    idempotency_key: Id
    agent_id: Word | None = None
    session_key: Word | None = None
    session_id: Word | None = None
    to: Word | None = None
    reply_to: Word | None = None
    channel: Word | None = None
    reply_channel: Word | None = None
    account_id: Word | None = None
    reply_account_id: Word | None = None
    thread_id: Word | None = None
    deliver: bool = False
    timeout: Annotated[int, Meta(ge=0, le=604_800)] | None = None
    extra_system_prompt: str | None = None
    model: Word | None = None
    thinking: Word | None = None
    attachments: Files = []
    provider: Word | None = None
    best_effort_deliver: bool | None = None
    group_id: Word | None = None
    group_channel: Word | None = None
    group_space: Word | None = None
    lane: Word | None = None
    cwd: str | None = None
    label: Word | None = None
    prompt_mode: Literal["full", "minimal", "none"] | None = None
    input_provenance: Free | None = None
    voice_wake_trigger: str | None = None

    def ignored(self) -> list[str]:
        """Return the names of the given params without effect."""
        return [_WIRE[name] for name in IGNORED if getattr(self, name) is not None]

    @property
    def target(self) -> tuple[str | None, str | None, str | None]:
        """Channel, account id and chat of a delivery, as far as they are given."""
        channel = self.reply_channel or self.channel
        return channel, self.reply_account_id or self.account_id, self.reply_to or self.to


IGNORED = (
    "provider",
    "best_effort_deliver",
    "group_id",
    "group_channel",
    "group_space",
    "lane",
    "cwd",
    "label",
    "prompt_mode",
    "input_provenance",
    "voice_wake_trigger",
)
_WIRE = dict(zip(AgentParams.__struct_fields__, AgentParams.__struct_encode_fields__, strict=True))


class AgentWaitParams(Params):
    """The params of ``agent.wait``."""

    run_id: Id
    timeout_ms: Annotated[int, Meta(ge=0, le=MAX_WAIT_MS)] = WAIT_MS


@method("agent", WRITE, AgentParams, repeat=Repeat.WITH_KEY, most_bytes=TEXT_BYTES)
async def agent(parts: GatewayParts, client: ConnectedClient, params: AgentParams) -> Any:
    """Ask an agent. There are two answers with the request's id: `accepted` once the run is stored,
    and one when it has ended. The same key and message during the run is answered with `in_flight`
    only, and after the end with the last answer again; another message is refused. With `deliver`
    the answer is also sent to the named chat. `ignored` (ours) names params without effect.
    """
    _check_agent(parts, params)
    _check_channels(parts, params)
    journal = await parts.asking.journal()
    target = _target(parts, params)
    session = await _session(parts, journal, params, target)
    if params.message.strip() in RESETS:
        await parts.asking.reset(session)
        return command_answer(params.idempotency_key, RESET_DONE)
    if target is not None and params.deliver:
        require_sending((await parts.asking.conversation(session)).session)
    asked = await parts.asking.ask(
        made_run(
            params.idempotency_key,
            session,
            await request_of(parts, params, agent_of(session)),
            client=client.connect.client.id,
            reply=target if params.deliver else None,
            timeout_ms=params.timeout * 1000 if params.timeout else None,
        )
    )
    run = asked.run
    if asked.known:
        return in_flight_answer(run) if run.is_open else last_answer(run, client.protocol)
    named = params.agent_id or params.session_key or params.session_id or target
    idle = parts.agents.ignored_fields(agent_of(session), run.request.fields, FIELDS)
    first = accepted_answer(run, named=bool(named), ignored=[*params.ignored(), *idle])
    later = asked.ending()
    if later is None:
        return last_answer(await asked.wait(), client.protocol)
    return TwoAnswers(first, later, lambda ended: last_answer(ended, client.protocol))


@method("agent.wait", WRITE, AgentWaitParams, repeat=Repeat.ALWAYS)
async def agent_wait(parts: GatewayParts, client: ConnectedClient, params: AgentWaitParams) -> Any:
    """Wait until a run has ended, for at most `timeoutMs` (30 s). `known` (ours) is false for an
    unknown run, for which OpenClaw answers as for a running one; `mergedInto` (ours) is the run
    whose answer also answers this one.
    """
    await parts.asking.journal()
    run = await parts.runs.wait(params.run_id, params.timeout_ms / 1000)
    return wait_answer(params.run_id, run)


def last_answer(run: Run, protocol: int) -> Any:
    """Return the last answer to ``agent``; an error has its payload beside it."""
    payload, failure = final_answer(run), failure_of(run)
    late = run.state in ("timeout", "expired")
    if failure is None or (late and protocol >= 4):
        return payload
    error = RemoteError(failure.code, failure.text, retryable=failure.retryable)
    return FailedAnswer(payload, error)


async def request_of(parts: GatewayParts, params: AgentParams, agent: str) -> RunRequest:
    """Return the request for the agent."""
    fields = {
        "instructions": params.extra_system_prompt,
        "model": params.model,
        "thinking": params.thinking,
    }
    given = {name: value for name, value in fields.items() if value}
    files = await resolve_files(parts, agent, params.attachments)
    return RunRequest(params.message, files, fields=given)


def _check_agent(parts: GatewayParts, params: AgentParams) -> None:
    """Raise ``RemoteError`` for an unknown agent."""
    wanted = parts.agents.named(params.agent_id) if params.agent_id else None
    if wanted and wanted not in parts.agents.listed.entries:
        text = f'invalid agent params: unknown agent id "{wanted}"'
        raise RemoteError(INVALID_REQUEST, text)


def _check_channels(parts: GatewayParts, params: AgentParams) -> None:
    """Raise ``RemoteError`` for an unknown channel, also where nothing is delivered."""
    for channel in filter(None, (params.channel, params.reply_channel)):
        if channel not in parts.accounts.channels and (params.deliver or channel not in NO_CHANNEL):
            raise unknown_channel(parts, "agent", channel)


def _target(parts: GatewayParts, params: AgentParams) -> ReplyTarget | None:
    """Return the target chat of the params, if one is given."""
    channel, account, to = params.target
    if not params.deliver and not (channel and to):
        return None
    return target_of(parts, "agent", channel, account, to, params.thread_id)


async def _session(
    parts: GatewayParts, journal: Journal, params: AgentParams, target: ReplyTarget | None
) -> str:
    """Return the session key of the params."""
    if params.session_key:
        return parts.asking.answered_key(params.session_key, params.agent_id)
    owner = parts.agents.named(params.agent_id)
    if params.session_id:
        found = await parts.asking.session_with_id(params.session_id, owner)
        return parts.asking.answered_key(found, params.agent_id)
    if target is not None:
        return await session_of_chat(parts, journal, owner, target)
    if params.agent_id or params.to:
        return main_key(owner)
    return parts.asking.answered_key(named_key(owner, "explicit", params.idempotency_key))
