"""Translates OpenClaw's sessions, queues, bindings, scheduled jobs and hooks. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from ops.openclaw.channels import carried_channels
from ops.openclaw.draft import Draft, FieldPlace, mapping_of, member_of
from ops.openclaw.rules import (
    Rule,
    Rules,
    at,
    carry,
    fixed,
    flattened,
    nested,
    omitted,
    same,
    secret,
)

DM_SCOPE = "main"  # OpenClaw's defaults, where ours are others
GROUP_SCOPE = "per-channel"
QUEUE_MODE = "steer"
ATHOUR = 4
OLD_MODES = {"steer-backlog": "steer", "steer+backlog": "steer", "queue": "followup"}
ONE_RESET = "one rule for all conversations: session.reset"
KEPT = "OpenClaw's agents keep it"
_TOPIC = re.compile(r"(.+?):topic:(\d+)\Z")


def carry_session(draft: Draft, fields: Any, channels: Collection[str]) -> None:
    """Translate ``session``; ``channels`` are those that were carried over."""
    reset: Rules = {
        "mode": fixed(
            lambda value: value in ("daily", "idle", "none"), "as the fields of reset", "is unknown"
        ),
        "atHour": _hour(fields),
        "idleMinutes": _idle(fields),
    }
    rules: dict[str, Rule] = {
        "dmScope": same(),
        "groupScope": _group_scope,
        "scope": fixed(
            lambda value: value == "per-sender",
            "it is so",
            "one conversation for all of a channel is not offered",
        ),
        "identityLinks": _links(channels),
        "reset": nested(reset),
        "idleMinutes": at("session", "reset", "idleMinutes"),
        "resetByType": omitted(ONE_RESET),
        "resetByChannel": omitted(ONE_RESET),
        "mainKey": fixed(lambda value: value == "main", "it is so", "it is always main"),
        "resetTriggers": fixed(
            lambda value: value == ["/new", "/reset"], "it is so", "it is always /new and /reset"
        ),
    }
    if fields is not None:
        carry(draft, "session", ("session",), fields, rules, KEPT)
    _write_defaults(draft, fields)


def _write_defaults(draft: Draft, fields: Any) -> None:
    """Write OpenClaw's defaults of ``session`` where Trunkline has others."""
    mode = member_of(member_of(fields, "reset"), "mode")
    if mode == "daily" and "atHour" not in mapping_of(member_of(fields, "reset")):
        draft.change(
            "session.reset.atHour (not set)",
            ("session", "reset", "dailyHour"),
            ATHOUR,
            "OpenClaw's default",
        )
    for name, theirs, ours in (
        ("dmScope", DM_SCOPE, "per-account-channel-peer"),
        ("groupScope", GROUP_SCOPE, "per-account"),
    ):
        if not draft.has(("session", name)) and name not in mapping_of(fields):
            reason = f"OpenClaw's default, written out because Trunkline's is {ours}"
            draft.change(f"session.{name} (not set)", ("session", name), theirs, reason)


def carry_messages(draft: Draft, fields: Any) -> None:
    """Translate ``messages``: the queue, and the mention patterns for groups."""
    known = carried_channels(draft)
    queue: Rules = {
        "mode": _queue_mode(("queue", "mode")),
        "cap": at("queue", "cap"),
        "debounceMs": at("queue", "debounceMs"),
        "byChannel": _queue_of_channels(known, "mode"),
        "debounceMsByChannel": _queue_of_channels(known, "debounceMs"),
        "drop": omitted("the newest is refused here, and the chat is told"),
    }
    rules: Rules = {
        "queue": flattened(queue),
        "groupChat": flattened({"mentionPatterns": _mention_patterns(known)}, KEPT),
        "inbound": omitted("queue.debounceMs waits for what comes together"),
    }
    if fields is not None:
        carry(draft, "messages", (), fields, rules, KEPT)
    if not draft.has(("queue", "mode")) and "mode" not in mapping_of(member_of(fields, "queue")):
        draft.change(
            "messages.queue.mode (not set)",
            ("queue", "mode"),
            QUEUE_MODE,
            "OpenClaw's default, written out because Trunkline's is collect; it works as followup",
        )


def carry_bindings(draft: Draft, bindings: Any) -> None:
    """Translate ``bindings``."""
    if not isinstance(bindings, list) or not bindings:
        draft.omit("bindings", "is empty" if bindings == [] else "is not a list")
        return
    kept: list[Any] = []
    for number, binding in enumerate(bindings):
        path = f"bindings[{number}]"
        match = mapping_of(member_of(binding, "match"))
        channel = match.get("channel")
        if member_of(binding, "type") not in (None, "route"):
            draft.omit(path, "binds a coding agent to one conversation: that stays with OpenClaw")
        elif not isinstance(channel, str) or channel not in carried_channels(draft):
            draft.omit(path, f"its channel, {channel}, does not come along")
        else:
            ours, lost = _binding(binding, match)
            # The place in our list stands in the name, so that the check can find the note.
            place = f"[{len(kept)}]"
            kept.append(ours)
            if ours == binding:
                draft.copy(path, ("bindings", place), ours)
            else:
                without = f"without {', '.join(lost)}" if lost else "as Trunkline writes it"
                draft.change(path, ("bindings", place), ours, without)


def _binding(
    binding: Mapping[str, Any], match: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    known = ("channel", "accountId", "guildId", "teamId", "roles")
    ours: dict[str, Any] = {name: match[name] for name in known if name in match}
    lost = [name for name in binding if name not in ("agentId", "match", "type")]
    lost += [f"match.{name}" for name in match if name not in (*known, "peer")]
    peer = match.get("peer")
    if isinstance(peer, Mapping):
        kind = peer.get("kind")
        ours["peer"] = {"kind": "direct" if kind == "dm" else kind, "id": peer.get("id")}
        if isinstance(peer.get("id"), str) and (topic := _TOPIC.match(peer["id"])):
            ours["peer"]["id"], ours["thread"] = topic[1], topic[2]
    return {"agentId": binding.get("agentId"), "match": ours}, lost


def carry_commands(draft: Draft, fields: Any) -> None:
    """Translate ``commands``."""
    carry(
        draft,
        "commands",
        ("commands",),
        fields,
        {"ownerAllowFrom": same()},
        "commands of OpenClaw's agents stay with them",
    )


def carry_cron(draft: Draft, fields: Any) -> None:
    """Translate ``cron``; its jobs are stored elsewhere and stay."""
    rules: Rules = {"enabled": same(), "maxConcurrentRuns": same()}
    carry(draft, "cron", ("cron",), fields, rules, "jobs stay with OpenClaw, or are added anew")


def carry_hooks(draft: Draft, fields: Any) -> None:
    """Translate ``hooks``."""
    rules: Rules = {
        "enabled": same(),
        "token": secret(),
        "path": same(),
        "maxBodyBytes": same(),
        "allowRequestSessionKey": same(),
        "allowedSessionKeyPrefixes": same(),
        "allowedAgentIds": same(),
        "mappings": _mappings,
    }
    carry(draft, "hooks", ("hooks",), fields, rules, "hooks of OpenClaw's own stay with it")


def carry_logging(draft: Draft, fields: Any) -> None:
    """Translate ``logging``."""
    levels = {"silent": "error", "fatal": "error", "warn": "warning", "trace": "debug"}
    levels |= {each: each for each in ("debug", "info", "error")}

    def level(draft: Draft, place: FieldPlace, value: Any) -> None:
        from ops.openclaw.rules import words

        words(levels, "the nearest level")(draft, place, value)

    carry(draft, "logging", ("logging",), fields, {"level": level}, "logs are kept per account")


def carry_canvas(draft: Draft, fields: Any) -> None:
    """Translate ``canvasHost``."""
    rules: Rules = {"enabled": same(), "root": same(), "port": same()}
    carry(draft, "canvasHost", ("canvasHost",), fields, rules)


def _mappings(draft: Draft, place: FieldPlace, value: Any) -> None:
    if not isinstance(value, list) or not value:
        draft.omit(place.path, "is empty" if value == [] else "is not a list")
        return
    kept = 0
    for number, each in enumerate(value):
        path = f"{place.path}[{number}]"
        if not isinstance(each, Mapping) or "transform" in each:
            draft.omit(path, "its transform is a program of OpenClaw's")
        else:
            draft.copy(path, (*place.base, "mappings", f"[{kept}]"), dict(each))
            kept += 1


def _group_scope(draft: Draft, place: FieldPlace, value: Any) -> None:
    target = (*place.base, place.name)
    if value == "per-group":
        draft.change(place.path, target, GROUP_SCOPE, "the same in Trunkline's words")
    else:
        draft.omit(place.path, "groups have conversations of their own here")


def _hour(fields: Any) -> Rule:
    if member_of(member_of(fields, "reset"), "mode") == "daily":
        return same("dailyHour")
    return omitted("counts with mode daily alone")


def _idle(fields: Any) -> Rule:
    if member_of(member_of(fields, "reset"), "mode") in ("daily", "idle", None):
        return same()
    return omitted("counts with mode daily or idle alone")


def _links(channels: Collection[str]) -> Rule:
    def rule(draft: Draft, place: FieldPlace, value: Any) -> None:
        if not isinstance(value, Mapping) or not value:
            draft.omit(place.path, "is empty" if value == {} else "is not an object")
            return
        for name, ids in value.items():
            inside = place.inside(name)
            target = (*inside.base, name)
            listed = (
                [each for each in ids if isinstance(each, str)] if isinstance(ids, list) else []
            )
            kept = [each for each in listed if each.partition(":")[0] in channels]
            if kept == ids:
                draft.copy(inside.path, target, kept)
            elif kept:
                draft.change(inside.path, target, kept, "without channels that do not come along")
            else:
                draft.omit(inside.path, "all of it is of channels that do not come along")

    return rule


def _queue_mode(target: tuple[str, ...]) -> Rule:
    def rule(draft: Draft, place: FieldPlace, value: Any) -> None:
        if value in OLD_MODES:
            draft.change(
                place.path, target, OLD_MODES[value], "the newer word; it works as followup"
            )
        else:
            draft.copy(place.path, target, value)

    return rule


def _queue_of_channels(channels: Collection[str], field: str) -> Rule:
    def rule(draft: Draft, place: FieldPlace, value: Any) -> None:
        rules: dict[str, Rule] = {}
        for channel in channels:
            target = ("queue", "byChannel", channel, field)
            rules[channel] = _queue_mode(target) if field == "mode" else at(*target)
        carry(draft, place.path, (), value, rules, "its channel does not come along")

    return rule


def _mention_patterns(channels: Collection[str]) -> Rule:
    def rule(draft: Draft, place: FieldPlace, value: Any) -> None:
        targets = [("channels", each, "mentionPatterns") for each in channels]
        if targets and value:
            draft.spread(place.path, targets, value, "written into each channel")
        else:
            draft.omit(place.path, "no channel comes along" if value else "is empty")

    return rule
