"""Changes sessions: ``sessions.patch``, ``reset``, ``delete``; aborts their runs: ``abort``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from ipc.epoch import now_ms
from ipc.errors import RemoteError
from ipc.frames.words import INVALID_REQUEST, agent_key
from runtime.gateway.access.scopes import ADMIN, WRITE
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import Repeat, method, missing_scope
from runtime.gateway.conversations.catalogs import model_in
from runtime.gateway.conversations.session_keys import main_key
from runtime.gateway.conversations.session_rows import SETTINGS, defaults_of
from runtime.gateway.journal.conversations import Session, SessionDeleted, SessionFilter
from runtime.gateway.methods.asking import changes, describe_session
from runtime.gateway.methods.request_parts import Word
from runtime.gateway.methods.sessions import SessionKeyParams, row_of
from runtime.gateway.parts import GatewayParts
from runtime.gateway.runs.asking import changed

IDLE = SETTINGS - {"model", "thinkingLevel", "sendPolicy"}  # settings without effect
FOR_ADMINS = SETTINGS - {"model", "thinkingLevel", "fastMode"}  # as OpenClaw draws the line
ThinkingLevel = Literal[
    "off", "minimal", "low", "medium", "high", "xhigh", "adaptive", "max", "ultra"
]
Level = Annotated[str, Meta(max_length=64)] | None | UnsetType


class SessionsPatchParams(SessionKeyParams):
    """The params of ``sessions.patch``; ``null`` clears a field.

    Where ``expected_session_id`` is not the session's any more, nothing is changed.
    """

    expected_session_id: Word | None = None

    label: Annotated[str, Meta(min_length=1, max_length=512)] | UnsetType | None = UNSET
    model: Level = UNSET
    thinking_level: ThinkingLevel | UnsetType | None = UNSET
    fast_mode: bool | Literal["auto"] | UnsetType | None = UNSET
    trace_level: Level = UNSET
    verbose_level: Level = UNSET
    reasoning_level: Level = UNSET
    response_usage: Level = UNSET
    elevated_level: Level = UNSET
    send_policy: Literal["allow", "deny"] | UnsetType | None = UNSET
    group_activation: Literal["mention", "always"] | UnsetType | None = UNSET
    archived: bool | UnsetType = UNSET
    pinned: bool | UnsetType = UNSET


class SessionsResetParams(SessionKeyParams):
    """The params of ``sessions.reset``."""

    reason: Literal["new", "reset"] = "reset"


class SessionsDeleteParams(SessionKeyParams):
    """The params of ``sessions.delete``.

    Where ``expected_session_id`` is not the session's any more, or ``archived_only`` and it is not
    archived, nothing is deleted.
    """

    delete_transcript: bool = True
    expected_session_id: Word | None = None
    archived_only: bool = False
    emit_lifecycle_hooks: bool | None = None


class SessionsAbortParams(SessionKeyParams):
    """The params of ``sessions.abort``; without ``run_id`` all runs are meant."""

    clear_queued: bool | None = None
    run_id: Word | None = None


@method("sessions.patch", WRITE, SessionsPatchParams)
@changes(describe_session("changed"))
async def sessions_patch(
    parts: GatewayParts, client: ConnectedClient, params: SessionsPatchParams
) -> Any:
    """Change a session, which is created if it does not exist. `null` clears a field. `model` and
    `thinkingLevel` are used in its turns if the agent's kind supports them; `ignored` (ours) names
    fields that are kept and have no effect. Fields other than label, model, thinking, `fastMode`,
    `archived` and `pinned` need `operator.admin`.
    """
    names = list(zip(params.__struct_fields__, params.__struct_encode_fields__, strict=True))
    given = {wire for name, wire in names if getattr(params, name) is not UNSET}
    if given & FOR_ADMINS and not client.covers(ADMIN):
        raise missing_scope(ADMIN, client.protocol)
    key = parts.asking.answered_key(params.key, params.agent_id)
    if params.archived is True and key == main_key(key.split(":")[1]):
        raise RemoteError(INVALID_REQUEST, "Cannot archive an agent's main session.")
    journal = await parts.asking.journal()
    if params.label:
        holders, _ = await journal.sessions(SessionFilter(label=params.label), 2)
        if any(each.key != key for each in holders):
            raise RemoteError(INVALID_REQUEST, f"label already in use: {params.label}")
    conversation = await parts.asking.conversation(key)
    if params.expected_session_id not in (None, conversation.session.id):
        raise RemoteError(INVALID_REQUEST, f"Session {key} changed before the patch. Retry.")
    session = _patched(conversation.session, params)
    conversation.session = session
    await parts.asking.store_session(session)
    parts.broadcast.sessions.publish_change(session, reason="patch")
    idle = [wire for _, wire in names if wire in IDLE & given]
    asked = [("model", params.model), ("thinking", params.thinking_level)]
    fields = [name for name, value in asked if value not in (UNSET, None)]
    idle += parts.agents.ignored_fields(session.agent, fields, {"thinking": "thinkingLevel"})
    answer = {"ok": True, "path": str(parts.boot.state_dir), **changed_session(parts, session)}
    return answer | ({"ignored": idle} if idle else {})


@method("sessions.reset", ADMIN, SessionsResetParams)
@changes(describe_session("begun anew"))
async def sessions_reset(
    parts: GatewayParts, client: ConnectedClient, params: SessionsResetParams
) -> Any:
    """Start a session anew: label and settings stay, its runs are ended."""
    key = parts.asking.answered_key(params.key, params.agent_id)
    session = await parts.asking.reset(key, params.reason)
    parts.broadcast.sessions.publish_change(session, reason=params.reason)
    return {"ok": True, **changed_session(parts, session)}


@method("sessions.delete", WRITE, SessionsDeleteParams)
@changes(describe_session("deleted", "deleted"))
async def sessions_delete(
    parts: GatewayParts, client: ConnectedClient, params: SessionsDeleteParams
) -> Any:
    """Delete a session with its transcript, which is not kept elsewhere; its runs are ended.
    Without `archivedOnly` that needs `operator.admin`.
    """
    if not params.archived_only and not client.covers(ADMIN):
        raise missing_scope(ADMIN, client.protocol)
    key = parts.asking.key_in(params.key, params.agent_id)
    journal = await parts.asking.journal()
    session = await journal.session(key)
    if key == main_key(key.split(":")[1]):
        raise RemoteError(INVALID_REQUEST, f"Cannot delete the main session ({key}).")
    if not params.delete_transcript:
        text = "a session is deleted with its transcript here; sessions.patch archives it"
        raise RemoteError(INVALID_REQUEST, text)
    if session is None:
        return {"ok": True, "key": key, "deleted": False, "archived": []}
    if params.archived_only and not session.archived:
        text = f"Session {key} is not archived. Archive it first, then delete it."
        raise RemoteError(INVALID_REQUEST, text)
    if params.expected_session_id not in (None, session.id):
        raise RemoteError(INVALID_REQUEST, f"Session {key} changed before deletion. Retry.")
    await parts.asking.abort(key, None)
    await parts.asking.store(SessionDeleted(agent_key(session.agent), key))
    parts.sessions.forget(key)
    parts.broadcast.sessions.publish_change(session, reason="delete")
    return {"ok": True, "key": key, "deleted": True, "archived": []}


@method("sessions.abort", WRITE, SessionsAbortParams, repeat=Repeat.ALWAYS)
async def sessions_abort(
    parts: GatewayParts, client: ConnectedClient, params: SessionsAbortParams
) -> Any:
    """End a run of a session, or all of them; `abortedRunId` is the first one."""
    key = parts.asking.key_in(params.key, params.agent_id)
    runs = await parts.asking.abort(key, params.run_id)
    status = "aborted" if runs else "no-active-run"
    return {"ok": True, "abortedRunId": runs[0] if runs else None, "status": status}


def changed_session(parts: GatewayParts, session: Session) -> dict[str, Any]:
    """Return the row of a changed session for the answer."""
    entry = parts.agents.listed.entries.get(session.agent)
    defaults = defaults_of("", "") if entry is None else defaults_of(entry.label, entry.kind)
    resolved = {name: defaults[name] for name in ("modelProvider", "agentRuntime")}
    resolved["model"] = session.settings.get("model", defaults["model"])
    return {"key": session.key, "entry": row_of(parts, session), "resolved": resolved}


def _patched(session: Session, params: SessionsPatchParams) -> Session:
    """Return a session with the given fields applied."""
    settings = dict(session.settings)
    names = zip(params.__struct_fields__, params.__struct_encode_fields__, strict=True)
    for name, wire in names:
        value = getattr(params, name)
        if wire not in SETTINGS or value is UNSET:
            continue
        settings.pop(wire, None)
        if value is not None:
            settings[wire] = model_in(value) if wire == "model" else value
    given = {name: getattr(params, name) for name in ("label", "archived", "pinned")}
    fields = {name: value for name, value in given.items() if value is not UNSET}
    if "archived" in fields:
        fields["archived_at"] = now_ms() if fields["archived"] else 0
    if "label" in fields:
        fields["label"] = fields["label"] or ""
    return changed(session, settings=settings, **fields)
