"""Finds the names in an edited configuration that stand for nothing.

Only names are checked, by the structs of the file and the manifests: nothing that a value refers to
is read, resolved or run. So a misspelt name is reported as that, before a refusal that would
mislead: that it is a local field, or that a mark stands for no secret there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec

from ipc.frames.words import AGENT
from runtime.config.account_model import AccountConfig, ChannelConfig
from runtime.config.agent_model import ENTRIES, AgentConfig
from runtime.config.agents import LAYERED as OF_AGENTS
from runtime.config.channel_section import LAYERED, Layers, split_fields
from runtime.config.check import join, unknown_fields
from runtime.config.errors import ConfigError, Problem
from runtime.config.local_fields import mapping
from runtime.config.model import Config
from runtime.config.wording import unknown
from workers.agents.registry import AgentKinds
from workers.plugin import fields_of
from workers.registry import Manifests
from workers.registry import manifests as find_manifests


def check_names(source: object, values: Mapping[str, Any], manifests: Manifests) -> None:
    """Raise ``ConfigError`` for the unknown names in the values of the file ``source``.

    Channels and kinds that were installed after ``manifests`` were found are not unknown.
    """
    if any(True for _ in unknown_names(values, manifests)):
        new = find_manifests()
        installed = {*new, *new.broken, *new.agents, *new.agents.broken}
        if found := list(unknown_names(values, manifests, installed)):
            raise ConfigError(str(source), found)


def unknown_names(
    values: Mapping[str, Any], manifests: Manifests, installed: Collection[str] = ()
) -> Iterator[Problem]:
    """Yield an error for each unknown field, channel and kind of agent.

    ``installed`` are channels and kinds of which no more than the name is known. A channel that
    names an interpreter is left out, too: only that knows which fields it has there.
    """
    yield from unknown_fields(values, Config)
    for name, section in mapping(values.get("channels")).items():
        if name in manifests or name not in installed:
            yield from _of_channel(name, mapping(section), manifests)
    kinds = manifests.agents
    for name, fields in mapping(mapping(values.get("agents")).get("entries")).items():
        kind = mapping(fields).get("kind")
        if not isinstance(kind, str) or kind in kinds or kind not in installed:
            yield from _of_agent(join(ENTRIES, name), mapping(fields), kinds)


def _of_channel(name: str, section: Mapping[str, Any], manifests: Manifests) -> Iterator[Problem]:
    path, accounts = join("channels", name), mapping(section.get("accounts"))
    sections = [section, *map(mapping, accounts.values())]
    if name == AGENT or any("python" in each for each in sections):
        return
    found = {*manifests, *manifests.broken}
    if name not in found:
        yield Problem(path, unknown(name, found, "channel"))
        return
    known = manifests.get(name)
    struct = known.manifest.config if known else None
    yield from _of_worker(section, path, ChannelConfig, LAYERED, struct)
    for name, fields in accounts.items():
        place = join(join(path, "accounts"), name)
        yield from _of_worker(mapping(fields), place, AccountConfig, LAYERED, struct)


def _of_agent(path: str, fields: Mapping[str, Any], kinds: AgentKinds) -> Iterator[Problem]:
    kind, found = fields.get("kind"), {*kinds, *kinds.broken}
    if not isinstance(kind, str):
        return
    if kind not in found:
        yield Problem(join(path, "kind"), unknown(kind, found, "kind of agent"))
    known = kinds.get(kind)
    struct = known.manifest.config if known else None
    yield from _of_worker(fields, path, AgentConfig, OF_AGENTS, struct)


def _of_worker(
    fields: Mapping[str, Any],
    path: str,
    ours: type[msgspec.Struct],
    layers: Layers,
    struct: type[msgspec.Struct] | None,
) -> Iterator[Problem]:
    """Yield the unknown names among the common fields (``ours``) and those of ``struct``.

    ``None`` is the struct of a package that is missing: its fields are not known.
    """
    common = {each.encode_name for each in fields_of(ours)}
    own, given = split_fields(fields, common)
    yield from unknown_fields(own, ours, path)
    for name, (_, layer) in layers.items():
        yield from unknown_fields(own.get(name), layer, join(path, name))
    if struct is None:
        return
    known = {each.encode_name: each.type for each in fields_of(struct)}
    for name, value in given.items():
        if name in known:
            yield from unknown_fields(value, known[name], join(path, name))
        else:
            yield Problem(join(path, name), unknown(name, {*known, *common}))
