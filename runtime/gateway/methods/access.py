"""Shows who may talk to accounts, and which rules admit nobody: ``channels.access``. Ours."""

from __future__ import annotations

from typing import Any

import msgspec

from ipc.epoch import now_ms
from ipc.errors import RemoteError
from ipc.frames.requests import Params
from ipc.frames.words import INVALID_REQUEST
from runtime.config.access_policy import closed_doors
from runtime.gateway.access.scopes import READ
from runtime.gateway.access_policy.admit import REASONS
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import method
from runtime.gateway.methods.channels import Name
from runtime.gateway.parts import GatewayParts


class AccessParams(Params):
    """The params of ``channels.access``: one channel, or all."""

    channel: Name | None = None


@method("channels.access", READ, AccessParams, ours=True)
def channels_access(parts: GatewayParts, client: ConnectedClient, params: AccessParams) -> Any:
    """Answer with the access policy of each account. It has the lists, where they are configured
    (`sources`), which of them admit nobody (`closed`), and how many messages were not answered in
    the last 24 hours, by reason (`dropped`), or since the start of this gateway.
    """
    if params.channel is not None and params.channel not in parts.accounts.channels:
        raise RemoteError(INVALID_REQUEST, "invalid channels.access channel")
    rows = parts.accounts.rows.values()
    keys = [row.account for row in rows if params.channel in (None, row.channel)]
    return {"accounts": [_access(parts, key) for key in keys]}


def _access(parts: GatewayParts, key: str) -> dict[str, Any]:
    policy = parts.gatekeeper.policy_of(key)
    agent = parts.agents.agent_of(key)
    dropped = parts.gatekeeper.dropped.of(key, now_ms())
    return {
        "account": key,
        "agent": agent,
        "dmPolicy": policy.dm,
        "allowFrom": policy.allow_from,
        "groupPolicy": policy.group,
        "groupAllowFrom": policy.group_allow_from,
        "groupsField": policy.groups_field,
        "groups": {name: msgspec.to_builtins(rule) for name, rule in policy.groups.items()},
        "sources": policy.sources,
        "closed": closed_doors(policy),
        "dropped": [
            {"reason": reason, "text": REASONS[reason], "count": count}
            for reason, count in dropped.items()
        ],
    }
