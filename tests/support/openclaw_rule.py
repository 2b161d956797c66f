"""Decides whom OpenClaw would answer. Pure.

It follows the code of OpenClaw 2026.9.6, and of its packages for Discord and Slack 2026.9.6 and for
IRC 2026.9.5, with what older ones have as well (``allow``, lists of rooms by their names).

Where it is not sure, the model admits: a test that asks whom it refuses then asks for less.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

NAMES = {"-1": "one", "-2": "two", "1": "one", "2": "two", "C11": "one", "C22": "two"}
NAMES |= {"11": "general", "22": "secret"}


class Words(NamedTuple):
    """A message that names the account. ``room`` is that of a server, or a topic."""

    sender: str
    group: str = ""  # none: it is a direct one
    room: str = ""
    mask: str = ""  # of IRC: nick!user@host


def answered(channel: str, section: Mapping[str, Any], account: str, words: Words) -> bool:
    """Return whether an account of a channel answers."""
    fields = _merged(channel, section, account)
    if not words.group:
        return _direct(channel, fields, words)
    if fields.get("groupPolicy", "allowlist") == "disabled":
        return False
    return _RULES[channel](fields, words)


def _merged(channel: str, section: Mapping[str, Any], account: str) -> dict[str, Any]:
    accounts = section.get("accounts", {})
    own = accounts.get(account, {})
    fields = {**section, **own}
    if channel == "telegram":
        if own.get("groups") == {} and len(accounts) < 2:
            fields["groups"] = section.get("groups", {})
        outer = section.get("allowFrom")
        if outer and set(outer) != {"*"} and "*" in own.get("allowFrom", ()):
            fields["allowFrom"] = [each for each in own["allowFrom"] if each != "*"] or outer
    return fields


def _direct(channel: str, fields: Mapping[str, Any], words: Words) -> bool:
    if fields.get("dmPolicy", "pairing") == "disabled":
        return False
    # Also under "open", which is open with "*" in the list alone.
    return _listed(fields, fields.get("allowFrom", ()), words)


def _listed(fields: Mapping[str, Any], entries: Any, words: Words) -> bool:
    whole = {words.sender}
    if words.mask:
        nick, _, rest = words.mask.partition("!")
        user, _, host = rest.partition("@")
        whole = {words.mask, f"{nick}!{user}", f"{nick}@{host}"}
        if fields.get("dangerouslyAllowNameMatching"):
            whole.add(nick)
    return "*" in entries or bool(whole.intersection(entries))


def _found(entries: Mapping[str, Any], id: str) -> Any:
    name = NAMES.get(id, id)
    for key in (id, f"#{name}", name, "*"):
        if key in entries:
            return entries[key]
    return None


def _telegram(fields: Mapping[str, Any], words: Words) -> bool:
    policy, groups = fields.get("groupPolicy", "allowlist"), fields.get("groups", {})
    group = groups.get(words.group, groups.get("*", {}))
    topics = group.get("topics", {})
    topic = {**topics.get("*", {}), **topics.get(words.room, {})}
    people = topic.get("allowFrom", group.get("allowFrom"))
    if group.get("enabled") is False or topic.get("enabled") is False:
        return False
    if people is not None and not _listed(fields, people, words):
        return False
    inner = topic.get("groupPolicy", group.get("groupPolicy", policy))
    around = fields.get("groupAllowFrom", fields.get("allowFrom", []))
    if inner == "disabled":
        return False
    heard = words.group in groups or "*" in groups
    if (groups and not heard) or (policy == "allowlist" and not heard and not around):
        return False
    effective = around if people is None else people
    explicit = words.group in groups and not effective
    return inner == "open" or explicit or _listed(fields, effective, words)


def _discord(fields: Mapping[str, Any], words: Words) -> bool:
    guild = _found(fields.get("guilds", {}), words.group)
    if guild is None:
        return fields.get("groupPolicy") == "open"
    room: Any = {}
    if guild.get("channels"):
        room = _found(guild["channels"], words.room)
        if room is None or room.get("enabled") is False or room.get("allow") is False:
            return False
    users, roles = (room.get(each, guild.get(each)) for each in ("users", "roles"))
    return not (users or roles) or _listed(fields, users or (), words)


def _slack(fields: Mapping[str, Any], words: Words) -> bool:
    entries = fields.get("channels", {})
    entry = _found(entries, words.group)
    if entry is None:
        return fields.get("groupPolicy") == "open"
    both = (entry, entries.get("*", {}))
    said = [each[name] for each in both for name in ("enabled", "allow") if name in each]
    users = next((each["users"] for each in both if "users" in each), None)
    return (said or [True])[0] and (not users or _listed(fields, users, words))


def _irc(fields: Mapping[str, Any], words: Words) -> bool:
    groups = fields.get("groups", {})
    policy = fields.get("groupPolicy", "allowlist")
    group, everyone = groups.get(words.group), groups.get("*")
    if policy == "allowlist" and group is None and everyone is None:
        return False
    both = [each for each in (group, everyone) if each is not None]
    if any(each.get("enabled") is False for each in both):
        return False
    lists = [each.get("allowFrom") for each in both] + [fields.get("groupAllowFrom")]
    for entries in lists:
        if entries:
            return _listed(fields, entries, words)
    return bool(policy == "open")


_RULES = {"telegram": _telegram, "discord": _discord, "slack": _slack, "irc": _irc}
