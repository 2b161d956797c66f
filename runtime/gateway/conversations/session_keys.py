"""Builds the keys of conversations from the origins of messages, and parses them. Pure.

The forms are OpenClaw's, because keys stand in URLs and scripts:

    agent:<agent>:main                                      dmScope main
    agent:<agent>:direct:<peer>                             per-peer
    agent:<agent>:<channel>:direct:<peer>                   per-channel-peer
    agent:<agent>:<channel>:<account>:direct:<peer>         per-account-channel-peer
        … :thread:<chat>:<thread>                           a thread in any of these
    agent:<agent>:<channel>:group|channel:<id>              a group, a room of a server
    agent:<agent>:<channel>:<account>:group|channel:<id>    the same, of an account with a name
        … :topic|thread:<id>                                a topic of Telegram, a thread elsewhere
    agent:<agent>:cron:<job>[:run:<id>]   hook   openai   openai-user   openresponses
    openresponses-user   dashboard   explicit   acp-bridge   subagent   with one id each
    agent:<agent>:<anything else>                           a client's own name

OpenClaw has no account in the keys of groups. Two networks may have a ``#help`` each, so here only
the account ``default`` goes without, or every one where ``session.groupScope`` is ``per-channel``.

An id stands there as it is, with these exceptions, by which different ids stay different: ``:``,
``%``, white space, control characters and what is not ASCII become ``%XX`` of UTF-8. So does the
first letter of an id that is a word of the forms above, that begins with ``~``, or that is a name
of ``session.identityLinks`` and belongs to another person than the one who is meant by it. ``~``
stands before an id for which the platform does not vouch. An id that is empty is ``%-``; one that
would be longer than 90 characters is ``%~`` and its SHA-256. Keys have 512 characters at most.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal, get_args
from urllib.parse import unquote_to_bytes

import msgspec
from msgspec.structs import replace

from runtime.config.access_policy import UNVERIFIED
from runtime.config.sessions import KEY_WORDS, NamedKind, PeerKind, SessionConfig
from runtime.gateway.conversations.origins import Origin
from workers.registry import ID, ID_RULE

SessionKind = Literal["main", "custom"] | PeerKind | NamedKind

MAX_KEY = 512  # characters, as in OpenClaw's schema of chat.send
MAX_TOKEN = 90
DEFAULT_ACCOUNT = "default"
MAIN = "main"  # an agent's main session, and OpenClaw's name of the default agent
KINDS: dict[str, NamedKind] = {kind: kind for kind in get_args(NamedKind)}
# Sessions of the gateway's own: requests over HTTP may not name them.
RESERVED = frozenset({"cron", "subagent", "acp", "acp-bridge"})
TOPICS = frozenset({"telegram"})  # channels whose threads are called topics
_CHATS: dict[str, PeerKind] = {kind: kind for kind in get_args(PeerKind)}
_PLAIN = frozenset(range(0x21, 0x7F)) - {ord(":"), ord("%")}
_EMPTY = "%-"
_DIGEST = "%~"


class BadSessionKey(ValueError):
    """An invalid session key; the text is for the client that sent it."""


class SessionParts(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a session key.

    ``id`` is that of the peer, group, job or user, or a client's own name. One that was too long
    is what stands for it. ``run`` is a run of a cron job. ``chat`` is that of a ``thread`` in a
    direct chat.
    """

    kind: SessionKind
    agent: str
    id: str = ""
    channel: str | None = None
    account: str | None = None
    verified: bool = True
    chat: str | None = None
    thread: str | None = None
    run: str | None = None


class SessionKeys:
    """Builds the keys of conversations by ``session`` of the configuration."""

    def __init__(self, config: SessionConfig) -> None:
        self._dm = config.dm_scope
        self._account_of_groups = config.group_scope == "per-account"
        self._names = frozenset(config.identity_links)
        self._links: dict[str, list[tuple[str, str]]] = {}
        for name, entries in config.identity_links.items():
            for entry in entries:
                channel = entry.removeprefix(UNVERIFIED).partition(":")[0]
                self._links.setdefault(channel, []).append((entry, name))

    def key_of(self, agent: str, origin: Origin) -> str:
        """Return the key of the conversation between an agent and the author of a message."""
        if origin.kind == "direct":
            return self._direct(agent, origin)
        place = [_token(origin.channel)]
        if self._account_of_groups and origin.account != DEFAULT_ACCOUNT:
            place.append(_token(origin.account))
        chat = _token(origin.same_for(origin.chat))
        parts = [*place, origin.kind, chat]
        if origin.thread is not None:
            word = "topic" if origin.channel in TOPICS else "thread"
            parts += [word, _token(origin.thread)]
        return _key(agent, parts)

    def linked(self, origin: Origin) -> str | None:
        """Return the name to which the author is linked by ``session.identityLinks``."""
        links = self._links.get(origin.channel, ())
        return next((name for entry, name in links if origin.is_person(entry)), None)

    def _direct(self, agent: str, origin: Origin) -> str:
        if self._dm == "main":
            parts = ["main"]
        else:
            parts = ["direct", self._person(origin)]
            if self._dm == "per-channel-peer":
                parts = [_token(origin.channel), *parts]
            elif self._dm == "per-account-channel-peer":
                parts = [_token(origin.channel), _token(origin.account), *parts]
        if origin.thread is not None:
            chat = _token(origin.same_for(origin.chat))
            parts += ["thread", chat, _token(origin.thread)]
        return _key(agent, parts)

    def _person(self, origin: Origin) -> str:
        name = self.linked(origin)
        if name is not None:
            return _token(name)
        peer = origin.same_for(origin.peer)
        return _token(peer, self._names) if origin.verified else "~" + _token(peer)


def main_key(agent: str) -> str:
    """Return the key of an agent's main session."""
    return _key(agent, ["main"])


def named_key(agent: str, kind: NamedKind, id: str, *, run: str | None = None) -> str:
    """Return the key of a session that does not come from a chat; ``run`` is one of a cron job."""
    more = [] if run is None else ["run", _token(run)]
    return _key(agent, [kind, _token(id), *more])


def client_key(given: str, default_agent: str, *, main: str = MAIN) -> str:
    """Return the full key for one from a client: a bare key belongs to the default agent.

    ``main`` is the agent whose main session clients of OpenClaw call ``agent:main:main``. Raises
    ``BadSessionKey``, also for a key that names an impossible agent.
    """
    text = given.strip()
    if not text:
        raise BadSessionKey("the session key is empty; allowed: a name, or agent:<agent>:<name>")
    if not text.isprintable() or any(map(str.isspace, text)):
        raise BadSessionKey("the session key has white space or control characters in it")
    agent, rest = default_agent, text
    if text.startswith("agent:"):
        _, agent, rest = (*text.split(":", 2), "")[:3]
    if not ID.match(agent):
        raise BadSessionKey(f"the session is one of an impossible agent; allowed: {ID_RULE}")
    if not rest:
        raise BadSessionKey(f"the session key names no session of the agent {agent}")
    key = f"agent:{agent}:{rest}"
    if len(key) > MAX_KEY:
        raise BadSessionKey(f"the session key is too long; allowed: {MAX_KEY} characters")
    return main_key(main) if key == main_key(MAIN) else key


def is_reserved(key: str) -> bool:
    """Return whether HTTP requests may not name this key, bare or full."""
    parts = key.strip().split(":")
    names = parts[2:] if parts[0] == "agent" else parts
    return len(names) > 1 and names[0] in RESERVED


def agent_of(key: str) -> str:
    """Return the agent to which a key belongs. Raises ``BadSessionKey``."""
    return parts_of(key).agent


def kind_of(key: str) -> str:
    """Return what a session key is of; ``custom`` for one that does not begin with an agent."""
    try:
        return parts_of(key).kind
    except BadSessionKey:
        return "custom"


def parts_of(key: str) -> SessionParts:
    """Return the parts of a key; a key of any other form is ``custom``.

    Raises ``BadSessionKey`` for one that does not begin with an agent.
    """
    start, _, rest = key.partition(":")
    agent, _, name = rest.partition(":")
    if start != "agent" or not agent or not name:
        raise BadSessionKey("the session key is not agent:<agent>:<name>")
    tokens = name.split(":")
    found = _named(agent, tokens) or _conversation(agent, tokens)
    return found or SessionParts(kind="custom", agent=agent, id=name)


def classification(parts: SessionParts) -> str:
    """Return the word for a session in rows of ``sessions.list``."""
    match parts.kind:
        case "main" | "direct" | "cron" | "hook" | "subagent":
            return parts.kind
        case "group" | "channel":
            return "group"
    return "custom"


def _named(agent: str, tokens: Sequence[str]) -> SessionParts | None:
    kind = KINDS.get(tokens[0])
    if kind is None or len(tokens) < 2:
        return None
    parts = SessionParts(kind=kind, agent=agent, id=_text(tokens[1]))
    if len(tokens) == 2:
        return parts
    if kind == "cron" and len(tokens) == 4 and tokens[2] == "run":
        return replace(parts, run=_text(tokens[3]))
    return None


def _conversation(agent: str, tokens: Sequence[str]) -> SessionParts | None:
    """Split a conversation's key into the place, the kind, the id and an optional thread."""
    if tokens[0] == "main":
        thread = _thread("direct", tokens[1:])
        return thread and SessionParts(kind="main", agent=agent, chat=thread[0], thread=thread[1])
    at = next((at for at, each in enumerate(tokens[:3]) if each in _CHATS), None)
    if at is None or len(tokens) < at + 2:
        return None
    kind, place = _CHATS[tokens[at]], [_text(each) for each in tokens[:at]]
    if not place and kind != "direct":
        return None
    thread = _thread(kind, tokens[at + 2 :])
    if thread is None:
        return None
    token = tokens[at + 1]
    verified = not (kind == "direct" and token.startswith("~"))
    return SessionParts(
        kind=kind,
        agent=agent,
        id=_text(token if verified else token[1:]),
        channel=place[0] if place else None,
        account=place[1] if len(place) == 2 else None,
        verified=verified,
        chat=thread[0],
        thread=thread[1],
    )


def _thread(kind: str, tokens: Sequence[str]) -> tuple[str | None, str | None] | None:
    """Return chat and thread from the part after an id; ``None`` if it is neither."""
    if not tokens:
        return None, None
    if kind == "direct" and len(tokens) == 3 and tokens[0] == "thread":
        return _text(tokens[1]), _text(tokens[2])
    if kind != "direct" and len(tokens) == 2 and tokens[0] in ("topic", "thread"):
        return None, _text(tokens[1])
    return None


def _key(agent: str, tokens: Sequence[str]) -> str:
    return ":".join(["agent", agent, *tokens])


def _token(id: str, taken: frozenset[str] = frozenset()) -> str:
    """Return an id encoded for a key. ``taken`` are ids that have another meaning there."""
    if not id:
        return _EMPTY
    raw = id.encode("utf-8", "surrogatepass")
    marked = id in KEY_WORDS or id in taken or id.startswith("~")
    written = "".join(
        chr(byte) if byte in _PLAIN and not (marked and at == 0) else f"%{byte:02X}"
        for at, byte in enumerate(raw)
    )
    if len(written) <= MAX_TOKEN:
        return written
    return _DIGEST + hashlib.sha256(raw).hexdigest()


def _text(token: str) -> str:
    """Decode ``token`` of a key to its id; the hash of a long id is returned as it is."""
    if token == _EMPTY:
        return ""
    if token.startswith(_DIGEST):
        return token
    return unquote_to_bytes(token).decode("utf-8", "replace")
