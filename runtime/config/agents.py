"""Assembles each agent from its entry and the supervisor's fields, and checks it. Pure.

A kind whose package is broken spoils its own agents alone: they are unconfigured with the reason,
while everything else runs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from ipc.frames.words import AGENT, agent_key
from runtime.config.account_rules import launcher_problems
from runtime.config.accounts import fingerprint
from runtime.config.agent_model import (
    ENTRIES,
    IMPLICIT,
    NOBODY,
    AgentConfig,
    RepeatMode,
    entries_of,
)
from runtime.config.channel_section import (
    Layers,
    NoFields,
    layered,
    safely,
    split_fields,
    supervisor_parts,
)
from runtime.config.check import join, problems
from runtime.config.errors import ConfigError, Problem
from runtime.config.fields import Section
from runtime.config.model import Config
from runtime.config.section_rules import field_problems, layer_problems, rule_problems
from runtime.config.supervisor_model import AccountLimitsConfig, RestartConfig
from runtime.config.timers import HeartbeatConfig, heartbeat_problems
from runtime.config.wording import unknown
from runtime.config.worker_spec import WorkerSpec
from workers.agent import AgentManifest
from workers.agents.registry import AgentKinds
from workers.installed import ID, ID_RULE

LAYERED: Layers = {
    "restart": ("restart", RestartConfig),
    "limits": ("limits", AccountLimitsConfig),
}
OF_AGENT = {each.encode_name for each in msgspec.structs.fields(AgentConfig)}


class AgentSpec(WorkerSpec, frozen=True, kw_only=True):
    """One agent with all fields, and the reason why it cannot run, if any."""

    manifest: AgentManifest
    repeat: RepeatMode = "unseen"
    timeout_seconds: float = 600.0  # of a turn
    max_concurrent: int | None = None
    heartbeat: HeartbeatConfig | None = None
    lacks: tuple[str, ...] = ()  # what a turn may ask for and it takes no notice of


def agents(config: Config, kinds: AgentKinds, source: str = "") -> dict[str, AgentSpec]:
    """Return all agents by key, in the order of the file.

    Raises ``ConfigError`` with everything that is wrong in the section ``agents``; ``source`` names
    the file in it.
    """
    specs: dict[str, AgentSpec] = {}
    found: list[Problem] = []
    entries, default = entries_of(config.agents), config.agents.default
    names = {*entries, NOBODY}
    if default not in names:
        found.append(
            Problem("agents.default", f"is {default!r}: {unknown(default, names, 'agent')}")
        )
    for name, fields in entries.items():
        listed = config.agents.entries is not None
        bad = _problems(config, kinds, name, fields) if listed else []
        found += bad
        if not bad:
            spec = _spec(config, kinds, name, fields)
            specs[spec.key] = spec
    if found:
        raise ConfigError(source, found)
    return specs


def wanted_agents(config: Config, asked: Collection[str]) -> list[str]:
    """Return the ids of the agents that have a process: those that the file lists.

    The one that is there without any entries has one where it is among those that are ``asked``:
    the agents of accounts that are enabled, and of bindings.
    """
    if config.agents.entries is not None:
        return list(config.agents.entries)
    return [each for each in IMPLICIT if each in asked]


def _problems(
    config: Config, kinds: AgentKinds, id: str, fields: Mapping[str, Any]
) -> list[Problem]:
    path = f"{ENTRIES}.{id}"
    if id == NOBODY:
        return [
            Problem(
                path, f"{NOBODY} is not a valid name for an agent: it stands for no agent at all"
            )
        ]
    if not ID.match(id):
        return [Problem(path, f"impossible agent id; allowed: {ID_RULE}")]
    own, given = split_fields(fields, OF_AGENT)
    if "kind" not in own:
        text = f"is missing; allowed: {', '.join(sorted(kinds))}"
        return [Problem(join(path, "kind"), text)]
    found = problems(own, AgentConfig, path)
    if not found and own.get("heartbeat") is not None:
        beat = msgspec.convert(own["heartbeat"], HeartbeatConfig)
        found += heartbeat_problems(beat, join(path, "heartbeat"))
    kind = own.get("kind")
    if isinstance(kind, str) and kind and kind not in kinds and kind not in kinds.broken:
        known = {*kinds, *kinds.broken}
        found.append(Problem(join(path, "kind"), unknown(kind, known, "kind of agent")))
    found += layer_problems(_base(config, kinds, kind), LAYERED, [own], path)
    found += launcher_problems(own, path)
    if not isinstance(kind, str) or kind not in kinds:
        return found
    manifest = kinds[kind].manifest
    found += field_problems(manifest, given, path, OF_AGENT)
    return found or rule_problems(manifest, given, path)


def _spec(config: Config, kinds: AgentKinds, id: str, fields: Mapping[str, Any]) -> AgentSpec:
    """Assemble an agent from checked fields."""
    own, given = split_fields(fields, OF_AGENT)
    common = msgspec.convert({**own, **{name: {} for name in LAYERED}}, AgentConfig)
    base = _base(config, kinds, common.kind)
    usable = kinds.get(common.kind)
    manifest = usable.manifest if usable else AgentManifest(common.kind, common.kind, NoFields, "")
    ref = usable.ref if usable else ""
    off = None if common.enabled else f"disabled: {ENTRIES}.{id}.enabled is false"
    unusable = _unusable(kinds, common.kind)
    missing = unusable or safely(lambda: manifest.unconfigured(given), "kind")
    return AgentSpec(
        key=agent_key(id),
        channel=AGENT,
        account_id=id,
        enabled=off is None,
        configured=missing is None,
        reason=off or missing,
        unusable=unusable is not None,
        config=given,
        name=common.name,
        restart=msgspec.convert(layered(base, "restart", [own]), RestartConfig),
        health=config.supervisor.health_monitor,
        limits=msgspec.convert(layered(base, "limits", [own]), AccountLimitsConfig),
        launcher=common.launcher,
        confine=common.confine,
        proxy=common.proxy,
        manifest=manifest,
        manifest_ref=ref,
        label=safely(lambda: manifest.describe(given)) or "",
        lacks=_lacks(manifest, given),
        repeat=common.repeat,
        timeout_seconds=common.timeout_seconds,
        max_concurrent=common.max_concurrent,
        heartbeat=common.heartbeat,
        fingerprint=fingerprint(
            common.kind, id, ref, common.launcher, common.confine, common.proxy, given, config.media
        ),
    )


def _base(config: Config, kinds: AgentKinds, kind: Any) -> dict[str, Section]:
    """Return the parts of ``supervisor`` that the fields of an agent override.

    The memory limits there are meant for a worker alone: where programs count, only those of the
    entry apply.
    """
    base = supervisor_parts(config, LAYERED)
    usable = kinds.get(kind) if isinstance(kind, str) else None
    if usable is not None and usable.manifest.programs:
        limits = config.supervisor.limits
        base["limits"] = replace(limits, memory_soft_bytes=None, memory_hard_bytes=None)
    return base


def _lacks(manifest: AgentManifest, given: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what the agent takes no notice of; nothing where other people's code fails."""
    try:
        return tuple(sorted(manifest.lacking(given)))
    except Exception:  # noqa: BLE001 - a broken kind is reported elsewhere
        return ()


def _unusable(kinds: AgentKinds, kind: str) -> str | None:
    """Return why no agent of this kind can run, or ``None``."""
    if kind in kinds:
        return None
    return f"the kind {kind} of agents cannot be used: {kinds.broken.get(kind, 'not installed')}"
