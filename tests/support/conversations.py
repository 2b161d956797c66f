"""Runs, sessions and transcripts for tests."""

from __future__ import annotations

import time
from typing import Any

from runtime.gateway.journal.conversations import Session, TranscriptEntry
from runtime.gateway.journal.runs import ReplyTarget, Run, RunOrigin, RunRequest
from tests.support.journals import KEY
from workers.messages import Chat, Sender

NOW = int(time.time() * 1000)  # what is old is forgotten at once
TALK = "agent:echo:irc:libera:direct:ada"


def asked(id: str, text: str = "hello", **fields: Any) -> Run:
    """Return a run for a message of ada to the account of the tests."""
    origin = RunOrigin(KEY, "ada", message=f"m-{id}", sender="ada")
    request = RunRequest(text, sender=Sender("ada"), chat=Chat("ada", "direct"))
    usual: dict[str, Any] = {"session": TALK, "origin": origin, "request": request}
    usual |= {"agent": "echo", "reply": ReplyTarget(KEY, "ada")}
    return Run(id, **usual | fields)


def talk(key: str = TALK, **fields: Any) -> Session:
    """Return a session of the agent ``echo``."""
    more: dict[str, Any] = {"agent": "echo", "id": "s1", "updated": NOW} | fields
    return Session(key, **more)


def said(*texts: str, **fields: Any) -> list[TranscriptEntry]:
    """Return entries: what a person asks, what the agent answers, and so on in turn."""
    found = []
    for number, text in enumerate(texts, 1):
        more = {"at": NOW + number} | fields
        found.append(TranscriptEntry("user" if number % 2 else "assistant", text, **more))
    return found
