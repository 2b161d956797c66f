"""Parses one channel's section of the file. Pure.

It holds our fields, those of the channel, which its accounts inherit, and the accounts. A channel
whose package is broken has an empty manifest, and the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from ipc.hidden_fields import hide_fields
from runtime.config.account_model import AccountConfig, ChannelConfig, JournalMode
from runtime.config.agent_model import NOBODY, entries_of
from runtime.config.fields import Section
from runtime.config.model import Config
from runtime.config.supervisor_model import (
    AccountLimitsConfig,
    HealthMonitorConfig,
    LoginConfig,
    RestartConfig,
)
from workers.plugin import Manifest
from workers.registry import Manifests

UNJOURNALED = frozenset({"local"})  # channels whose accounts have no journal unless they ask
IMPLICIT = "default"  # the account of a channel that has fields but no accounts: OpenClaw's word

Layers = dict[str, tuple[str, type[Section]]]

# Parts of an account that lie over those of its channel, and of the supervisor, field by field.
LAYERED: Layers = {
    "restart": ("restart", RestartConfig),
    "healthMonitor": ("health_monitor", HealthMonitorConfig),
    "limits": ("limits", AccountLimitsConfig),
    "login": ("login", LoginConfig),
}
UNLAYERED: dict[str, dict[str, Any]] = {name: {} for name in LAYERED}
OF_ACCOUNT = {each.encode_name for each in msgspec.structs.fields(AccountConfig)}
OF_CHANNEL = {each.encode_name for each in msgspec.structs.fields(ChannelConfig)}
OURS = frozenset(OF_CHANNEL)  # what a section may hold that is not its channel's


class NoFields(msgspec.Struct):
    """The configuration of a channel, or a kind of agent, whose manifest cannot be loaded."""


@hide_fields("inherited", "accounts")
class ChannelSection(msgspec.Struct, frozen=True):
    """A parsed section of the file. ``broken`` is the reason why its manifest cannot be loaded."""

    id: str
    path: str
    manifest: Manifest
    ref: str
    broken: str | None
    own: dict[str, Any]  # our fields
    inherited: dict[str, Any]  # the channel's fields, for all accounts
    accounts: Mapping[str, Any]
    implicit: bool
    base: dict[str, Section]  # the supervisor's parts, which channel and account override
    unusable: Mapping[str, str]  # by interpreter, "" is ours: why accounts cannot run with it
    agents: frozenset[str]  # which its accounts may name


def section_of(
    config: Config, manifests: Manifests, id: str, section: dict[str, Any]
) -> ChannelSection:
    """Return the section of the channel ``id``, with its manifest if that is usable."""
    own, inherited = split_fields(section, OF_CHANNEL)
    listed = own.get("accounts")
    implicit = "accounts" not in section and bool(inherited)
    if implicit:
        listed = {IMPLICIT: {}}
    usable = manifests.get(id)
    manifest = usable.manifest if usable else Manifest(id, id, NoFields, plugin="")
    return ChannelSection(
        id=id,
        path=f"channels.{id}",
        manifest=manifest,
        ref=usable.ref if usable else "",
        broken=None if usable else manifests.broken.get(id, "not installed"),
        own=own,
        inherited=inherited,
        accounts=listed if isinstance(listed, Mapping) else {},
        implicit=implicit,
        base=supervisor_parts(config, LAYERED),
        unusable={name: each[id] for name, each in manifests.unusable.items() if id in each},
        agents=frozenset({*entries_of(config.agents), NOBODY}),
    )


def supervisor_parts(config: Config, layers: Layers) -> dict[str, Section]:
    """Return the parts of ``supervisor`` that a worker's own fields override, by name."""
    return {name: getattr(config.supervisor, each) for name, (each, _) in layers.items()}


def layered(
    base: Mapping[str, Section], name: str, layers: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the fields of a part (``restart``, say), the last of ``layers`` on top of ``base``."""
    fields: dict[str, Any] = msgspec.to_builtins(base[name])
    for layer in layers:
        fields |= layer.get(name, {})
    return fields


def place_of(channel: ChannelSection, id: str) -> str:
    """Return the path in the file at which the fields of an account stand."""
    return channel.path if channel.implicit else f"{channel.path}.accounts.{id}"


def split_fields(
    fields: Mapping[str, Any], ours: Iterable[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split fields into the common ones and those of the channel."""
    own = {name: value for name, value in fields.items() if name in ours}
    return own, {name: value for name, value in fields.items() if name not in ours}


def journal_of(channel: ChannelSection, fields: Mapping[str, Any]) -> JournalMode:
    """Return whether an account with these common fields has a journal."""
    given: JournalMode | None = fields.get("journal")
    return given or ("off" if channel.id in UNJOURNALED else "on")


def safely(ask: Callable[[], str | None], whose: str = "channel") -> str | None:
    """Call a manifest; turn an exception into a reason that disables only its own accounts."""
    try:
        return ask()
    except Exception as error:  # noqa: BLE001 - a manifest is other people's code
        return f"the {whose}'s manifest failed: {type(error).__name__}: {error}"
