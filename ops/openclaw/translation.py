"""Translates a whole configuration of OpenClaw. Pure.

Every value of the original is noted once, as copied, changed or left out, by itself or as part of a
section.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from ops.openclaw.agents import carry_agents
from ops.openclaw.channels import carry_channels
from ops.openclaw.conversations import (
    carry_bindings,
    carry_canvas,
    carry_commands,
    carry_cron,
    carry_hooks,
    carry_logging,
    carry_messages,
    carry_session,
)
from ops.openclaw.diagnostics import carry_diagnostics
from ops.openclaw.draft import Draft, mapping_of
from ops.openclaw.gateway import carry_gateway
from ops.openclaw.rules import suggestion
from ops.openclaw.variables import Variables
from runtime.config.check import join

AGENTS = "is about OpenClaw's agents, which stay there"
_SECTIONS: Mapping[str, Callable[[Draft, Any], None]] = {
    "commands": carry_commands,
    "cron": carry_cron,
    "hooks": carry_hooks,
    "logging": carry_logging,
    "canvasHost": carry_canvas,
    "diagnostics": carry_diagnostics,
}
_ELSEWHERE = ("gateway", "channels", "agents", "bindings", "session", "messages", "models")
OWN = "is OpenClaw's own"
# The other sections of OpenClaw 2026.9, and of earlier versions.
_OF_OPENCLAW = {
    "$schema": "is about the file itself",
    "meta": "is about the file itself",
    "update": "Trunkline is brought up to date by its package manager",
    "plugins": "plugins of OpenClaw run in it alone",
    "ui": "is about OpenClaw's page",
    "accessGroups": "Trunkline has no groups of people: allowFrom lists each of them",
    **dict.fromkeys(("wizard", "auth", "telemetry", "audit", "discovery", "nodeHost"), OWN),
    **dict.fromkeys(("desktop", "web", "cloudWorkers", "proxy", "surfaces"), OWN),
    **dict.fromkeys(("acp", "agent", "approvals", "attachments", "audio", "broadcast"), AGENTS),
    **dict.fromkeys(("browser", "identity", "mcp", "media", "memory", "routing"), AGENTS),
    **dict.fromkeys(("security", "skills", "talk", "tools", "transcripts", "tts"), AGENTS),
    **dict.fromkeys(("worktreeAcceleration", "worktreeRoot"), AGENTS),
}
STRANGE = "OpenClaw is not known to have such a setting"
_KNOWN = (*_SECTIONS, *_ELSEWHERE, *_OF_OPENCLAW, "env", "secrets")


def translate(
    values: Mapping[str, Any],
    variables: Variables,
    channels: Collection[str],
    new_token: str,
) -> Draft:
    """Translate a configuration of OpenClaw into a draft of ours.

    ``channels`` are those installed here. ``new_token`` becomes the gateway's secret if the
    original has none.
    """
    providers = mapping_of(mapping_of(values.get("secrets")).get("providers"))
    draft = Draft(variables, providers)
    if "gateway" in values:
        carry_gateway(draft, values["gateway"])
    if "channels" in values:
        carry_channels(draft, values["channels"])
    carry_agents(draft, values)
    if "bindings" in values:
        carry_bindings(draft, values["bindings"])
    carry_session(draft, values.get("session"), channels)
    carry_messages(draft, values.get("messages"))
    for name, value in values.items():
        if name in _SECTIONS:
            _SECTIONS[name](draft, value)
        elif name == "env":
            _note_variables(draft, value)
        elif name == "secrets":
            _note_secrets(draft, value)
        elif name not in _ELSEWHERE:
            strange = f"{STRANGE}{suggestion(name, _KNOWN)}"
            draft.omit(join("", name), _OF_OPENCLAW.get(name, strange))
    _protect(draft, new_token)
    return draft


def _protect(draft: Draft, new_token: str) -> None:
    """Set a secret for the gateway if it has none."""
    auth = draft.value(("gateway", "auth")) or {}
    if auth.get("mode") in ("none", "trusted-proxy") or "token" in auth or "password" in auth:
        return
    target = ("gateway", "auth", "token")
    variable = "OPENCLAW_GATEWAY_TOKEN"
    if draft.variables.value(variable):
        reference = {"source": "env", "id": variable}
        reason = f"is not set: OpenClaw reads {variable}, a reference to the same variable"
        draft.change("gateway.auth.token (none here)", target, reference, reason)
    else:
        draft.change("gateway.auth.token (none here)", target, new_token, "a new one")


def _note_variables(draft: Draft, fields: Any) -> None:
    """Report ``env``: a variable that a value needs is written into that value."""
    if not isinstance(fields, Mapping) or not fields:
        draft.omit("env", "is empty" if fields == {} else "is not an object")
        return
    for name, value in fields.items():
        path = join("env", name)
        if name == "vars" and isinstance(value, Mapping) and value:
            for each in value:
                _note_variable(draft, join(path, each), each)
        elif name in draft.variables.inline:
            _note_variable(draft, path, name)
        else:
            draft.omit(path, AGENTS)


def _note_variable(draft: Draft, path: str, name: str) -> None:
    if name in draft.used_variables:
        draft.note_fixed(path, "stands where it was used")
    else:
        draft.omit(path, AGENTS)


def _note_secrets(draft: Draft, fields: Any) -> None:
    if not isinstance(fields, Mapping) or not fields:
        draft.omit("secrets", "is empty" if fields == {} else "is not an object")
        return
    for name, value in fields.items():
        path = join("secrets", name)
        if name != "providers" or not isinstance(value, Mapping) or not value:
            draft.omit(path, "references stand where their secrets are used")
            continue
        for each in value:
            if each in draft.used_providers:
                draft.note_fixed(join(path, each), "stands in the references to it")
            else:
                draft.omit(join(path, each), "no reference that comes along needs it")


def inline_variables(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the variables that a configuration itself sets, in ``env.vars`` or ``env``."""
    env = mapping_of(values.get("env"))
    found = {name: value for name, value in env.items() if isinstance(value, str)}
    found |= {
        name: value for name, value in mapping_of(env.get("vars")).items() if isinstance(value, str)
    }
    return found
