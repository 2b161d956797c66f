"""Decides which stored data belongs to a person, and what remains of it. Pure.

A person's are the messages that the person wrote, all of the direct chats with the person, and what
was sent to those. Each frame keeps its number, its time and its direction, so that nothing is
missing for clients that count; ids by which messages are known again are kept elsewhere. Of runs
their ids stay, and nothing of transcripts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from ipc.frames.data import ADDRESSED
from ipc.media import media_id
from ipc.nesting import decode_json
from runtime.gateway.journal.conversations import Session
from runtime.gateway.journal.runs import Run

FORGOTTEN = "forgotten"  # stands for ids that are no more
KEPT = ("account", "channel", "accountId", "direction", "cursor", "skips", "redelivered")

RemoveFiles = Callable[[Mapping[str, Collection[str]]], object]  # by the ids of each account

_encode = msgspec.json.Encoder().encode


def keep_files(files: Mapping[str, Collection[str]]) -> None:
    """Remove no files: the default ``RemoveFiles``."""


class Forgotten(msgspec.Struct):
    """What was erased of a person. It counts frames, sends, runs that have ended, entries of
    transcripts and whole sessions. ``files`` are the ids of stored files by account. ``cleaned``:
    the journal's file does not keep it in its unused parts either.
    """

    messages: int = 0
    sends: int = 0
    runs: int = 0
    entries: int = 0
    sessions: int = 0
    files: dict[str, list[str]] = {}
    cleaned: bool = True


def direct_chat(payload: bytes, sender: str) -> str | None:
    """Return the direct chat in which a frame shows the person as its sender."""
    if not payload:
        return None  # it was redacted, and nothing of it remains
    body = _body(decode_json(payload, dict[str, Any]))
    chat = body.get("chat") or {}
    mine = (body.get("sender") or {}).get("id") == sender
    return str(chat.get("id")) if mine and chat.get("kind") == "direct" else None


def erased(
    payload: bytes, flags: int, sender: str, chats: Collection[str]
) -> tuple[bytes, int, list[str]] | None:
    """Return what remains of a frame, its flags and the ids of its files; ``None``: all of it.

    ``chats`` are the direct chats with the person.
    """
    if not payload:
        return None
    event = decode_json(payload, dict[str, Any])
    body = _body(event)
    chat = body.get("chat") or {}
    where = chat.get("id", body.get("to"))
    direct = where in chats and chat.get("kind", "direct") == "direct"
    if (body.get("sender") or {}).get("id") != sender and not direct:
        return None
    left: dict[str, Any] = {"ts": body.get("ts", 0)}
    if "chat" in body:
        left["chat"] = {"id": FORGOTTEN, "kind": chat.get("kind", "direct")}
    kept = {name: event[name] for name in KEPT if name in event}
    if "message" in event:
        left |= {"id": FORGOTTEN, "text": ""}
        left |= {"sender": {"id": FORGOTTEN}} if "sender" in body else {"to": FORGOTTEN, "key": ""}
        kept["message"] = left
    else:
        kept["happened"] = left | {"kind": body.get("kind", "chat")}
    return _encode(kept), flags & ~ADDRESSED, list(files_of(body))


def is_run_of(run: Run, sender: str, chats: Collection[str]) -> bool:
    """Return whether a run that has ended is of a person, and not erased yet."""
    origin = run.origin
    return not run.is_open and (origin.sender == sender or origin.chat in chats)


def erased_run(run: Run) -> Run:
    """Return what remains of a run: its id is known again, and how it ended."""
    return Run(run.id, FORGOTTEN, run.agent, state=run.state, at=run.at, ended=run.ended)


def is_routed_to(session: Session, key: str, chats: Collection[str]) -> bool:
    """Return whether a session was last spoken in one of these chats of an account."""
    return session.account == key and session.to in chats


def unrouted(session: Session) -> Session:
    """Return a session without the chat of its last message, and without its summary."""
    return replace(session, channel="", account="", to="", thread=None, summary="")


def unsummarised(session: Session) -> Session:
    """Return a session without its summary. In a summary the words of one person cannot be
    separated from those of others.
    """
    return replace(session, summary="")


def files_of(message: dict[str, Any]) -> Iterator[str]:
    """Yield the ids of the stored files of a message, as JSON has it."""
    for each in message.get("attachments") or ():
        found = media_id(str(each.get("url", "")))
        if found is not None:
            yield found


def _body(event: dict[str, Any]) -> dict[str, Any]:
    found = event.get("message") or event.get("happened") or {}
    return found if isinstance(found, dict) else {}
