"""Compares events without a published shape with recordings of OpenClaw's gateway.

Of each event, and of each ``action`` where it has some, the fields: those that always came, and
those that came sometimes. Rows in them (sessions, jobs, nodes) have a shape of their own. Our own
events are held against what ``docs/protocol.md`` says of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema
import msgspec

from ipc.frames.status import AccountStatus

TYPES = {
    "text": {"type": "string"},
    "number": {"type": "number"},
    "flag": {"type": "boolean"},
    "list": {"type": "array"},
    "object": {"type": "object"},
}
JOB = "jobId:text action:text job:object"
# What may always stand beside the fields: a session's row is spread over these payloads.
SESSION_ROW = frozenset({"sessions.changed", "session.message"})
RUN = (
    "error?:text diagnostics?:object sessionId?:text sessionKey?:text runId?:text model?:text"
    " provider?:text summary?:text delivered?:flag delivery?:object usage?:object"
    " deliveryError?:text nextRunAtMs?:number"
)
RECORDED = {
    "connect.challenge": "nonce:text ts:number capabilities?:list",
    "config.changed": "path:text hash:text ts:number",
    "cron added": f"{JOB} nextRunAtMs?:number",
    "cron updated": f"{JOB} nextRunAtMs?:number",
    "cron removed": JOB,
    "cron started": f"{JOB} runAtMs:number",
    "cron finished": f"{JOB} status:text completionStatus:text deliveryStatus:text runAtMs:number"
    f" durationMs:number {RUN}",
    "heartbeat": "ts:number status:text preview?:text channel?:text indicatorType?:text to?:text"
    " accountId?:text hasMedia?:flag durationMs?:number reason?:text",
    "node.invoke.cancel": "invokeId:text nodeId:text",
    "node.pair.requested": "requestId:text nodeId:text clientId:text clientMode:text platform:text"
    " version:text caps:list commands:list requiredApproveScopes:list silent:flag ts:number"
    " deviceFamily?:text displayName?:text remoteIp?:text coreVersion?:text uiVersion?:text"
    " modelIdentifier?:text permissions?:object",
    "node.pair.resolved": "requestId:text nodeId:text decision:text ts:number",
    "session.message": "sessionKey:text agentId:text message:object messageId:text"
    " messageSeq:number session:object sessionId:text updatedAt:number runId?:text",
    "session.operation": "operationId:text operation:text phase:text sessionKey:text agentId:text"
    " ts:number completed?:flag reason?:text",
    "sessions.changed": "sessionKey:text agentId:text ts:number session:object sessionId:text"
    " updatedAt:number reason?:text phase?:text runId?:text",
}


ACCOUNT = "account:text channel:text accountId:text"
OURS = {
    "agent.removed": "account:text",
    "channel.event": f"{ACCOUNT} cursor:text happened:object redelivered?:flag",
    "channel.figures": "ts:number since:number revision:number keys?:list rows?:list rss:list"
    " cpu:list lag:list queued:list in:list out:list dropped:list",
    "channel.gap": "account:text after:text oldest?:text",
    "channel.login": f"{ACCOUNT} incarnation:number state:text prompt?:text kind?:text"
    " expiresAt?:number",
    "channel.message": f"{ACCOUNT} direction:text cursor:text message:object redelivered?:flag"
    " skips?:list dropped?:text",
    "channel.removed": "account:text",
}
SHAPES = RECORDED | OURS


def strange(event: str, payload: dict[str, Any]) -> Iterator[str]:
    """Yield the differences between an event and its recording."""
    name = f"{event} {payload['action']}" if "action" in payload else event
    if name not in SHAPES:
        yield f"{name}: no such event was recorded, and docs/protocol.md has none"
        return
    for error in jsonschema.Draft7Validator(_shape(name, event in SESSION_ROW)).iter_errors(
        payload
    ):
        place = "/".join(map(str, error.absolute_path))
        yield f"{name} at /{place}: {error.message[:300]}"


def strange_row(event: str, row: Any) -> Iterator[str]:
    """Yield the differences between a row of an account or an agent and its type."""
    try:
        known = msgspec.convert(row, AccountStatus)
    except msgspec.ValidationError as error:
        yield f"{event}: {error}"
        return
    for name in set(row) - set(known.__struct_encode_fields__):
        yield f"{event}: {name} is no field of an account's row"


def _shape(name: str, more: bool) -> dict[str, Any]:
    fields = dict(each.split(":") for each in SHAPES[name].split())
    return {
        "type": "object",
        "required": [each for each in fields if not each.endswith("?")],
        "properties": {each.removesuffix("?"): TYPES[kind] for each, kind in fields.items()},
        "additionalProperties": more,
    }
