"""Puts each account together from its own fields, its channel's and the supervisor's. Pure.

Separate from the file's model because it needs the manifests: only they know the fields of a
channel. A channel whose package is broken spoils its own accounts alone: they are unconfigured
with the reason, while everything else runs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from ipc.frames.bootstrap import ChannelInfo
from runtime.config.access_policy import AccessPolicy, policy_of
from runtime.config.account_rules import (
    access_problems,
    confinement_problems,
    ingress_problems,
)
from runtime.config.check import account_problems, join, problems
from runtime.config.errors import ConfigError, Problem
from runtime.config.model import (
    AccountConfig,
    AccountLimitsConfig,
    AgentName,
    AmbiguousMode,
    ChannelConfig,
    Config,
    HealthMonitorConfig,
    JournalMode,
    Launcher,
    LoginConfig,
    MediaConfig,
    OutboxConfig,
    RestartConfig,
    Section,
)
from runtime.config.wording import unknown
from workers.plugin import Manifest, Media, fields_of
from workers.registry import ID, ID_RULE, Manifests
from workers.secrets import is_reference, with_secret

UNJOURNALED = frozenset({"local"})  # channels whose accounts have no journal unless they ask
IMPLICIT = "default"  # the account of a channel that has fields but no accounts: OpenClaw's word

# Parts of an account that lie over those of its channel, and of the supervisor, field by field.
LAYERED: dict[str, tuple[str, type[Section]]] = {
    "restart": ("restart", RestartConfig),
    "healthMonitor": ("health_monitor", HealthMonitorConfig),
    "limits": ("limits", AccountLimitsConfig),
    "login": ("login", LoginConfig),
}
UNLAYERED: dict[str, dict[str, Any]] = {name: {} for name in LAYERED}
P = TypeVar("P", bound=Section)

_OF_ACCOUNT = {each.encode_name for each in msgspec.structs.fields(AccountConfig)}
_OF_CHANNEL = {each.encode_name for each in msgspec.structs.fields(ChannelConfig)}
OURS = frozenset(_OF_CHANNEL)  # what a section may hold that is not its channel's
_LOGIN = LoginConfig()


@dataclass(frozen=True, slots=True)
class AccountSpec:
    """One account, complete, with the reason why it cannot run where it cannot.

    ``config`` holds the channel's fields that are set, secrets as references. ``reason`` is
    why it is not enabled or not configured. ``fingerprint`` changes exactly when the worker
    would see something else, so that a reload restarts nothing in vain.
    """

    key: str
    channel: str
    account_id: str
    enabled: bool
    configured: bool
    reason: str | None
    config: dict[str, Any]
    name: str | None
    restart: RestartConfig
    health: HealthMonitorConfig
    limits: AccountLimitsConfig
    launcher: Launcher
    agent: AgentName
    journal: JournalMode
    manifest: Manifest
    manifest_ref: str
    label: str
    fingerprint: str
    confine: bool = False
    proxy: str | None = None
    login: LoginConfig = _LOGIN
    ambiguous: AmbiguousMode = "ask"
    outbox: OutboxConfig = field(default_factory=OutboxConfig)
    ingress: bool = False
    ingress_url: str | None = None  # where the platform reaches it; None: that is not known
    access: AccessPolicy = field(default_factory=AccessPolicy)

    @property
    def can_login(self) -> bool:
        """Whether its plugin can ask a person to log it in."""
        return "login" in self.manifest.can


class _NoFields(msgspec.Struct):
    """The configuration of a channel whose manifest cannot be loaded."""


def accounts(config: Config, manifests: Manifests, source: str = "") -> dict[str, AccountSpec]:
    """Return all accounts by key, in the order of the file.

    Raises ``ConfigError`` with everything that is wrong in the section ``channels``;
    ``source`` names the file in it.
    """
    specs: dict[str, AccountSpec] = {}
    found: list[Problem] = []
    for name, section in config.channels.items():
        if name not in manifests and name not in manifests.broken:
            known = {*manifests, *manifests.broken}
            found.append(Problem(f"channels.{name}", unknown(name, known, "channel")))
            continue
        channel = _channel(config, manifests, name, section)
        wrong = _channel_problems(channel)
        found += wrong
        for account_id, fields in channel.accounts.items():
            bad = _account_problems(channel, account_id, fields)
            found += bad
            if not wrong and not bad:
                spec = _spec(config, channel, account_id, fields)
                specs[spec.key] = spec
    if found:
        raise ConfigError(source, found)
    return specs


def channels(config: Config, manifests: Manifests) -> list[ChannelInfo]:
    """Return what the gateway needs to know of each channel in the configuration."""
    found = [_channel(config, manifests, *section) for section in config.channels.items()]
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


@dataclass(frozen=True, slots=True)
class _Channel:
    """A section of the file, taken apart. ``broken`` is why its manifest cannot be loaded."""

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


def _channel(config: Config, manifests: Manifests, id: str, section: dict[str, Any]) -> _Channel:
    own, inherited = _split(section, _OF_CHANNEL)
    listed = own.get("accounts")
    implicit = "accounts" not in section and bool(inherited)
    if implicit:
        listed = {IMPLICIT: {}}
    usable = manifests.get(id)
    manifest = usable.manifest if usable else Manifest(id, id, _NoFields, plugin="")
    return _Channel(
        id=id,
        path=f"channels.{id}",
        manifest=manifest,
        ref=usable.ref if usable else "",
        broken=None if usable else manifests.broken.get(id, "not installed"),
        own=own,
        inherited=inherited,
        accounts=listed if isinstance(listed, Mapping) else {},
        implicit=implicit,
        base={name: getattr(config.supervisor, each) for name, (each, _) in LAYERED.items()},
    )


def _channel_problems(channel: _Channel) -> list[Problem]:
    """Return what is wrong with the channel's own part; its accounts are checked one by one."""
    path, own = channel.path, channel.own
    shape = {**own, "accounts": {}} if isinstance(own.get("accounts"), Mapping) else own
    found = problems(shape, ChannelConfig, path)
    found += _field_problems(channel, channel.inherited, path, _OF_CHANNEL)
    found += _layer_problems(channel, [own], path)
    default = own.get("defaultAccount")
    if isinstance(default, str) and default and default not in channel.accounts:
        listed = ", ".join(channel.accounts) or "none, there are no accounts"
        text = f"names an account that does not exist; allowed: {listed}"
        found.append(Problem(join(path, "defaultAccount"), text))
    return found


def _account_problems(channel: _Channel, id: str, fields: object) -> list[Problem]:
    path = _place(channel, id)
    if not ID.match(id):
        return [Problem(path, f"impossible account id; allowed: {ID_RULE}")]
    if not isinstance(fields, Mapping):
        return problems(fields, AccountConfig, path)
    own, given = _split(fields, _OF_ACCOUNT)
    found = problems(own, AccountConfig, path)
    found += _field_problems(channel, given, path, _OF_ACCOUNT)
    found += _layer_problems(channel, [channel.own, own], path)
    both = {**channel.own, **own}
    found += confinement_problems(both, path)
    if not channel.broken:
        found += ingress_problems(channel.manifest, both, path)
        found += access_problems(channel.manifest, both, path, journal=_journal(channel, both))
    return found or _rule_problems(channel, {**channel.inherited, **given}, path)


def _field_problems(
    channel: _Channel, fields: Mapping[str, Any], path: str, ours: Iterable[str]
) -> list[Problem]:
    """Check fields by the channel's struct; for a misspelt one our names are listed too."""
    if channel.broken:
        return []
    struct, secrets = channel.manifest.config, channel.manifest.secrets
    known = {each.encode_name for each in fields_of(struct)}
    strange = [name for name in fields if name not in known]
    found = [Problem(join(path, name), unknown(name, {*known, *ours})) for name in strange]
    rest = {name: value for name, value in fields.items() if name in known}
    return found + account_problems(rest, struct, secrets, path)


def _layer_problems(channel: _Channel, layers: list[Mapping[str, Any]], path: str) -> list[Problem]:
    """Check the fields of the last layer, and all layers together."""
    found: list[Problem] = []
    for name, (_, struct) in LAYERED.items():
        where, last = join(path, name), layers[-1].get(name, {})
        if isinstance(last, Mapping) and last:  # else: reported as a field, or nothing to judge
            found += account_problems(last, struct, (), where) or problems(
                _layered(channel, name, layers), struct, where
            )
    return found


def _rule_problems(channel: _Channel, merged: Mapping[str, Any], path: str) -> list[Problem]:
    """Check the struct's own rules, which see several fields.

    A word stands for each reference; a rule about the secret itself waits for its value.
    """
    manifest = channel.manifest
    if channel.broken or _safely(lambda: manifest.unconfigured(merged)):
        return []
    referred = [name for name in manifest.secrets if is_reference(merged, name)]
    filled = dict(merged)
    for name in referred:
        filled = with_secret(filled, name, "secret")
    words = {name.rpartition(".")[2] for name in referred}
    found = problems(filled, manifest.config, path)
    return [each for each in found if not any(word in each.text for word in words)]


def _spec(config: Config, channel: _Channel, id: str, fields: Mapping[str, Any]) -> AccountSpec:
    """Put an account together; everything has been checked before."""
    own, given = _split(fields, _OF_ACCOUNT)
    over = msgspec.convert({**own, **UNLAYERED}, AccountConfig)
    common, _ = _split(channel.own, _OF_ACCOUNT)
    under = msgspec.convert({**common, **UNLAYERED}, AccountConfig)
    merged = {**channel.inherited, **given}
    for_worker = {name: merged[name] for name in merged if name != channel.manifest.groups}
    launcher = over.launcher if "launcher" in own else under.launcher
    confine = over.confine if "confine" in own else under.confine
    proxy = over.proxy if "proxy" in own else under.proxy
    ingress = over.ingress if "ingress" in own else under.ingress
    ingress_url = _ingress_url(config, channel, id) if ingress else None
    off = _disabled(channel, id, under, over)
    missing = _reason(channel, merged)
    return AccountSpec(
        key=f"{channel.id}:{id}",
        channel=channel.id,
        account_id=id,
        enabled=off is None,
        configured=missing is None,
        reason=off or missing,
        config=for_worker,
        name=over.name or under.name,
        restart=_part(channel, own, "restart", RestartConfig),
        health=_part(channel, own, "healthMonitor", HealthMonitorConfig),
        limits=_part(channel, own, "limits", AccountLimitsConfig),
        login=_part(channel, own, "login", LoginConfig),
        launcher=launcher,
        confine=confine,
        agent=over.agent or under.agent or config.agents.default,
        proxy=proxy,
        ingress=ingress,
        ingress_url=ingress_url,
        access=policy_of(
            channel.manifest,
            [(channel.path, {**channel.inherited, **channel.own}), (_place(channel, id), fields)],
        ),
        journal=_journal(channel, {**channel.own, **own}),
        ambiguous=over.ambiguous or under.ambiguous or "ask",
        outbox=over.outbox or under.outbox or OutboxConfig(),
        manifest=channel.manifest,
        manifest_ref=channel.ref,
        label=_safely(lambda: channel.manifest.describe(merged)) or "",
        fingerprint=_fingerprint(
            channel.id,
            id,
            channel.ref,
            launcher,
            confine,
            proxy,
            ingress_url,
            for_worker,
            *_media(config, channel),
        ),
    )


def _journal(channel: _Channel, fields: Mapping[str, Any]) -> JournalMode:
    given: JournalMode | None = fields.get("journal")
    return given or ("off" if channel.id in UNJOURNALED else "on")


def _media(config: Config, channel: _Channel) -> list[MediaConfig]:
    """Return the rules for files where a worker of this channel depends on them."""
    concerned = channel.manifest.media != Media() and config.media != MediaConfig()
    return [config.media] if concerned else []


def _ingress_url(config: Config, channel: _Channel, id: str) -> str | None:
    """Return the address below which the account's HTTP requests come in."""
    public = config.gateway.public_url
    if public is None:
        return None
    scheme, _, rest = public.rstrip("/").partition("://")
    scheme = {"ws": "http", "wss": "https"}.get(scheme.lower(), scheme.lower())
    return f"{scheme}://{rest}/channels/{channel.id}/{id}/"


def _part(channel: _Channel, own: Mapping[str, Any], name: str, struct: type[P]) -> P:
    return msgspec.convert(_layered(channel, name, [channel.own, own]), struct)


def _disabled(channel: _Channel, id: str, under: AccountConfig, over: AccountConfig) -> str | None:
    if not under.enabled:
        return f"disabled: {channel.path}.enabled is false"
    return None if over.enabled else f"disabled: {_place(channel, id)}.enabled is false"


def _reason(channel: _Channel, merged: Mapping[str, Any]) -> str | None:
    """Return why the account cannot run yet, or ``None``."""
    if channel.broken:
        return f"the channel {channel.id} cannot be used: {channel.broken}"
    return _safely(lambda: channel.manifest.unconfigured(merged))


def _safely(ask: Callable[[], str | None]) -> str | None:
    """Call a manifest; an exception becomes a reason, so that only its accounts cannot run."""
    try:
        return ask()
    except Exception as error:  # noqa: BLE001 - a manifest is other people's code
        return f"the channel's manifest failed: {type(error).__name__}: {error}"


def _layered(channel: _Channel, name: str, layers: list[Mapping[str, Any]]) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(channel.base[name])
    for layer in layers:
        fields |= layer.get(name, {})
    return fields


def _default_account(channel: _Channel) -> str | None:
    named = channel.own.get("defaultAccount")
    if named or not channel.accounts:
        return named
    return IMPLICIT if IMPLICIT in channel.accounts else next(iter(channel.accounts))


def _place(channel: _Channel, id: str) -> str:
    return channel.path if channel.implicit else f"{channel.path}.accounts.{id}"


def _split(fields: Mapping[str, Any], ours: Iterable[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return our fields and those of the channel, apart."""
    own = {name: value for name, value in fields.items() if name in ours}
    return own, {name: value for name, value in fields.items() if name not in ours}


def _fingerprint(*parts: Any) -> str:
    return hashlib.sha256(msgspec.json.encode(parts, order="sorted")).hexdigest()[:16]
