"""Decides about each message by the policy of its account, and counts the decisions.

What is known of people is read from the journal once for each account and kept here; what changes
goes into the journal as records of the account.
"""

from __future__ import annotations

import secrets
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec
import structlog

from ipc.epoch import now_ms
from runtime.config.access_policy import AccessPolicy
from runtime.config.patterns import Matcher, matcher_of
from runtime.gateway.access_policy.admit import REASONS, AdmissionOutcome, Decision, admit
from runtime.gateway.access_policy.pairing import (
    CODE_LENGTH,
    CODE_LETTERS,
    forgotten,
    invitation,
    new_request,
)
from runtime.gateway.access_policy.recent_counts import RecentCounts, RecentReasons
from runtime.gateway.journal.interface import Journal
from runtime.gateway.journal.people import PeopleChanged, Person
from runtime.gateway.journal.waiting import store_record
from workers.messages import Inbound, Outbound

NOBODY = AccessPolicy()  # of an account of which nothing has been reported yet
FIRMNESS = ("forgotten", "pending", "allowed", "blocked")  # of two spellings the last counts
SEEN_MS = 60_000  # between two records of when a person who waits has written

log = structlog.get_logger("gateway.access")


class Ruling(NamedTuple):
    """A decision, with the ``invitation`` to send to a stranger and the ``people`` to store."""

    decision: Decision
    invitation: Outbound | None = None
    people: Sequence[Person] = ()


class Gatekeeper:
    """The policies of all accounts by key, and the people who are known to each.

    ``journal()`` returns the journal once it is open, ``flush_soon`` ends the loop's turn.
    ``label(key)`` is what the account's channel is called. ``counts`` has by key how often there
    was each outcome and reason, ``dropped`` why messages were dropped in the last 24 hours.
    """

    def __init__(
        self,
        journal: Callable[[], Journal | None],
        flush_soon: Callable[[], None],
        label: Callable[[str], str],
    ) -> None:
        self._journal = journal
        self._flush_soon = flush_soon
        self._label = label
        self._policies: dict[str, AccessPolicy] = {}
        self._people: dict[str, dict[str, Person]] = {}
        self._forgotten = 0  # accounts so far
        self._matchers: dict[str, Matcher | None] = {}
        self.counts: defaultdict[str, Counter[tuple[AdmissionOutcome, str]]] = defaultdict(Counter)
        self.dropped = RecentCounts()
        self.reasons = RecentReasons()

    def configure(self, policies: Mapping[str, AccessPolicy]) -> None:
        """Replace all policies, from the next message on."""
        for key, policy in policies.items():
            if policy.mentions != self.policy_of(key).mentions:
                self._matchers[key] = matcher_of(policy.mentions)
        self._policies = dict(policies)
        for key, people in self._people.items():
            self._people[key] = self._by_id(key, people.values())

    def policy_of(self, key: str) -> AccessPolicy:
        """Return the policy of an account; an unknown account admits nobody."""
        return self._policies.get(key, NOBODY)

    def has_policy(self, key: str) -> bool:
        """Return whether the policy of an account has been reported."""
        return key in self._policies

    async def people_of(self, key: str) -> dict[str, Person]:
        """Return the stored people of an account, loaded from the journal if needed.

        They are by their ids, all spellings of one being the same: ``person`` finds one.
        """
        known = self._people.get(key)
        if known is None:
            journal = self._journal()
            if journal is None:
                return {}
            forgotten = self._forgotten
            found = self._by_id(key, await journal.people(key))
            if forgotten != self._forgotten:
                return found  # the account may have been removed meanwhile: nothing of it is kept
            known = self._people.setdefault(key, found)
        return known

    def rule(self, key: str, message: Inbound) -> Ruling:
        """Decide about a message, and count it. ``people_of`` has been awaited for the account."""
        decision = self.decide(key, message)
        ruling = Ruling(decision)
        if decision.outcome is AdmissionOutcome.PAIR:
            person = self.person(key, message.sender.id)
            ruling = self._decide_request(key, person, message, decision)
        self._count(key, ruling.decision, message)
        return ruling

    def recount(self, key: str, counted: Decision, now: Decision, message: Inbound) -> None:
        """Replace the counted decision about a message by its final outcome."""
        self.counts[key][counted.outcome, counted.reason] -= 1
        self._count(key, now, message)

    def decide(self, key: str, message: Inbound) -> Decision:
        """Return the decision about a message without counting it."""
        person = self.person(key, message.sender.id)
        matcher = self._matchers.get(key)
        if matcher is not None and not message.addressed and matcher(message.text):
            message = msgspec.structs.replace(message, addressed=True)
        return admit(self.policy_of(key), person, message)

    def person(self, key: str, sender: str) -> Person | None:
        """Return the record of a sender, in any spelling of the id."""
        return self._people.get(key, {}).get(self.policy_of(key).same_for(sender))

    def unchanged(self, key: str, people: Iterable[Person]) -> list[Person]:
        """Return those of ``people`` whose records have not changed meanwhile.

        What was is in the journal already, and must not be followed there by what was before.
        """
        found = []
        for each in people:
            now = self.person(key, each.sender)
            gone = now is None or now.sender != each.sender  # it stands there as it was spelt
            if gone if each.state == "forgotten" else now == each:
                found.append(each)
        return found

    def append_person(self, key: str, person: Person) -> None:
        """Change a person's record in memory, and append it to the journal."""
        self._remember(key, person)
        journal = self._journal()
        if journal is not None:
            journal.append(PeopleChanged(key, [person]))
            self._flush_soon()

    async def store_person(self, key: str, person: Person) -> None:
        """Store what an operator has decided about a person; return once that is done.

        It counts at once. Raises ``RemoteError`` while nothing can be stored: a restart before
        there is room would forget it.
        """
        self._remember(key, person)
        journal = self._journal()
        if journal is not None:
            await store_record(journal, PeopleChanged(key, [person]), self._flush_soon)

    def figures(self, key: str) -> dict[str, dict[str, int]]:
        """Return the counts of reasons by outcome."""
        found: dict[str, dict[str, int]] = {}
        for (outcome, reason), count in sorted(self.counts.get(key, {}).items()):
            if count:
                found.setdefault(outcome, {})[reason] = count
        return found

    def forget(self, key: str) -> None:
        """Drop a removed account from memory; the journal keeps the people whom it admitted."""
        self._forgotten += 1
        self._policies.pop(key, None)
        self._matchers.pop(key, None)
        self._people.pop(key, None)
        self.counts.pop(key, None)
        self.dropped.forget(key)

    def _decide_request(
        self, key: str, before: Person | None, message: Inbound, decision: Decision
    ) -> Ruling:
        people = self._people.get(key, {})
        now = now_ms()
        code = "".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_LENGTH))
        found = new_request(before, people.values(), message, now, secrets.token_hex(16), code)
        if isinstance(found, Person):
            late = [
                forgotten(each)
                for each in people.values()
                if each.is_late(now) or (each is before and each.sender != found.sender)
            ]
            for each in (*late, found):
                self._remember(key, each)
            text = invitation(self._label(key), key, found)
            outbound = Outbound(
                to=message.chat.id,
                text=text,
                key=f"pairing:{found.id}",
                thread=message.thread,
                markup="markdown",
            )
            return Ruling(decision, outbound, [*late, found])
        if found == "waits" and before is not None and now - before.seen >= SEEN_MS:
            self.append_person(key, msgspec.structs.replace(before, seen=now))
        return Ruling(Decision(AdmissionOutcome.DROP, found, decision.source))

    def _remember(self, key: str, person: Person) -> None:
        people = self._people.setdefault(key, {})
        same = self.policy_of(key).same_for(person.sender)
        if person.state == "forgotten":
            people.pop(same, None)
        else:
            people[same] = person

    def _by_id(self, key: str, people: Iterable[Person]) -> dict[str, Person]:
        policy = self.policy_of(key)
        firmest_last = sorted(people, key=lambda each: FIRMNESS.index(each.state))
        return {policy.same_for(each.sender): each for each in firmest_last}

    def _count(self, key: str, decision: Decision, message: Inbound) -> None:
        counts = self.counts[key]
        known = decision.outcome, decision.reason
        counts[known] += 1
        if decision.outcome is not AdmissionOutcome.DROP:
            return
        self.dropped.add(key, decision.reason, now_ms())
        if message.id is not None:
            self.reasons.add(key, message.id, decision.reason)
        if counts[known] == 1:
            log.info(
                "messages are not answered",
                account=key,
                sender=message.sender.id,
                chat=message.chat.id,
                reason=REASONS[decision.reason],
                configured=decision.source,
            )
