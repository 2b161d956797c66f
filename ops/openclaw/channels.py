"""Translates channels and accounts of OpenClaw. Pure.

Channels that Trunkline also has are carried over, with who may talk to them; others stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ops.openclaw.draft import Draft, FieldPlace, Target, mapping_of
from ops.openclaw.groups import TOPICS, groups, may_open, people_list, policy, switch
from ops.openclaw.open_policies import narrow_open
from ops.openclaw.rules import (
    Rule,
    Rules,
    carry,
    fixed,
    flattened,
    nested,
    omitted,
    same,
    secret,
    secret_file,
    suggestion,
    words,
)
from runtime.config.check import join
from workers.secrets import field_at

STAYS = "Trunkline has no such channel: it stays with OpenClaw"
BEHAVIOUR = "Trunkline has no such setting of a channel"
TOKENS = {  # of the default account, where the file has none: the field, and OpenClaw's variable
    "telegram": {"botToken": "TELEGRAM_BOT_TOKEN"},
    "discord": {"token": "DISCORD_BOT_TOKEN"},
    "slack": {"botToken": "SLACK_BOT_TOKEN", "appToken": "SLACK_APP_TOKEN"},
}
NAME_MATCHING = "dangerouslyAllowNameMatching"


def carry_channels(draft: Draft, section: Any) -> None:
    """Translate the section ``channels``."""
    if not isinstance(section, Mapping):
        draft.omit("channels", "is not an object")
        return
    if not section:
        draft.omit("channels", "is empty")
    for name, fields in section.items():
        path = join("channels", name)
        if name == "defaults":
            continue  # what channels have themselves counts first
        if name == "modelByChannel":
            draft.omit(path, "models are chosen by the agent")
        elif name not in FIELDS:
            draft.omit(path, f"{STAYS}{suggestion(name, FIELDS)}")
        elif not isinstance(fields, Mapping):
            draft.omit(path, "is not an object")
        else:
            _carry_channel(draft, name, fields, section.get("defaults"))
    if "defaults" in section:
        _carry_defaults(draft, section["defaults"], carried_channels(draft))


def carried_channels(draft: Draft) -> list[str]:
    """Return the channels that were carried over."""
    return list(draft.value(("channels",)) or {})


def _carry_channel(draft: Draft, channel: str, fields: Mapping[str, Any], defaults: Any) -> None:
    """Translate one channel; ``defaults`` are the fields that all channels share."""
    path, base = join("channels", channel), ("channels", channel)
    accounts = fields.get("accounts")
    listed = dict(accounts) if isinstance(accounts, Mapping) else {}
    named = any(each != "default" for each in listed)
    opens = may_open(defaults, fields, *listed.values())
    rules = _account_rules(channel, fields, {}, opens=opens)
    for name, value in fields.items():
        place = FieldPlace(join(path, name), base, name)
        if name == "accounts":
            if not listed:
                draft.omit(place.path, "is empty" if accounts == {} else "is not an object")
        elif name == "defaultAccount":
            draft.copy(place.path, (*base, name), value)
        elif named and _of_one(channel, name):
            # In OpenClaw it is the default account's alone; here it would be every account's.
            inner = FieldPlace(place.path, (*base, "accounts", "default"), name)
            if name in mapping_of(listed.get("default")):
                draft.omit(place.path, "accounts.default has its own")
            else:
                rules[name](draft, inner, value)
        else:
            reason = f"{BEHAVIOUR}{suggestion(name, [*rules, 'accounts', 'defaultAccount'])}"
            rules.get(name, omitted(reason))(draft, place, value)
    if not fields:
        draft.omit(path, "is empty")
    _limit_groups(draft, channel, path, base, fields, {})
    for account_id, account in listed.items():
        alone = len(listed) == 1
        _carry_account(draft, channel, account_id, account, fields, alone=alone, opens=opens)
    narrow_open(draft, path, base, listed)
    default = (*base, "accounts", "default") if listed else base
    if not listed or "default" in listed:
        _tokens_of_environment(draft, path, default, TOKENS.get(channel, {}))


def _carry_account(
    draft: Draft,
    channel: str,
    id: str,
    account: Any,
    around: Mapping[str, Any],
    *,
    alone: bool,
    opens: bool,
) -> None:
    """Translate one account of a channel; ``around`` are the fields of the channel."""
    path = join(join(join("channels", channel), "accounts"), id)
    target = ("channels", channel, "accounts", id)
    if account != {}:
        own = _effective(channel, account, around, alone=alone)
        rules = _account_rules(channel, mapping_of(own), around, opens=opens)
        carry(draft, path, target, own, rules, BEHAVIOUR)
        _note_inherited(draft, path, account, own)
        _limit_groups(draft, channel, path, target, mapping_of(account), around)
    elif draft.has(target):
        draft.note_fixed(path, "has what stands in the channel")
    else:
        draft.copy(path, target, {})


def _effective(channel: str, account: Any, around: Mapping[str, Any], *, alone: bool) -> Any:
    """Return the effective fields of a Telegram account, in which OpenClaw overrides two.

    ``allowFrom`` with ``*`` does not widen the channel's own list of people, and empty ``groups``
    of the only account mean the channel's, which are not repeated.
    """
    if channel != "telegram" or not isinstance(account, Mapping):
        return account
    own = dict(account)
    theirs, outer = account.get("allowFrom"), around.get("allowFrom")
    if isinstance(theirs, list) and isinstance(outer, list):
        named = [each for each in theirs if str(each).strip() != "*"]
        if len(named) < len(theirs) and any(str(each).strip() not in ("", "*") for each in outer):
            own["allowFrom"] = named or outer
    if alone and own.get("groups") == {} and around.get("groups"):
        del own["groups"]
    return own


def _note_inherited(draft: Draft, path: str, account: Any, own: Any) -> None:
    if not isinstance(account, Mapping):
        return
    place = join(path, "allowFrom")
    if own.get("allowFrom") != account.get("allowFrom"):
        earlier = next(note for note in draft.notes if note.path == place)
        draft.notes.remove(earlier)
        reason = "CLOSED: the channel's allowFrom restricts the * of an account"
        draft.change(place, earlier.target, draft.value(earlier.target), reason)
    if "groups" in account and "groups" not in own:
        draft.note_fixed(join(path, "groups"), "has those of the channel")


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
        draft.omit(path, "is empty" if fields == {} else "is not an object")
        return
    for name, value in fields.items():
        place = join(path, name)
        if name != "groupPolicy":
            draft.omit(place, BEHAVIOUR)
            continue
        free = [each for each in channels if not draft.has(("channels", each, name))]
        targets = [("channels", each, name) for each in free]
        if targets:
            draft.spread(place, targets, value, "written into each channel that has none")
        else:
            draft.omit(place, "each channel that comes along has its own")


def _limit_groups(
    draft: Draft,
    channel: str,
    path: str,
    target: Target,
    fields: Mapping[str, Any],
    around: Mapping[str, Any],
) -> None:
    """Write ``groupAllowFrom`` explicitly where OpenClaw would use ``allowFrom`` for groups.

    Trunkline lets everybody in a group talk by default. ``around`` are the fields of the channel,
    which an account inherits.
    """
    if channel not in ("telegram", "irc"):
        return
    if "groupAllowFrom" in fields or "groupAllowFrom" in around:
        return
    if fields.get("groupPolicy", around.get("groupPolicy")) in ("open", "disabled"):
        return
    outer = target[:2]
    if channel == "irc":
        heard = draft.has((*target, "groups")) or draft.has((*outer, "groups"))
        if heard and not draft.has((*outer, "groupAllowFrom")):
            where = f"{path}.groupAllowFrom (not set)"
            reason = "CLOSED: without a list OpenClaw answers nobody in groups, Trunkline everybody"
            draft.change(where, (*target, "groupAllowFrom"), [], reason)
        return
    if around and "allowFrom" not in fields and draft.has((*outer, "groupAllowFrom")):
        return  # inherited
    where = f"{path}.groupAllowFrom (not set)"
    owner = target if "allowFrom" in fields else outer if "allowFrom" in around else None
    if owner is not None:
        allowed = draft.value((*owner, "allowFrom"))
        if isinstance(allowed, list) and "*" not in allowed:
            reason = "OpenClaw applies allowFrom to groups, too; Trunkline would answer everybody"
            draft.change(where, (*target, "groupAllowFrom"), list(allowed), reason)
    elif draft.has((*target, "groups")):
        reason = "without allowFrom OpenClaw answers nobody in groups, Trunkline everybody"
        draft.change(where, (*target, "groupAllowFrom"), [], reason)


def _account_rules(
    channel: str, fields: Mapping[str, Any], around: Mapping[str, Any], *, opens: bool
) -> dict[str, Rule]:
    """Return the rules for the fields of an account, or of a channel."""
    forgeable = fields.get(NAME_MATCHING, around.get(NAME_MATCHING)) is True
    listed = people_list(channel, forgeable=forgeable)
    has_policy, has_list = "dmPolicy" in fields, "allowFrom" in fields
    off = mapping_of(fields.get("dm")).get("enabled") is False
    direct_policy = policy("pairing", "allowlist", "open", "disabled")
    first = "stands beside a field that counts first"
    direct: Rules = {
        "enabled": words({False: "disabled"}, "as dmPolicy", "dmPolicy")
        if off
        else fixed(lambda value: value is True, "is so", "is neither true nor false"),
        "policy": omitted(first) if has_policy or off else _to("dmPolicy", direct_policy),
        "allowFrom": omitted(first) if has_list else _to("allowFrom", listed),
    }
    common: dict[str, Rule] = {
        "enabled": same(),
        "name": same(),
        "dmPolicy": omitted("dm.enabled is false, which counts first") if off else direct_policy,
        "allowFrom": listed,
        "groupPolicy": policy("open", "allowlist", "disabled"),
        "groupAllowFrom": listed,
        "proxy": same(),
        "healthMonitor": nested({"enabled": same()}),
        "streaming": _streaming,
        "dm": flattened(direct, "Trunkline treats group chats without a server as groups"),
        "configWrites": fixed(
            lambda value: value is False,
            "no chat can change the configuration",
            "no chat can change the configuration here",
        ),
        NAME_MATCHING: omitted(
            "in effect in the lists, as unverified:NICK"
            if forgeable and channel == "irc"
            else "people are known by ids alone"
        ),
    }
    return common | FIELDS[channel](listed, opens)


def _telegram(listed: Rule, opens: bool) -> dict[str, Rule]:
    group: Rules = {
        "enabled": switch,
        "requireMention": same(),
        "allowFrom": listed,
        "topics": omitted(TOPICS),
        "groupPolicy": words({"disabled": False}, "as enabled", "enabled"),
    }
    webhook = fixed(lambda value: not value, "it asks for updates", "updates are asked for")
    return {
        "botToken": secret(),
        "tokenFile": secret_file("botToken"),
        "apiRoot": same(),
        "groups": groups("telegram", group, opens=opens),
        "webhookUrl": webhook,
    }


def _discord(listed: Rule, opens: bool) -> dict[str, Rule]:
    room: Rules = {
        "enabled": switch,
        "allow": switch,
        "requireMention": same(),
        "users": listed,
        "roles": listed,
    }
    guild: Rules = {
        "requireMention": same(),
        "users": listed,
        "roles": listed,
        "channels": groups("discord", room, opens=opens, rooms=True),
    }
    return {"token": secret(), "guilds": groups("discord", guild, opens=opens)}


def _slack(listed: Rule, opens: bool) -> dict[str, Rule]:
    room: Rules = {
        "enabled": switch,
        "allow": switch,
        "requireMention": same(),
        "users": listed,
    }
    return {
        "botToken": secret(),
        "appToken": secret(),
        "channels": groups("slack", room, opens=opens),
        "mode": fixed(
            lambda value: value == "socket",
            "Trunkline connects by Socket Mode alone",
            "Trunkline connects by Socket Mode alone: it needs an appToken",
        ),
    }


def _irc(listed: Rule, opens: bool) -> dict[str, Rule]:
    group: Rules = {"enabled": switch, "requireMention": same(), "allowFrom": listed}
    nickserv: Rules = {
        "enabled": fixed(lambda value: value is True, "is so", "delete nickserv by hand"),
        "service": same(),
        "password": secret(),
        "passwordFile": secret_file("password"),
        "register": fixed(
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
        "groups": groups("irc", group, opens=opens),
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
            draft.omit(place.path, "is turned off")
        else:
            nested(rules, "Trunkline has no such setting of NickServ")(draft, place, value)

    return rule


def _to(name: str, rule: Rule) -> Rule:
    return lambda draft, place, value: rule(draft, FieldPlace(place.path, place.base, name), value)


def _streaming(draft: Draft, place: FieldPlace, value: Any) -> None:
    """Translate the streaming mode: Trunkline edits one message as the answer grows."""
    modes: dict[Any, Any] = dict.fromkeys(("partial", "block", "progress", True), "edits")
    modes |= {"off": "off", False: "off"}
    shown = words(modes, "one message that grows", "streaming")
    if isinstance(value, Mapping):
        flattened({"mode": shown}, BEHAVIOUR)(draft, place, value)
    else:
        shown(draft, place, value)
