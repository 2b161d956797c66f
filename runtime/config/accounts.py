"""Assembles each account from its own fields, its channel's and the supervisor's. Pure.

Separate from the file's model because it needs the manifests: only they know the fields of a
channel. A channel whose package is broken spoils its own accounts alone: they are unconfigured
with the reason, while everything else runs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from ipc.frames.bootstrap import ChannelInfo
from ipc.frames.words import AGENT
from runtime.config.access_policy import AccessPolicy, policy_of
from runtime.config.account_model import (
    AccountConfig,
    AmbiguousMode,
    JournalMode,
    OutboxConfig,
    StreamingMode,
)
from runtime.config.agent_model import ENTRIES
from runtime.config.channel_section import (
    IMPLICIT,
    OF_ACCOUNT,
    UNLAYERED,
    ChannelSection,
    journal_of,
    layered,
    place_of,
    safely,
    section_of,
    split_fields,
)
from runtime.config.errors import ConfigError, Problem
from runtime.config.fields import Section
from runtime.config.model import AgentName, Config
from runtime.config.section_rules import problems_of_account, problems_of_channel
from runtime.config.storage_model import MediaConfig
from runtime.config.supervisor_model import (
    AccountLimitsConfig,
    HealthMonitorConfig,
    LoginConfig,
    RestartConfig,
)
from runtime.config.wording import unknown
from runtime.config.worker_spec import WorkerSpec
from workers.plugin import Manifest, Media
from workers.registry import Manifests
from workers.secrets import field_at

P = TypeVar("P", bound=Section)


class AccountSpec(WorkerSpec, frozen=True, kw_only=True):
    """One account with all fields, and the reason why it cannot run, if any.

    ``agent_line`` is where it is set that ``agent`` answers; ``None``: in ``agents.default``.
    ``implicit``: its fields stand in the section of its channel, which lists no accounts.
    """

    manifest: Manifest
    agent: AgentName
    agent_line: str | None = None
    journal: JournalMode
    ambiguous: AmbiguousMode = "ask"
    outbox: OutboxConfig = msgspec.field(default_factory=OutboxConfig)
    streaming: StreamingMode = "off"
    ingress: bool = False
    access: AccessPolicy = msgspec.field(default_factory=AccessPolicy)
    implicit: bool = False

    @property
    def place(self) -> str:
        """The path in the configuration at which it stands, for people."""
        return f"channels.{self.channel}" if self.implicit else super().place

    @property
    def secret_doubts(self) -> dict[str, str]:
        """What is wrong with the format of secrets that stand in the file, by field."""
        typed = {name: field_at(self.config, name) for name in sorted(self.manifest.secrets)}
        found = {
            name: self.manifest.wrong_secret(name, value)
            for name, value in typed.items()
            if isinstance(value, str)
        }
        return {name: wrong for name, wrong in found.items() if wrong}


def accounts(config: Config, manifests: Manifests, source: str = "") -> dict[str, AccountSpec]:
    """Return all accounts by key, in the order of the file.

    Raises ``ConfigError`` with everything that is wrong in the section ``channels``;
    ``source`` names the file in it.
    """
    specs: dict[str, AccountSpec] = {}
    found: list[Problem] = []
    for name, section in config.channels.items():
        if name == AGENT:
            text = f"is no channel: agents stand in {ENTRIES}, and their keys begin with it"
            found.append(Problem(f"channels.{name}", text))
            continue
        if name not in manifests and name not in manifests.broken:
            known = {*manifests, *manifests.broken}
            found.append(Problem(f"channels.{name}", unknown(name, known, "channel")))
            continue
        channel = section_of(config, manifests, name, section)
        wrong = problems_of_channel(channel)
        found += wrong
        for account_id, fields in channel.accounts.items():
            bad = problems_of_account(channel, account_id, fields)
            found += bad
            if not wrong and not bad:
                spec = _spec(config, channel, account_id, fields)
                specs[spec.key] = spec
    if found:
        raise ConfigError(source, found)
    return specs


def channels(config: Config, manifests: Manifests) -> list[ChannelInfo]:
    """Return the facts about each configured channel that the gateway needs."""
    found = [section_of(config, manifests, *section) for section in config.channels.items()]
    return [
        ChannelInfo(
            id=channel.id,
            label=channel.manifest.label,
            detail_label=channel.manifest.detail_label or channel.manifest.label,
            system_image=channel.manifest.system_image,
            default_account=_default_account(channel),
            accounts=list(channel.accounts),
            actions=sorted(channel.manifest.actions),
            can=channel.manifest.abilities(),
        )
        for channel in found
    ]


def _spec(
    config: Config, channel: ChannelSection, id: str, fields: Mapping[str, Any]
) -> AccountSpec:
    """Assemble an account from checked fields."""
    own, given = split_fields(fields, OF_ACCOUNT)
    above, _ = split_fields(channel.own, OF_ACCOUNT)
    of_channel, common = _common(above), _common({**above, **own})
    of_plugin = {**channel.inherited, **given}
    for_worker = {name: of_plugin[name] for name in of_plugin if name != channel.manifest.groups}
    launcher = "exec" if common.python else common.launcher
    ingress_url = _ingress_url(config, channel, id) if common.ingress else None
    off = _disabled(channel, id, of_channel, common)
    unusable = channel.unusable.get(common.python or "") or _unusable(channel)
    missing = unusable or safely(lambda: channel.manifest.unconfigured(of_plugin))
    return AccountSpec(
        key=f"{channel.id}:{id}",
        channel=channel.id,
        account_id=id,
        enabled=off is None,
        configured=missing is None,
        reason=off or missing,
        unusable=unusable is not None,
        config=for_worker,
        name=common.name or of_channel.name,
        restart=_part(channel, own, "restart", RestartConfig),
        health=_part(channel, own, "healthMonitor", HealthMonitorConfig),
        limits=_part(channel, own, "limits", AccountLimitsConfig),
        login=_part(channel, own, "login", LoginConfig),
        launcher=launcher,
        python=common.python,
        confine=common.confine,
        agent=common.agent or of_channel.agent or config.agents.default,
        agent_line=_agent_line(channel, id, of_channel, own),
        proxy=common.proxy,
        ingress=common.ingress,
        ingress_url=ingress_url,
        access=_access(channel, id, fields),
        journal=journal_of(channel, {**channel.own, **own}),
        ambiguous=common.ambiguous or of_channel.ambiguous or "ask",
        outbox=common.outbox or of_channel.outbox or OutboxConfig(),
        streaming=common.streaming or of_channel.streaming or "off",
        implicit=channel.implicit,
        manifest=channel.manifest,
        manifest_ref=channel.ref,
        label=safely(lambda: channel.manifest.describe(of_plugin)) or "",
        fingerprint=fingerprint(
            channel.id,
            id,
            channel.ref,
            launcher,
            common.python,
            common.confine,
            common.proxy,
            ingress_url,
            for_worker,
            *_media(config, channel),
        ),
    )


def _common(fields: Mapping[str, Any]) -> AccountConfig:
    """Return the fields that every account has, but for those that ``_part`` merges."""
    return msgspec.convert({**fields, **UNLAYERED}, AccountConfig)


def _access(channel: ChannelSection, id: str, fields: Mapping[str, Any]) -> AccessPolicy:
    """Return the admission policy of an account, on top of its channel's."""
    of_channel = channel.path, {**channel.inherited, **channel.own}
    return policy_of(channel.manifest, [of_channel, (place_of(channel, id), fields)])


def _media(config: Config, channel: ChannelSection) -> list[MediaConfig]:
    """Return the rules for files if a worker of this channel depends on them."""
    concerned = channel.manifest.media != Media() and config.media != MediaConfig()
    return [config.media] if concerned else []


def _ingress_url(config: Config, channel: ChannelSection, id: str) -> str | None:
    """Return the address below which the account's HTTP requests come in."""
    public = config.gateway.public_url
    if public is None:
        return None
    scheme, _, rest = public.rstrip("/").partition("://")
    scheme = {"ws": "http", "wss": "https"}.get(scheme.lower(), scheme.lower())
    return f"{scheme}://{rest}/channels/{channel.id}/{id}/"


def _part(channel: ChannelSection, own: Mapping[str, Any], name: str, struct: type[P]) -> P:
    """Return a part (``restart``, say): the account's fields, its channel's, the supervisor's."""
    return msgspec.convert(layered(channel.base, name, [channel.own, own]), struct)


def _agent_line(
    channel: ChannelSection, id: str, of_channel: AccountConfig, own: Mapping[str, Any]
) -> str | None:
    """Return where it is set which agent answers for the account, or ``None``."""
    if own.get("agent") is not None:
        return f"{place_of(channel, id)}.agent"
    return None if of_channel.agent is None else f"{channel.path}.agent"


def _disabled(
    channel: ChannelSection, id: str, of_channel: AccountConfig, common: AccountConfig
) -> str | None:
    """Return which line disables the account, or ``None``."""
    if not of_channel.enabled:
        return f"disabled: {channel.path}.enabled is false"
    return None if common.enabled else f"disabled: {place_of(channel, id)}.enabled is false"


def _unusable(channel: ChannelSection) -> str | None:
    """Return why no account of the channel can run, or ``None``."""
    return f"the channel {channel.id} cannot be used: {channel.broken}" if channel.broken else None


def _default_account(channel: ChannelSection) -> str | None:
    named = channel.own.get("defaultAccount")
    if named or not channel.accounts:
        return named
    return IMPLICIT if IMPLICIT in channel.accounts else next(iter(channel.accounts))


def fingerprint(*parts: Any) -> str:
    """Return a fingerprint of ``parts`` (JSON data or structs): it differs if one of them does."""
    return hashlib.sha256(msgspec.json.encode(parts, order="sorted")).hexdigest()[:16]
