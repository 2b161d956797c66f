"""Finds the installed kinds of agents: the built-in ones and those of other packages.

As for channels (``workers.registry``), only manifests are imported, and a package that cannot be
imported makes only its own kind unusable.
"""

from __future__ import annotations

import msgspec

from workers.agent import AgentManifest
from workers.installed import (
    InstalledManifests,
    flaw_of_code,
    flaw_of_config,
    flaw_of_fields,
    flaw_of_identity,
)

GROUP = "trunkline.agents"
# The only list of Trunkline's own kinds, as ``BUILT_IN`` of the channels.
BUILT_IN = {
    name: f"workers.agents.{name}:manifest"
    for name in ("echo", "openai", "command", "http", "openclaw", "client")
}

# Fields that every agent has: a kind cannot use these names for its own.
COMMON_FIELDS = frozenset(
    {
        "kind",
        "name",
        "enabled",
        "repeat",
        "timeoutSeconds",
        "maxConcurrent",
        "heartbeat",
        "restart",
        "limits",
        "launcher",
        "confine",
        "proxy",
    }
)


class AgentKinds(InstalledManifests[AgentManifest]):
    """The usable kinds of agents by id."""


def agent_kinds() -> AgentKinds:
    """Return all usable kinds. Never raises: faults are listed in ``warnings`` and ``broken``."""
    found = AgentKinds()
    found.find("kind of agent", GROUP, BUILT_IN, flaw_of_kind)
    return found


def flaw_of_kind(id: str, manifest: object) -> str | None:
    """Return what makes ``manifest`` unusable as the kind ``id``; ``None`` if nothing does."""
    if not isinstance(manifest, AgentManifest):
        return f"is {type(manifest).__name__}, not a workers.agent.AgentManifest"
    if problem := (
        flaw_of_identity(id, manifest.id)
        or flaw_of_config(manifest.config)
        or (None if manifest.attached else flaw_of_code("agent", manifest.agent))
    ):
        return problem
    if not isinstance(manifest.label, str):
        return "has a label that is not a string"
    try:
        msgspec.json.encode((manifest.status, manifest.example))
    except Exception as error:  # noqa: BLE001 - another package's objects may raise anything
        return f"has a status or an example that is not JSON: {error}"
    fields = {each.encode_name for each in msgspec.structs.fields(manifest.config)}
    secrets = (*manifest.secrets, *manifest.secret_parts)
    return flaw_of_fields(fields, secrets, COMMON_FIELDS, "agent")
