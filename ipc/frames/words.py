"""Defines constants that both ends of a link share: error codes, exit codes, phases. Pure.

Error codes are used in ``ErrorShape.code``; exit codes follow sysexits(3).
"""

from __future__ import annotations

import re
from enum import StrEnum, auto

INVALID_REQUEST = "INVALID_REQUEST"  # the request is wrong: sent again it fails again
UNAVAILABLE = "UNAVAILABLE"  # the request is right, and cannot be carried out now
NOT_PAIRED = "NOT_PAIRED"  # an operator must approve the device first
NOT_LINKED = "NOT_LINKED"  # the account waits for a person who logs it in
FORBIDDEN = "FORBIDDEN"  # a scope is missing, or only the host itself may do it
NOT_CONNECTED = "NOT_CONNECTED"  # in the details of an error: of a node

CHANNEL_EVENTS = "channel-events"  # the capability that subscribes to all of our own events

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")  # of a channel, an account, an agent

AGENT = "agent"  # before the colon in the key of an agent: no channel can be called so

LONGEST_PROMPT = 8192  # characters of what a login shows: a QR code holds 4296 at most
LONGEST_ANSWER = 8192  # characters of what a person answers: a text, or the address of a page
LONGEST_SENTENCE = 1000  # characters of one sentence in a frame

# Of the frames between the processes of the daemon. Where both numbers are the same, two releases
# understand each other: the second grows with every frame or field that the other must know.
WIRE = "1.1"

EXIT_OK = 0
EXIT_ERROR = 1  # of an error that has no code of its own
EXIT_TEMPORARY = 75  # EX_TEMPFAIL: trying again can help
EXIT_NEEDS_LOGIN = 77  # EX_NOPERM: a person must log in
EXIT_CONFIG = 78  # EX_CONFIG: a person must correct the configuration
EXIT_UNKNOWN = 255  # stands where the real code is not known


class Phase(StrEnum):
    """Where a child is in its lifecycle."""

    STOPPED = auto()
    STARTING = auto()
    RUNNING = auto()
    STOPPING = auto()
    BACKOFF = auto()
    FAILED = auto()


JOURNAL_FULL = "journal full"  # the fault of a journal whose disk has no room
ALIVE = frozenset({Phase.STARTING, Phase.RUNNING, Phase.STOPPING})  # there is a process


def agent_key(agent: str) -> str:
    """Return the key of an agent's worker."""
    return f"{AGENT}:{agent}"


def is_agent(key: str) -> bool:
    """Return whether a worker's key is that of an agent (``agent:<id>``), not of an account."""
    return key.startswith(f"{AGENT}:")


def command_for(key: str, verb: str) -> str:
    """Return the command line that does ``verb`` (``describe``, ``start``) to a worker's key."""
    if is_agent(key):
        return f"trunkline agents {verb} {key.removeprefix(f'{AGENT}:')}"
    return f"trunkline channels {verb} {key}"
