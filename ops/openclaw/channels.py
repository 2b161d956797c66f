"""Translates channels and accounts of OpenClaw. Pure.

Those that Trunkline has as well come along with who may talk to them; all others stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ops.openclaw.draft import Draft, FieldPlace, Target
from ops.openclaw.people import is_group, people
from ops.openclaw.rules import (
    Rule,
    Rules,
    carry,
    flattened,
    left,
    nested,
    same,
    secret,
    secret_file,
    so_anyway,
    words,
)
from ops.openclaw.variables import fill
from runtime.config.check import join
from workers.secrets import field_at

STAYS = "Trunkline has no such channel: it stays with OpenClaw"
BEHAVIOUR = "Trunkline has no such setting of a channel"
GROUP = "Trunkline has no such setting of a group"
TOKENS = {  # of the default account, where the file has none: the field, and OpenClaw's variable
    "telegram": {"botToken": "TELEGRAM_BOT_TOKEN"},
    "discord": {"token": "DISCORD_BOT_TOKEN"},
    "slack": {"botToken": "SLACK_BOT_TOKEN", "appToken": "SLACK_APP_TOKEN"},
}
NAME_MATCHING = "dangerouslyAllowNameMatching"


def carry_channels(draft: Draft, section: Any) -> None:
    """Translate the section ``channels``."""
    if not isinstance(section, Mapping):
        draft.leave("channels", "is not an object")
        return
    if not section:
        draft.leave("channels", "is empty")
    for name, fields in section.items():
        path = join("channels", name)
        if name == "defaults":
            continue  # what channels have themselves counts first
        if name == "modelByChannel":
            draft.leave(path, "models are chosen by the agent")
        elif name not in FIELDS:
            draft.leave(path, STAYS)
        elif not isinstance(fields, Mapping):
            draft.leave(path, "is not an object")
        else:
            _carry_channel(draft, name, fields)
    if "defaults" in section:
        _carry_defaults(draft, section["defaults"], carried_channels(draft))


def carried_channels(draft: Draft) -> list[str]:
    """Return the channels that are in our file."""
    return list(draft.value(("channels",)) or {})


def _carry_channel(draft: Draft, channel: str, fields: Mapping[str, Any]) -> None:
    path, base = join("channels", channel), ("channels", channel)
    accounts = fields.get("accounts")
    listed = dict(accounts) if isinstance(accounts, Mapping) else {}
    named = any(each != "default" for each in listed)
    rules = _account_rules(channel, fields, {})
    for name, value in fields.items():
        place = FieldPlace(join(path, name), base, name)
        if name == "accounts":
            if not listed:
                draft.leave(place.path, "is empty" if accounts == {} else "is not an object")
        elif name == "defaultAccount":
            draft.take(place.path, (*base, name), value)
        elif named and _of_one(channel, name):
            # In OpenClaw it is the default account's alone; here it would be every account's.
            inner = FieldPlace(place.path, (*base, "accounts", "default"), name)
            if name in _mapping(listed.get("default")):
                draft.leave(place.path, "accounts.default has its own")
            else:
                rules[name](draft, inner, value)
        else:
            rules.get(name, left(BEHAVIOUR))(draft, place, value)
    if not fields:
        draft.leave(path, "is empty")
    _limit_groups(draft, channel, path, base, fields, {})
    for account_id, account in listed.items():
        inside = join(join(path, "accounts"), account_id)
        target = (*base, "accounts", account_id)
        if account != {}:
            own_rules = _account_rules(channel, _mapping(account), fields)
            carry(draft, inside, target, account, own_rules, BEHAVIOUR)
            _limit_groups(draft, channel, inside, target, _mapping(account), fields)
        elif draft.has(target):
            draft.agree(inside, "has what stands in the channel")
        else:
            draft.take(inside, target, {})
    default = (*base, "accounts", "default") if listed else base
    if not listed or "default" in listed:
        _tokens_of_environment(draft, path, default, TOKENS.get(channel, {}))


def _of_one(channel: str, field: str) -> bool:
    return field in SECRETS.get(channel, ())


def _tokens_of_environment(
    draft: Draft, path: str, target: Target, tokens: Mapping[str, str]
) -> None:
    for field, name in tokens.items():
        around = draft.value(target) or {}
        if draft.variables.value(name) and not field_at(around, field):
            reason = f"is not set: OpenClaw reads {name}, a reference to the same variable"
            noted = {note.path for note in draft.notes}
            if join(path, field) not in noted:
                draft.change(
                    join(path, field), (*target, field), {"source": "env", "id": name}, reason
                )


def _carry_defaults(draft: Draft, fields: Any, channels: list[str]) -> None:
    path = "channels.defaults"
    if not isinstance(fields, Mapping) or not fields:
        draft.leave(path, "is empty" if fields == {} else "is not an object")
        return
    for name, value in fields.items():
        place = join(path, name)
        if name != "groupPolicy":
            draft.leave(place, BEHAVIOUR)
            continue
        free = [each for each in channels if not draft.has(("channels", each, name))]
        targets = [("channels", each, name) for each in free]
        if targets:
            draft.spread(place, targets, value, "written into each channel that has none")
        else:
            draft.leave(place, "each channel that comes along has its own")


def _limit_groups(
    draft: Draft,
    channel: str,
    path: str,
    target: Target,
    fields: Mapping[str, Any],
    around: Mapping[str, Any],
) -> None:
    """Write out who may talk in groups where OpenClaw takes ``allowFrom`` for that.

    Here everybody in a group may talk unless it is said otherwise. ``around`` are the fields of the
    channel, which an account inherits.
    """
    if channel != "telegram" or "groupAllowFrom" in fields or "groupAllowFrom" in around:
        return
    if fields.get("groupPolicy", around.get("groupPolicy", "allowlist")) != "allowlist":
        return
    outer = target[:2]
    if around and "allowFrom" not in fields and draft.has((*outer, "groupAllowFrom")):
        return  # inherited
    where = f"{path}.groupAllowFrom (not set)"
    owner = target if "allowFrom" in fields else outer if "allowFrom" in around else None
    if owner is not None:
        allowed = draft.value((*owner, "allowFrom"))
        if isinstance(allowed, list) and "*" not in allowed:
            reason = "OpenClaw takes allowFrom in groups too, and Trunkline everybody in them"
            draft.change(where, (*target, "groupAllowFrom"), list(allowed), reason)
    elif draft.has((*target, "groups")):
        reason = "without allowFrom OpenClaw answers nobody in groups, and Trunkline everybody"
        draft.change(where, (*target, "groupAllowFrom"), [], reason)


def _account_rules(
    channel: str, fields: Mapping[str, Any], around: Mapping[str, Any]
) -> dict[str, Rule]:
    """Return the rules for the fields of an account, or those of a channel for all of them."""
    forgeable = fields.get(NAME_MATCHING, around.get(NAME_MATCHING)) is True
    listed = _listed(channel, forgeable=forgeable)
    has_policy, has_list = "dmPolicy" in fields, "allowFrom" in fields
    off = _mapping(fields.get("dm")).get("enabled") is False
    first = "stands beside a field that counts first"
    direct: Rules = {
        "enabled": words({False: "disabled"}, "as dmPolicy", "dmPolicy")
        if off
        else so_anyway(lambda value: value is True, "is so", "is neither true nor false"),
        "policy": left(first) if has_policy or off else same("dmPolicy"),
        "allowFrom": left(first) if has_list else _to("allowFrom", listed),
    }
    common: dict[str, Rule] = {
        "enabled": same(),
        "name": same(),
        "dmPolicy": left("dm.enabled is false, which counts first") if off else same(),
        "allowFrom": listed,
        "groupPolicy": same(),
        "groupAllowFrom": listed,
        "proxy": same(),
        "healthMonitor": nested({"enabled": same()}),
        "streaming": _streaming,
        "dm": flattened(direct, "Trunkline treats group chats without a server as groups"),
        "configWrites": so_anyway(
            lambda value: value is False,
            "no chat can change the configuration",
            "no chat can change the configuration here",
        ),
        NAME_MATCHING: left(
            "in effect in the lists, as unverified:NICK"
            if forgeable and channel == "irc"
            else "people are known by ids alone"
        ),
    }
    return common | FIELDS[channel](listed)


def _telegram(listed: Rule) -> dict[str, Rule]:
    topics = "a topic has no rule of its own; a binding can give it an agent"
    group: Rules = {
        "enabled": same(),
        "requireMention": same(),
        "allowFrom": listed,
        "topics": left(topics),
        "groupPolicy": words({"disabled": False}, "as enabled", "enabled"),
    }
    webhook = so_anyway(lambda value: not value, "it asks for updates", "updates are asked for")
    return {
        "botToken": secret(),
        "tokenFile": secret_file("botToken"),
        "apiRoot": same(),
        "groups": _groups("telegram", group),
        "webhookUrl": webhook,
    }


def _discord(listed: Rule) -> dict[str, Rule]:
    room: Rules = {
        "enabled": same(),
        "allow": same("enabled"),
        "requireMention": same(),
        "users": listed,
        "roles": same(),
    }
    guild: Rules = {
        "requireMention": same(),
        "users": listed,
        "roles": same(),
        "channels": _groups("discord", room),
    }
    return {"token": secret(), "guilds": _groups("discord", guild)}


def _slack(listed: Rule) -> dict[str, Rule]:
    room: Rules = {
        "enabled": same(),
        "allow": same("enabled"),
        "requireMention": same(),
        "users": listed,
    }
    return {
        "botToken": secret(),
        "appToken": secret(),
        "channels": _groups("slack", room),
        "mode": so_anyway(
            lambda value: value == "socket",
            "Trunkline connects by Socket Mode alone",
            "Trunkline connects by Socket Mode alone: it needs an appToken",
        ),
    }


def _irc(listed: Rule) -> dict[str, Rule]:
    group: Rules = {"enabled": same(), "requireMention": same(), "allowFrom": listed}
    nickserv: Rules = {
        "enabled": so_anyway(lambda value: value is True, "is so", "delete nickserv by hand"),
        "service": same(),
        "password": secret(),
        "passwordFile": secret_file("password"),
        "register": so_anyway(
            lambda value: not value, "it never registers", "Trunkline registers no nick"
        ),
    }
    return {
        "host": same("server"),
        "port": same(),
        "tls": same(),
        "nick": same(),
        "username": same(),
        "realname": same(),
        "password": secret(),
        "passwordFile": secret_file("password"),
        "channels": same(),
        "groups": _groups("irc", group),
        "nickserv": _nickserv(nickserv),
    }


FIELDS = {"telegram": _telegram, "discord": _discord, "slack": _slack, "irc": _irc}
SECRETS = {  # fields that are the default account's alone
    "telegram": ("botToken", "tokenFile"),
    "discord": ("token",),
    "slack": ("botToken", "appToken"),
}


def _nickserv(rules: Rules) -> Rule:
    def rule(draft: Draft, place: FieldPlace, value: Any) -> None:
        if isinstance(value, Mapping) and value.get("enabled") is False:
            draft.leave(place.path, "is turned off")
        else:
            nested(rules, "Trunkline has no such setting of NickServ")(draft, place, value)

    return rule


def _groups(channel: str, rules: Rules) -> Rule:
    """Return the rule for an object of groups by their ids."""

    def rule(draft: Draft, place: FieldPlace, value: Any) -> None:
        if not isinstance(value, Mapping):
            draft.leave(place.path, "is not an object")
        elif not value:
            draft.take(place.path, (*place.base, place.name), {})
        for group, fields in value.items() if isinstance(value, Mapping) else ():
            inside = place.inside(group)
            if not is_group(channel, group):
                draft.leave(inside.path, "is named by its name: put its id in the place of that")
            elif fields == {}:
                draft.take(inside.path, (*inside.base, group), {})
            elif (rooms := _mapping(_mapping(fields).get("channels"))) and not any(
                is_group(channel, each) for each in rooms
            ):  # without them all rooms would be heard
                draft.leave(inside.path, "its channels are named by their names: put in their ids")
            else:
                carry(draft, inside.path, (*inside.base, group), fields, rules, GROUP)
                if not draft.has((*inside.base, group)):  # listed is what it is, all the same
                    draft.change(
                        f"{inside.path} (listed)", (*inside.base, group), {}, "without its settings"
                    )

    return rule


def _listed(channel: str, *, forgeable: bool) -> Rule:
    """Return the rule for a list of people."""

    def rule(draft: Draft, place: FieldPlace, value: Any) -> None:
        found = fill(value, draft.variables)
        target = (*place.base, place.name)
        if not isinstance(found.value, list) or found.missing:
            # Without a list everybody would be admitted.
            reason = "is no list, or has a variable that is not set: nobody until you list them"
            draft.change(place.path, target, [], reason)
            return
        draft.used_variables.update(found.inline)
        kept, lost = people(channel, found.value, forgeable=forgeable)
        if not lost and kept == value:
            draft.take(place.path, target, kept)
        else:
            said = [f"without {', '.join(lost)}: no id of {channel}"] if lost else []
            if kept != [each for each in value if str(each) not in lost]:
                said.append("ids as Trunkline writes them")
            draft.change(place.path, target, kept, "; ".join(said))

    return rule


def _to(name: str, rule: Rule) -> Rule:
    return lambda draft, place, value: rule(draft, FieldPlace(place.path, place.base, name), value)


def _streaming(draft: Draft, place: FieldPlace, value: Any) -> None:
    """Translate how an answer is shown while it grows: here in one message that is edited."""
    modes: dict[Any, Any] = dict.fromkeys(("partial", "block", "progress", True), "edits")
    modes |= {"off": "off", False: "off"}
    shown = words(modes, "one message that grows", "streaming")
    if isinstance(value, Mapping):
        flattened({"mode": shown}, BEHAVIOUR)(draft, place, value)
    else:
        shown(draft, place, value)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
