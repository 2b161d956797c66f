"""Finds errors in the sections of channels and in their accounts. Pure.

What holds for agents too (``agents``) takes the manifest, and what it lies over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from runtime.config.account_model import AccountConfig, ChannelConfig
from runtime.config.account_rules import (
    access_problems,
    ingress_problems,
    launcher_problems,
    streaming_problems,
)
from runtime.config.channel_section import (
    LAYERED,
    OF_ACCOUNT,
    OF_CHANNEL,
    ChannelSection,
    Layers,
    journal_of,
    layered,
    place_of,
    safely,
    split_fields,
)
from runtime.config.check import account_problems, join, problems
from runtime.config.errors import Problem
from runtime.config.fields import Section
from runtime.config.wording import unknown
from workers.agent import AgentManifest
from workers.plugin import Manifest, fields_of
from workers.registry import ID, ID_RULE
from workers.secrets import is_reference, with_secret


def problems_of_channel(channel: ChannelSection) -> list[Problem]:
    """Return the errors of the channel's own fields; its accounts are checked one by one."""
    path, own = channel.path, channel.own
    shape = {**own, "accounts": {}} if isinstance(own.get("accounts"), Mapping) else own
    found = problems(shape, ChannelConfig, path)
    if not channel.broken:
        found += field_problems(channel.manifest, channel.inherited, path, OF_CHANNEL)
    found += layer_problems(channel.base, LAYERED, [own], path)
    found += _agent_problems(channel, own, path)
    default = own.get("defaultAccount")
    if isinstance(default, str) and default and default not in channel.accounts:
        listed = ", ".join(channel.accounts) or "none, there are no accounts"
        text = f"names an account that does not exist; allowed: {listed}"
        found.append(Problem(join(path, "defaultAccount"), text))
    return found


def problems_of_account(channel: ChannelSection, id: str, fields: object) -> list[Problem]:
    """Return the errors of an account's fields, and of the inherited ones below them."""
    path = place_of(channel, id)
    if not ID.match(id):
        return [Problem(path, f"impossible account id; allowed: {ID_RULE}")]
    if not isinstance(fields, Mapping):
        return problems(fields, AccountConfig, path)
    own, given = split_fields(fields, OF_ACCOUNT)
    found = problems(own, AccountConfig, path)
    if not channel.broken:
        found += field_problems(channel.manifest, given, path, OF_ACCOUNT)
    found += layer_problems(channel.base, LAYERED, [channel.own, own], path)
    found += _agent_problems(channel, own, path)
    both = {**channel.own, **own}
    found += launcher_problems(both, path)
    if channel.broken:
        return found
    found += ingress_problems(channel.manifest, both, path)
    found += streaming_problems(channel.manifest, both, path)
    found += access_problems(channel.manifest, both, path, journal=journal_of(channel, both))
    return found or rule_problems(channel.manifest, {**channel.inherited, **given}, path)


def _agent_problems(channel: ChannelSection, own: Mapping[str, Any], path: str) -> list[Problem]:
    agent = own.get("agent")
    if not isinstance(agent, str) or not agent or agent in channel.agents:
        return []
    return [
        Problem(join(path, "agent"), f"is {agent!r}: {unknown(agent, channel.agents, 'agent')}")
    ]


def field_problems(
    manifest: Manifest | AgentManifest, fields: Mapping[str, Any], path: str, ours: Iterable[str]
) -> list[Problem]:
    """Check fields by the manifest's struct; suggest the common names, too, for a misspelt one."""
    struct, secrets = manifest.config, manifest.secrets
    known = {each.encode_name for each in fields_of(struct)}
    strange = [name for name in fields if name not in known]
    found = [Problem(join(path, name), unknown(name, {*known, *ours})) for name in strange]
    rest = {name: value for name, value in fields.items() if name in known}
    return found + account_problems(rest, struct, secrets, path)


def layer_problems(
    base: Mapping[str, Section], parts: Layers, layers: list[Mapping[str, Any]], path: str
) -> list[Problem]:
    """Check the fields of the last layer, and all layers together, of each of ``parts``."""
    found: list[Problem] = []
    for name, (_, struct) in parts.items():
        where, last = join(path, name), layers[-1].get(name, {})
        if isinstance(last, Mapping) and last:  # else: reported as a field, or empty
            found += account_problems(last, struct, (), where) or problems(
                layered(base, name, layers), struct, where
            )
    return found


def rule_problems(
    manifest: Manifest | AgentManifest, merged: Mapping[str, Any], path: str
) -> list[Problem]:
    """Check the struct's own rules, which involve several fields.

    A word stands for each reference; a rule about the secret itself waits for its value.
    """
    if safely(lambda: manifest.unconfigured(merged)):
        return []
    referred = [name for name in manifest.secrets if is_reference(merged, name)]
    filled = dict(merged)
    for name in referred:
        filled = with_secret(filled, name, "secret")
    words = {name.rpartition(".")[2] for name in referred}
    found = problems(filled, manifest.config, path)
    return [each for each in found if not any(word in each.text for word in words)]
