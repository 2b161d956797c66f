"""Decides whether a message is answered, and by which line of the configuration. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from runtime.config.access_policy import EVERYONE, UNVERIFIED, AccessPolicy, GroupRule
from runtime.gateway.journal.people import Person
from workers.messages import Inbound, Sender


class AdmissionOutcome(StrEnum):
    """The outcome for a message: answered, dropped, or kept as context for later answers."""

    RUN = "run"
    CONTEXT = "context"
    PAIR = "pair"
    DROP = "drop"


class Decision(NamedTuple):
    """The outcome for a message, its reason in one word, and the configuration line of it."""

    outcome: AdmissionOutcome
    reason: str
    source: str


# Every reason there is, with its sentence for people.
REASONS = {
    "open": "anybody is answered",
    "listed": "the sender is listed",
    "paired": "the sender was approved",
    "group": "the group and the sender are admitted",
    "history": "it is an old message that the platform plays back",
    "edit": "it is the new text of an earlier message",
    "not-addressed": "it is not meant for the account",
    "no-mention": "it does not name the account",
    "bot": "the sender is a bot, and bots do not answer bots",
    "blocked": "the sender was blocked",
    "dm-disabled": "direct messages are disabled",
    "dm-not-listed": "the sender is not listed",
    "unverified": "the sender is listed or approved, but the platform does not vouch for this id",
    "group-disabled": "messages in groups are disabled",
    "group-not-listed": "the group is not listed",
    "group-off": "the group is listed as not enabled",
    "sender-not-listed": "the sender is not listed for this group",
    "unknown-sender": "the sender is not known yet, and is given a code for the owner",
    "waits": "the sender has a code already, and waits for the owner",
    "full": "as many others as may wait for the owner do so already",
    "no-agent": "it is admitted, but no agent answers there",
}


def admit(policy: AccessPolicy, person: Person | None, message: Inbound) -> Decision:
    """Decide about a message; ``person`` is the stored decision about its sender.

    The reasons ``waits`` and ``full`` are not among its results: ``pairing.ask`` finds them. Nor is
    ``no-agent``, which is about what is admitted.
    """
    if message.sender.bot:
        return Decision(AdmissionOutcome.DROP, "bot", "always so")
    if person is not None and person.state == "blocked":
        return Decision(AdmissionOutcome.DROP, "blocked", "channels.pairing.block")
    direct = message.chat.kind == "direct"
    decision = _direct(policy, person, message.sender) if direct else _in_group(policy, message)
    aside = _aside(message, direct=direct)
    if aside and decision.outcome in (AdmissionOutcome.RUN, AdmissionOutcome.CONTEXT):
        return Decision(AdmissionOutcome.CONTEXT, aside, "always so")
    if aside and decision.outcome is AdmissionOutcome.PAIR:  # a code is an answer, too
        return Decision(AdmissionOutcome.DROP, aside, "always so")
    return decision


def _aside(message: Inbound, *, direct: bool) -> str:
    """Return why a message is not one to answer, whoever is admitted; ``""`` for all others.

    Whom an old message names is not known: it is kept as one that may name the account. What need
    not name it, in a direct chat, may still be no question: its channel says so.
    """
    if message.meta.get("history"):
        return "history"
    if message.edits is not None:
        return "edit"
    return "not-addressed" if direct and not message.addressed else ""


def _direct(policy: AccessPolicy, person: Person | None, sender: Sender) -> Decision:
    if policy.dm == "disabled":
        return Decision(AdmissionOutcome.DROP, "dm-disabled", policy.source("dmPolicy"))
    if policy.dm == "open" and policy.allow_from is None:
        return Decision(AdmissionOutcome.RUN, "open", policy.source("dmPolicy"))
    listed = _match(policy, policy.allow_from or (), sender)
    if listed is True:
        return Decision(AdmissionOutcome.RUN, "listed", policy.source("allowFrom"))
    if person is not None and person.admits(sender):
        return Decision(AdmissionOutcome.RUN, "paired", "channels.pairing.approve")
    if person is not None and person.state == "allowed":
        return Decision(AdmissionOutcome.DROP, "unverified", "channels.pairing.approve")
    if policy.dm == "pairing" and listed is not None:
        return Decision(AdmissionOutcome.PAIR, "unknown-sender", policy.source("dmPolicy"))
    if listed is None:
        return Decision(AdmissionOutcome.DROP, "unverified", policy.source("allowFrom"))
    field = "dmPolicy" if policy.allow_from is None else "allowFrom"
    return Decision(AdmissionOutcome.DROP, "dm-not-listed", policy.source(field))


def _in_group(policy: AccessPolicy, message: Inbound) -> Decision:
    if policy.group == "disabled":
        return Decision(AdmissionOutcome.DROP, "group-disabled", policy.source("groupPolicy"))
    rules, source = _rules(policy, message)
    if rules is None:
        return Decision(AdmissionOutcome.DROP, "group-not-listed", source)
    if not all(rule.enabled for rule in rules):
        return Decision(AdmissionOutcome.DROP, "group-off", source)
    refused = _refused_sender(policy, rules, message)
    if refused is not None:
        field, reason = refused
        return Decision(AdmissionOutcome.DROP, reason, field or source)
    asked = next((each.require_mention for each in rules if each.require_mention is not None), True)
    if asked and not message.addressed:
        return Decision(AdmissionOutcome.CONTEXT, "no-mention", f"{source}: requireMention")
    return Decision(AdmissionOutcome.RUN, "group", source)


def _rules(policy: AccessPolicy, message: Inbound) -> tuple[list[GroupRule] | None, str]:
    """Return the rules for the chat of a message, the innermost first.

    ``None``: the group is not listed, and must be. The other result is where that is configured.
    """
    listed = policy.source(policy.groups_field)
    if policy.by_server:
        group, rooms = str(message.meta.get("guild", "")), [message.chat.id]
    else:
        group, rooms = message.chat.id, []
    name, rule = _looked_up(policy, policy.groups, group)
    if rule is None:
        if policy.group == "open":
            return [], policy.source("groupPolicy")
        return None, listed if policy.groups else policy.source("groupPolicy")
    source = f"{listed}.{name}"
    found = [rule]
    for room in rooms if rule.rooms else ():
        inner, inside = _looked_up(policy, rule.rooms, room)
        if inside is None:
            return None, f"{source}.channels"
        found.insert(0, inside)
        source = f"{source}.channels.{inner}"
    return found, source


def _looked_up(
    policy: AccessPolicy, rules: dict[str, GroupRule], id: str
) -> tuple[str, GroupRule | None]:
    for name, rule in rules.items():
        if name != EVERYONE and _same(policy, name, id):
            return name, rule
    return EVERYONE, rules.get(EVERYONE)


def _refused_sender(
    policy: AccessPolicy, rules: list[GroupRule], message: Inbound
) -> tuple[str, str] | None:
    """Return the configuration line that forbids the sender to talk in the group, and the reason.

    ``""`` is the place of the rules. The innermost list that is set decides alone.
    """
    given = message.meta.get("roles")  # of any type: a plugin, or its user, sets it
    roles = {str(each) for each in given} if isinstance(given, list) else set()
    for rule in rules:
        if rule.users is None and rule.roles is None:
            continue
        listed = _match(policy, rule.users or (), message.sender)
        if listed is True or roles.intersection(rule.roles or ()):
            return None
        return "", "sender-not-listed" if listed is False else "unverified"
    if policy.group_allow_from is None:
        return None
    listed = _match(policy, policy.group_allow_from, message.sender)
    if listed is True:
        return None
    reason = "sender-not-listed" if listed is False else "unverified"
    return policy.source("groupAllowFrom"), reason


def _match(policy: AccessPolicy, entries: Iterable[str], sender: Sender) -> bool | None:
    """Return whether a sender is listed; ``None``: only if the platform verified the id."""
    forged = False
    for entry, unverified in _read(entries):
        if entry == EVERYONE:
            return True
        if _same(policy, entry, sender.id):
            if sender.verified or unverified:
                return True
            forged = True
    return None if forged else False


def _read(entries: Iterable[str]) -> Iterator[tuple[str, bool]]:
    for entry in entries:
        if entry.startswith(UNVERIFIED):
            yield entry[len(UNVERIFIED) :], True
        else:
            yield entry, False


def _same(policy: AccessPolicy, one: str, other: str) -> bool:
    return policy.same_for(one) == policy.same_for(other)
