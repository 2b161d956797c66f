"""Finds the installed channels: the built-in ones and those of other packages.

With them come the kinds of agents (``workers.agents.registry``): a configuration names both.
"""

from __future__ import annotations

import msgspec

from ipc.frames.words import AGENT
from workers.agents.registry import AgentKinds, agent_kinds
from workers.installed import ID as ID
from workers.installed import ID_RULE as ID_RULE
from workers.installed import (
    InstalledManifest,
    InstalledManifests,
    flaw_of_code,
    flaw_of_config,
    flaw_of_fields,
    flaw_of_identity,
    load_manifest,
)
from workers.installed import UnusableManifest as UnusableManifest
from workers.plugin import Manifest

GROUP = "trunkline.channels"
# The only list of Trunkline's own channels. They have no entry points: a checkout may lack those,
# or have some of an older release. What Trunkline brings is there, and nothing takes its name.
BUILT_IN = {
    name: f"workers.channels.{name}:manifest"
    for name in ("local", "irc", "discord", "telegram", "slack", "webhook")
}
InstalledChannel = InstalledManifest

# Fields that every account has: a channel cannot use these names for its own.
COMMON_FIELDS = frozenset(
    {
        "enabled",
        "name",
        "restart",
        "healthMonitor",
        "limits",
        "launcher",
        "python",
        "confine",
        "agent",
        "journal",
        "outbox",
        "streaming",
        "ambiguous",
        "login",
        "proxy",
        "ingress",
        "dmPolicy",
        "allowFrom",
        "groupPolicy",
        "groupAllowFrom",
        "groups",
        "mentionPatterns",
        "accounts",
        "defaultAccount",
    }
)


class Manifests(InstalledManifests[Manifest]):
    """The usable channels by id, and ``agents``, the kinds of agents.

    Where a configuration names interpreters (``python``), ``unusable`` holds by interpreter why
    a channel cannot run there, by id; the empty interpreter is this one. ``base`` are then the
    channels without any configuration.
    """

    def __init__(self) -> None:
        super().__init__()
        self.agents = AgentKinds()
        self.unusable: dict[str, dict[str, str]] = {}
        self.base: Manifests | None = None


def manifests() -> Manifests:
    """Return all channels. Never raises: faults are listed in ``warnings`` and ``broken``.

    Nothing is cached: the next call finds a package that was installed meanwhile.
    """
    found = Manifests()
    found.find("channel", GROUP, BUILT_IN, flaw_of)
    found.agents = agent_kinds()
    return found


def load(id: str, ref: str) -> Manifest:
    """Import the manifest ``ref`` (``package.module:name``) of the channel ``id``.

    Raises ``UnusableManifest``; ``KeyboardInterrupt`` passes, it is the operator's.
    """
    manifest: Manifest = load_manifest(id, ref, flaw_of)
    return manifest


def flaw_of(id: str, manifest: object) -> str | None:
    """Return what makes ``manifest`` unusable, ``None`` when nothing does."""
    if not isinstance(manifest, Manifest):
        return f"is {type(manifest).__name__}, not a workers.plugin.Manifest"
    if id == AGENT:
        return f"has the id {id!r}, which stands before the ids of agents"
    if problem := (
        flaw_of_identity(id, manifest.id)
        or flaw_of_config(manifest.config)
        or flaw_of_code("plugin", manifest.plugin)
    ):
        return problem
    words = (
        manifest.label,
        manifest.detail_label,
        manifest.system_image,
        *manifest.actions,
        *manifest.can,
    )
    if not all(isinstance(word, str) for word in words):
        return "has a label, system_image or action that is not a string"
    try:
        msgspec.json.encode(manifest.status)
    except Exception as error:  # noqa: BLE001 - another package's objects may raise anything
        return f"has a status that is not JSON: {error}"
    fields = {each.encode_name for each in msgspec.structs.fields(manifest.config)}
    secrets = (*manifest.secrets, *manifest.secret_parts)
    if problem := flaw_of_fields(fields, secrets, COMMON_FIELDS, "account"):
        return problem
    if manifest.groups != "groups" and manifest.groups not in fields:
        return f"lists groups in {manifest.groups}, which is no config field"
    return None
