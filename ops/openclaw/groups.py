"""Translates groups, servers and rooms of OpenClaw, and who may talk in them. Pure.

A restriction that cannot be carried over closes its entry or, if the entry itself cannot be named,
everything that is not listed by an id. So nothing becomes open by being left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ops.openclaw.draft import Draft, FieldPlace, Target, mapping_of
from ops.openclaw.people import is_group, people
from ops.openclaw.rules import Rule, Rules, carry
from ops.openclaw.variables import fill
from runtime.config.access_policy import EVERYONE
from runtime.config.check import join

GROUP = "Trunkline has no such setting of a group"
BY_NAME = "is a name: replace it by the id"
TOPICS = "a topic has no rule of its own; a binding can give it an agent"
_RESTRICTING = ("users", "roles", "allowFrom", "groupPolicy", "topics", "channels")
_INHERITED = {"slack": "users", "irc": "allowFrom"}  # of ``*``, by entries that have none


def groups(channel: str, rules: Rules, *, opens: bool, rooms: bool = False) -> Rule:
    """Return the rule for an object of groups by their ids.

    ``opens``: a policy may admit groups that are not listed. ``rooms``: these are the rooms of a
    server, of which only listed ones are heard.
    """

    def rule(draft: Draft, place: FieldPlace, value: Any) -> None:
        target = (*place.base, place.name)
        if not isinstance(value, Mapping):
            reason = "CLOSED: is not an object, and nothing else says who may talk there"
            draft.change(place.path, target, {EVERYONE: _closed(target)}, reason)
            return
        if not value:
            draft.copy(place.path, target, {})
        for group, fields in value.items():
            _carry_group(draft, channel, place.inside(group), fields, rules)
        if value and not draft.has(target) and target[2:3] == ("accounts",):
            reason = "without those named by their names; an empty one is not the channel's"
            draft.change(f"{place.path} (listed)", target, {}, reason)
        if isinstance(value.get(EVERYONE), Mapping):
            _inherit(draft, channel, place, value)
        if reason := _closing_reason(channel, value, opens=opens, rooms=rooms):
            _close_others(draft, join(place.path, EVERYONE), (*target, EVERYONE), reason)
        for group, fields in value.items():
            if draft.has((*target, group)) and (reason := _unrestricted(fields, opens=opens)):
                _close(draft, join(place.path, group), (*target, group), reason)

    return rule


def switch(draft: Draft, place: FieldPlace, value: Any) -> None:
    """Translate ``enabled`` of a group, or its older name ``allow``; off stays off."""
    target = (*place.base, "enabled")
    if draft.value(target) is False:
        draft.omit(place.path, "the group is off by its other settings")
    elif isinstance(value, bool):
        draft.copy(place.path, target, value)
    else:
        draft.change(place.path, target, False, "CLOSED: is neither true nor false")


def policy(*known: str) -> Rule:
    """Return the rule for a policy; an unknown one admits only listed people."""

    def rule(draft: Draft, place: FieldPlace, value: Any) -> None:
        if fill(value, draft.variables).value in known:
            draft.copy(place.path, (*place.base, place.name), value)
        else:
            reason = f"CLOSED: is none of {', '.join(known)}, or has a variable that is not set"
            draft.change(place.path, (*place.base, place.name), "allowlist", reason)

    return rule


def people_list(channel: str, *, forgeable: bool) -> Rule:
    """Return the rule for a list of people."""

    def rule(draft: Draft, place: FieldPlace, value: Any) -> None:
        found = fill(value, draft.variables)
        target = (*place.base, place.name)
        if not isinstance(found.value, list) or found.missing:
            # Without a list everybody would be admitted.
            reason = "is not a list, or has a variable that is not set: nobody until you list them"
            draft.change(place.path, target, [], reason)
            return
        draft.used_variables.update(found.inline)
        kept, lost = people(channel, found.value, forgeable=forgeable)
        if not lost and kept == value:
            draft.copy(place.path, target, kept)
            return
        said = [f"without {', '.join(lost)}: no id of {channel}"] if lost else []
        if lost and channel == "irc":
            said.append("Trunkline knows services accounts by nick, and no masks")
        if lost and not kept:
            said.append("CLOSED: nobody until you list them")
        if kept != [each for each in value if str(each) not in lost]:
            said.append("ids as Trunkline writes them")
        draft.change(place.path, target, kept, "; ".join(said))

    return rule


def may_open(*layers: Any) -> bool:
    """Return whether a channel, one of its accounts or the default admits unlisted groups."""
    found = {str(each["groupPolicy"]) for each in layers if "groupPolicy" in mapping_of(each)}
    return bool(found - {"allowlist", "disabled"})


def _carry_group(draft: Draft, channel: str, inside: FieldPlace, fields: Any, rules: Rules) -> None:
    target = (*inside.base, inside.name)
    if not is_group(channel, inside.name):
        draft.omit(inside.path, BY_NAME)
    elif fields == {}:
        draft.copy(inside.path, target, {})
    elif not isinstance(fields, Mapping):
        draft.change(inside.path, target, _closed(inside.base), "CLOSED: is not an object")
    else:
        carry(draft, inside.path, target, fields, rules, GROUP)
        if not draft.has(target):  # listed is what it is, all the same
            draft.change(f"{inside.path} (listed)", target, {}, "without its settings")


def _closing_reason(channel: str, value: Mapping[str, Any], *, opens: bool, rooms: bool) -> str:
    """Return why groups that are not listed by id must be closed; empty if they need not."""
    named = [each for each in value if not is_group(channel, each)]
    beside = value.get(EVERYONE)
    if EVERYONE in value:
        lost = [each for each in named if not _is_like(channel, value[each], beside)]
    elif rooms:
        lost = named if len(named) == len(value) else []
    else:
        lost = [each for each in named if opens and _restricts(value[each])]
    if lost:
        return (
            f"CLOSED: {', '.join(lost)} cannot be named here, and would be admitted with all "
            "others; list by its id what is to be heard"
        )
    if channel == "telegram" and opens and value and EVERYONE not in value:
        return "CLOSED: where groups are listed OpenClaw hears no others, even if they are open"
    return ""


def _restricts(fields: Any) -> bool:
    """Return whether an entry restricts who may talk."""
    if not isinstance(fields, Mapping):
        return True
    off = any(fields.get(name, True) is not True for name in ("enabled", "allow"))
    return off or any(name in fields for name in _RESTRICTING)


def _is_like(channel: str, fields: Any, beside: Any) -> bool:
    """Return whether ``*`` admits nobody whom the entry that it would replace does not."""
    if _restricts(fields) or _restricts(beside):
        return False
    inherited = None if channel == "discord" else False
    asks = fields.get("requireMention", inherited) is not False
    return not asks or beside.get("requireMention") is not False


def _unrestricted(fields: Any, *, opens: bool) -> str:
    """Return which restriction of a Telegram group is lost; empty if none."""
    topics = mapping_of(fields).get("topics", {})
    values = topics.values() if isinstance(topics, Mapping) else [topics]
    harmless = ("open",) if opens else ("open", "allowlist")
    if any(
        not isinstance(each, Mapping)
        or each.get("enabled", True) is not True
        or "allowFrom" in each
        or each.get("groupPolicy", "open") not in harmless
        for each in values
    ):
        return "CLOSED: topics of it are restricted, and all of them would be heard by everybody"
    theirs = mapping_of(fields).get("groupPolicy", "open")
    if opens and theirs not in ("open", "disabled") and "allowFrom" not in fields:
        return "CLOSED: its groupPolicy is not open, unlike the channel's"
    return ""


def _inherit(draft: Draft, channel: str, place: FieldPlace, value: Mapping[str, Any]) -> None:
    """Copy the fields of ``*`` into other entries, which do not inherit from it in Trunkline."""
    if channel not in _INHERITED:
        return
    target = (*place.base, place.name)
    everyone = (*target, EVERYONE)
    for group, fields in value.items():
        own = (*target, group)
        if group == EVERYONE or not draft.has(own):
            continue
        path = join(place.path, group)
        closed = draft.value((*everyone, "enabled")) is False
        if closed and (channel == "irc" or not {"enabled", "allow"} & set(mapping_of(fields))):
            _close(draft, path, own, "OpenClaw takes it from *")
        name = _INHERITED[channel]
        if draft.has((*everyone, name)) and not draft.value((*own, name)):
            people_of_all = list(draft.value((*everyone, name)))
            _override(draft, join(path, name), (*own, name), people_of_all, "as *, in OpenClaw")


def _closed(map_target: Target) -> dict[str, Any]:
    """Return an entry that admits nobody; a server can only be closed by its rooms."""
    if map_target[-1] == "guilds":
        return {"channels": {EVERYONE: {"enabled": False}}}
    return {"enabled": False}


def _close(draft: Draft, path: str, target: Target, reason: str) -> None:
    """Disable one entry; its other settings are kept."""
    if target[-2] == "guilds":
        _close_others(draft, path, target, reason)
    else:
        _override(draft, join(path, "enabled"), (*target, "enabled"), False, reason)


def _override(draft: Draft, path: str, target: Target, value: Any, reason: str) -> None:
    earlier = [note for note in draft.notes if note.target == target]
    for note in earlier:
        draft.notes.remove(note)
    where = earlier[0].path if earlier else f"{path} (not set)"
    draft.change(where, target, value, reason)


def _close_others(draft: Draft, path: str, target: Target, reason: str) -> None:
    """Replace ``*`` by an entry that admits nobody."""
    inside = [
        note
        for note in draft.notes
        if note.path == path or note.path.startswith((f"{path}.", f"{path} ("))
    ]
    for note in inside:
        draft.notes.remove(note)
    draft.remove(target)
    draft.change(path if inside else f"{path} (not set)", target, _closed(target[:-1]), reason)
