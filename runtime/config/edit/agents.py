"""Adds and removes agents in the configuration file, keeping its formatting as for accounts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runtime.config.agent_model import ENTRIES, IMPLICIT, AgentConfig
from runtime.config.edit.checked import BY_HAND, checker, write_checked
from runtime.config.edit.typed import typed
from runtime.config.errors import config_error
from runtime.config.files import locked, read_text
from runtime.config.load import Loaded
from runtime.config.local_fields import mapping
from runtime.config.text.merge_patch import merged, merged_text
from runtime.config.text.parse import parse
from runtime.config.text.toml_edit import UNCHANGEABLE
from runtime.config.wording import unknown
from workers.installed import ID, ID_RULE
from workers.registry import Manifests
from workers.registry import manifests as find_manifests


def add_agent(
    path: Path,
    id: str,
    fields: Mapping[str, str],
    *,
    default: bool = False,
    manifests: Manifests | None = None,
) -> Loaded:
    """Add the agent ``id`` with ``fields`` as typed (``{"kind": "echo"}``).

    With ``default`` it answers for the accounts that name no agent. Return the configuration as it
    is now. Raises ``ConfigError`` when there is such an agent, its kind is not known, or the result
    would not be valid.
    """
    known = find_manifests() if manifests is None else manifests
    place = f"{ENTRIES}.{id}"
    if not ID.match(id):
        raise config_error(path, f"{id!r} is not a valid name for an agent; allowed: {ID_RULE}")
    kind = fields.get("kind", "")
    if kind not in known.agents:
        text = "is missing; allowed: " + ", ".join(known.agents)
        if kind:
            text = known.agents.broken.get(kind) or unknown(
                kind, set(known.agents), "kind of agent"
            )
        raise config_error(path, text, f"{place}.kind")
    value = typed(known.agents[kind].manifest, fields, AgentConfig)
    with locked(path):
        text = read_text(path)
        values, _ = parse(path, text)
        section = mapping(values.get("agents"))
        if id in mapping(section.get("entries")):
            raise config_error(path, "exists already; edit it in the file", place)
        # The one that is there without any entries must not vanish with the first of them.
        before = {} if section.get("entries") is not None else dict(IMPLICIT)
        patch: dict[str, Any] = {"entries": {**before, id: value}}
        if default:
            patch["default"] = id
        return _write(path, text, values, {"agents": patch}, known)


def remove_agent(path: Path, id: str, manifests: Manifests | None = None) -> Loaded:
    """Remove the agent ``id`` and return the configuration as it is now.

    Raises ``ConfigError`` when there is no such agent, or the rest would not be valid: an account
    still names it.
    """
    known = find_manifests() if manifests is None else manifests
    with locked(path):
        text = read_text(path)
        values, _ = parse(path, text)
        entries = mapping(mapping(values.get("agents")).get("entries"))
        if id not in entries:
            listed = ", ".join(entries) or "none"
            reason = f"there is no such agent; there are: {listed}"
            raise config_error(path, reason, f"{ENTRIES}.{id}")
        return _write(path, text, values, {"agents": {"entries": {id: None}}}, known)


def _write(
    path: Path, text: str, values: Mapping[str, Any], patch: Mapping[str, Any], known: Manifests
) -> Loaded:
    try:
        after = merged_text(path, text, patch)
    except UNCHANGEABLE:
        raise config_error(path, BY_HAND) from None
    return write_checked(path, text, after, merged(values, patch), checker(path, known))
