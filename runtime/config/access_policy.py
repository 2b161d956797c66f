"""Defines who may talk to an account: the configuration's fields and the resulting policy. Pure.

The fields are named as OpenClaw names them. A policy keeps where each of its parts was set, so
that every decision can name the line of the configuration that it follows from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from workers.groups import Entry
from workers.plugin import REMOTE, Manifest

DmPolicy = Literal["pairing", "allowlist", "open", "disabled"]
GroupPolicy = Literal["open", "allowlist", "disabled"]

EVERYONE = "*"
UNVERIFIED = "unverified:"  # before an id that the platform does not vouch for
DOORS = 2  # of a policy: direct chats, and groups


class GroupConfig(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """The access rules of one group, or with ``*`` of every other group."""

    enabled: Annotated[bool, Meta(description="Whether messages in this group are answered.")] = (
        True
    )
    require_mention: Annotated[
        bool | None,
        Meta(
            description="Whether only messages that name the account are answered; without it true."
        ),
    ] = None
    allow_from: Annotated[
        list[Entry] | None,
        Meta(
            description="Ids of people who are answered in this group; without it those of "
            "`groupAllowFrom`."
        ),
    ] = None


class AccessFields(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """The access fields of an account. The gateway applies changes at once, without a restart."""

    dm_policy: Annotated[
        DmPolicy | None,
        Meta(
            description="Who is answered in direct chats: people whom the owner approves "
            "(pairing), only those of `allowFrom` (allowlist), everybody (open) or "
            "nobody (disabled); without it the channel's default, mostly pairing."
        ),
    ] = None
    allow_from: Annotated[
        Annotated[list[Entry], REMOTE] | None,
        Meta(
            description="Ids of people who are answered in direct chats, `*` for all; "
            "`unverified:ID` for one that the platform does not verify. Without it "
            "nobody is listed."
        ),
    ] = None
    group_policy: Annotated[
        GroupPolicy | None,
        Meta(
            description="Which groups are answered: listed ones (allowlist), all (open) or none "
            "(disabled); without it allowlist, or open if direct chats are open by "
            "the channel's default."
        ),
    ] = None
    group_allow_from: Annotated[
        Annotated[list[Entry], REMOTE] | None,
        Meta(
            description="Ids of people who are answered in groups without an `allowFrom` of "
            "their own; without it everybody in them."
        ),
    ] = None
    mention_patterns: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=300)]] | None,
        Meta(
            description="Regular expressions (RE2, case-insensitive) that name the account in "
            "groups, beside its own mention; without it none."
        ),
    ] = None
    groups: Annotated[
        dict[str, GroupConfig] | None,
        Meta(
            description="Rules of single groups, by id or `*` for all others; without it none "
            "is listed."
        ),
    ] = None


class GroupRule(msgspec.Struct, frozen=True, omit_defaults=True):
    """The rules of a group. ``None``: the value outside of it applies.

    ``users`` and ``roles`` together name who may talk. ``rooms``, where there are any, are the
    only parts of the group in which the account listens.
    """

    enabled: bool = True
    require_mention: bool | None = None
    users: list[str] | None = None
    roles: list[str] | None = None
    rooms: dict[str, GroupRule] = {}


class AccessPolicy(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who may talk to an account.

    ``allow_from`` of ``None`` is not set, which is not the same as an empty list. ``groups`` are
    looked up by a group's id, or by that of the server to which it belongs where ``by_server``.
    ``mentions`` are patterns that name the account. ``ignore_case``: ids that differ in case alone
    are one. ``sources`` is where each field was set, by its name in the file; one that is missing
    there is the channel's default.
    """

    dm: DmPolicy = "disabled"
    allow_from: list[str] | None = None
    group: GroupPolicy = "disabled"
    group_allow_from: list[str] | None = None
    groups: dict[str, GroupRule] = {}
    groups_field: str = "groups"
    mentions: list[str] = []
    ignore_case: bool = False
    sources: dict[str, str] = {}

    @property
    def by_server(self) -> bool:
        """Whether groups are configured by their server."""
        return self.groups_field == "guilds"

    @property
    def hears_unaddressed(self) -> bool:
        """Whether messages of a group may be answered that do not address the account."""
        if self.group == "disabled":
            return False
        return bool(self.mentions) or any(map(_needs_no_mention, self.groups.values()))

    def same_for(self, id: str) -> str:
        """Return a normalized id of a person or a group, equal for all spellings."""
        return id.casefold() if self.ignore_case else id

    def source(self, field: str) -> str:
        """Return the place where a field was set, for messages."""
        return self.sources.get(field) or f"{field} (the channel's default)"


def policy_of(manifest: Manifest, layers: Iterable[tuple[str, Mapping[str, Any]]]) -> AccessPolicy:
    """Return the policy of an account from its checked fields.

    ``layers`` are the paths and fields of its channel and of itself: the latter count first.
    """
    own = ("dmPolicy", "allowFrom", "groupPolicy", "groupAllowFrom", "mentionPatterns")
    names = (*own, manifest.groups)
    fields: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for path, layer in layers:
        for name in names:
            if layer.get(name) is not None:
                fields[name] = layer[name]
                sources[name] = f"{path}.{name}"
    channel = manifest.id
    return AccessPolicy(
        dm=fields.get("dmPolicy", manifest.dm_policy),
        allow_from=_entries(channel, fields.get("allowFrom")),
        group=fields.get("groupPolicy", "open" if manifest.dm_policy == "open" else "allowlist"),
        group_allow_from=_entries(channel, fields.get("groupAllowFrom")),
        groups={
            str(name): _rule(channel, manifest.groups, each)
            for name, each in fields.get(manifest.groups, {}).items()
        },
        groups_field=manifest.groups,
        mentions=fields.get("mentionPatterns", []),
        ignore_case=manifest.ignore_case,
        sources=sources,
    )


def closed_doors(policy: AccessPolicy) -> list[str]:
    """Return for each part of a policy that admits nobody a sentence on how to change that.

    Pairing can admit people, and what is disabled was meant so.
    """
    found = []
    if policy.dm in ("allowlist", "open") and policy.allow_from == []:
        found.append(f"no direct message is answered: {policy.source('allowFrom')} is empty")
    elif policy.dm == "allowlist" and policy.allow_from is None:
        found.append(
            f"no direct message is answered: {policy.source('dmPolicy')} is allowlist, and "
            "there is no allowFrom"
        )
    if policy.group == "disabled":
        return found
    if policy.group == "allowlist" and not any(map(_opens, policy.groups.values())):
        listed = f"{policy.groups_field} {'lists no enabled one' if policy.groups else 'is empty'}"
        found.append(
            f"no message in a group is answered: {policy.source('groupPolicy')} is allowlist, and "
            f"{listed}; list ids there, or * for all"
        )
    elif not _admits_in_groups(policy):
        where = f"{policy.source('groupAllowFrom')} is empty"
        if policy.group_allow_from != []:
            where = f"{policy.source(policy.groups_field)} has no enabled one in which anybody may"
        found.append(f"no message in a group is answered: {where}")
    return found


def admits_nobody(policy: AccessPolicy) -> bool:
    """Return whether a policy admits nobody at all, and not because all of it is disabled."""
    doors = closed_doors(policy)
    shut = len(doors) + (policy.dm == "disabled") + (policy.group == "disabled")
    return bool(doors) and shut == DOORS


def describe_access(policy: AccessPolicy) -> list[str]:
    """Return a description in a few lines of who may talk to an account."""
    listed = f", {_count(policy.allow_from, 'id')} listed" if policy.allow_from is not None else ""
    direct = f"direct: {policy.dm}{listed}"
    groups = f"groups: {policy.group}"
    if policy.group != "disabled":
        groups += f", {_count(policy.groups, 'listed in ' + policy.groups_field)}"
    return [f"{direct}; {groups}", *closed_doors(policy)]


def _count(things: Any, what: str) -> str:
    return f"{len(things)} {what}"


def _admits_in_groups(policy: AccessPolicy) -> bool:
    around = policy.group_allow_from != []
    if around and policy.group == "open" and EVERYONE not in policy.groups:
        return True
    return any(_opens(each, admits=around) for each in policy.groups.values())


def _opens(rule: GroupRule, *, admits: bool | None = None) -> bool:
    """Return whether a group is answered, and with ``admits`` whether any member of it may talk.

    ``admits`` is whether the enclosing list admits members; a list of the group's own replaces it.
    """
    if admits is not None and (rule.users is not None or rule.roles is not None):
        admits = bool(rule.users or rule.roles)
    if not rule.enabled:
        return False
    if rule.rooms:
        return any(_opens(each, admits=admits) for each in rule.rooms.values())
    return admits is not False


def _needs_no_mention(rule: GroupRule) -> bool:
    return rule.require_mention is False or any(map(_needs_no_mention, rule.rooms.values()))


def _entries(channel: str, entries: list[Any] | None) -> list[str] | None:
    """Return a list without blank entries, like ``" "``; it may then be empty."""
    if entries is None:
        return None
    named = (_entry(channel, each) for each in entries)
    return [each for each in named if each not in ("", UNVERIFIED)]


def _entry(channel: str, entry: str | int) -> str:
    """Return an entry without the prefix of its channel, which OpenClaw's users write."""
    text = str(entry).strip()
    trust, rest = (
        (UNVERIFIED, text[len(UNVERIFIED) :]) if text.startswith(UNVERIFIED) else ("", text)
    )
    return trust + rest.removeprefix(f"{channel}:")


def _rule(channel: str, field: str, given: Mapping[str, Any]) -> GroupRule:
    users = given.get("allowFrom" if field == "groups" else "users")
    rooms = given.get("channels", {}) if field == "guilds" else {}
    return GroupRule(
        enabled=given.get("enabled", True),
        require_mention=given.get("requireMention"),
        users=_entries(channel, users),
        roles=_entries(channel, given.get("roles")),
        rooms={str(name): _rule(channel, "channels", each) for name, each in rooms.items()},
    )
