"""Decides about people who ask to be admitted, and makes their records. Pure.

A stranger who writes to an account gets a code, once, and its owner approves that code. It is
valid for an hour; no more than three strangers wait at an account, so that a crowd costs nothing,
and one of the three places is for those for whom the platform vouches.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from runtime.gateway.journal.people import Person
from workers.messages import Inbound

CODE_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # none that look alike: no 0 O 1 I
CODE_LENGTH = 8
MAX_PENDING = 3
MAX_UNVERIFIED = 2  # of these: names cost nothing, and must not keep everybody else from asking
MAX_NAME = 200  # characters that are kept of what a stranger is called


def new_request(
    before: Person | None, people: Iterable[Person], message: Inbound, now: int, id: str, code: str
) -> Person | Literal["waits", "full"]:
    """Return the new request of a stranger, or why there is none.

    ``before`` is what is known of the sender, ``people`` is everybody. Whoever the platform vouches
    for takes the place of a request that somebody else has made under that name.
    """
    sender = message.sender
    if before is not None and before.waits(now) and before.verified >= sender.verified:
        return "waits"
    others = [each for each in people if each.waits(now) and each != before]
    unverified = sum(not each.verified for each in others)
    if len(others) >= MAX_PENDING or (not sender.verified and unverified >= MAX_UNVERIFIED):
        return "full"
    return Person(
        sender.id,
        id=id,
        code=code,
        chat=message.chat.id,
        name=(sender.name or "")[:MAX_NAME],
        verified=sender.verified,
        created=now,
        seen=now,
    )


def with_code(people: Iterable[Person], code: str, now: int) -> Person | None:
    """Return the open request with this code, ignoring differences of typing."""
    wanted = code.strip().replace("-", "").replace(" ", "").upper()
    return next((each for each in people if each.waits(now) and each.code == wanted), None)


def with_id(people: Iterable[Person], id: str, now: int) -> Person | None:
    """Return the open request with this id."""
    return next((each for each in people if each.waits(now) and each.id == id), None)


def approved(person: Person, now: int) -> Person:
    """Return the record of a person whose request was granted."""
    return msgspec.structs.replace(person, state="allowed", code="", created=now)


def blocked(sender: str, before: Person | None, now: int) -> Person:
    """Return the record of a blocked person."""
    person = before or Person(sender)
    return msgspec.structs.replace(person, state="blocked", code="", created=now)


def forgotten(person: Person) -> Person:
    """Return the record that removes a person, who may then ask again."""
    return Person(person.sender, "forgotten")


def invitation(label: str, account: str, person: Person) -> str:
    """Return the message with the code, in Markdown."""
    channel = account.partition(":")[0]
    return (
        f"This account answers only people whom its owner has approved.\n\n"
        f"Your {label} id: `{person.sender}`\n\n"
        f"Pairing code:\n\n```\n{person.code}\n```\n\n"
        f"Its owner can approve you with:\n\n"
        f"```\ntrunkline pairing approve {channel} {person.code}\n```"
    )
