"""Validates requests to ``/hooks/wake`` and ``/hooks/agent``. Pure.

The texts of errors are OpenClaw's, which programs compare. Unlike there an unknown ``mode`` is an
error, and so is an option of a wrong type: neither is guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from ipc.nesting import MALFORMED, decode_json
from runtime.config.timers import HooksConfig
from runtime.gateway.conversations.session_keys import MAIN

MAX_BODY_BYTES = 256 * 1024
MAX_KEY = 512  # characters of a session key or an idempotency key
MODES = ("now", "next-heartbeat")
PREFIX = "hook:"  # of the sessions that requests may name; OpenClaw's
ANY = "*"
LAST = "last"  # the chat that the session was last used from
WakeMode = Literal["now", "next-heartbeat"]


class BadHook(Exception):
    """A request is refused: the status and the error of the answer."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error

    def body(self) -> bytes:
        """Return the body of the answer."""
        return msgspec.json.encode({"ok": False, "error": self.error})


class HookRules(msgspec.Struct, frozen=True):
    """The permissions of hooks.

    ``agents`` are those that exist, ``channels`` those that can deliver; ``prefixes`` are how a
    session key must begin; ``request_keys``: whether a request may name one. ``main`` is the
    agent that is meant by that name. ``accounts`` are the keys of those that exist.
    """

    agents: frozenset[str]
    channels: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ("hook:",)
    request_keys: bool = True
    main: str = MAIN
    accounts: tuple[str, ...] = ()


class HookWake(msgspec.Struct, frozen=True):
    """An event for the main session of an agent; ``mode``: a turn now, or with the next turn."""

    text: str
    mode: WakeMode = "now"
    agent: str | None = None
    session: str | None = None


class HookAgent(msgspec.Struct, frozen=True):
    """A turn of an agent; ``deliver``: its answer goes to ``channel``, ``to``.

    ``timeout`` is in seconds, ``wait``: the request is answered when it has ended, ``key`` is that
    of its idempotency.
    """

    message: str
    name: str = "Hook"
    agent: str | None = None
    session: str | None = None
    deliver: bool = True
    channel: str = LAST
    to: str | None = None
    account: str | None = None
    model: str | None = None
    thinking: str | None = None
    timeout: float | None = None
    wait: bool = False
    key: str | None = None


def rules_of(
    config: HooksConfig, agents: Iterable[str], accounts: Iterable[str], main: str = MAIN
) -> HookRules:
    """Return the permissions of hooks by the configuration, with these agents and accounts.

    ``main`` is the agent that is meant by that name.
    """
    listed, known = config.allowed_agent_ids, tuple(accounts)
    allowed = None if listed is None or ANY in listed else {_meant(each, main) for each in listed}
    return HookRules(
        agents=frozenset(each for each in agents if allowed is None or each in allowed),
        main=main,
        channels=tuple(dict.fromkeys(each.partition(":")[0] for each in known)),
        accounts=known,
        prefixes=tuple(config.allowed_session_key_prefixes or (PREFIX,)),
        request_keys=config.allow_request_session_key,
    )


def read_body(data: bytes) -> dict[str, Any]:
    """Parse the JSON object of a body (default: an empty one); raises ``BadHook``."""
    if len(data) > MAX_BODY_BYTES:
        raise BadHook(413, "payload too large")
    if not data.strip():
        return {}
    try:
        found = decode_json(data)
    except MALFORMED:
        raise BadHook(400, "the body is no JSON") from None
    if not isinstance(found, dict):
        raise BadHook(400, "the body is no JSON object")
    return found


def wake_of(body: Mapping[str, Any], rules: HookRules) -> HookWake:
    """Parse a request to ``/hooks/wake``; raises ``BadHook``."""
    text = _required(body, "text")
    mode = body.get("mode", "now")
    if mode not in MODES:
        raise BadHook(400, f"mode must be {'|'.join(MODES)}")
    agent = agent_of(body.get("agentId"), rules)
    return HookWake(text, mode, agent, _requested_session(body, agent, rules))


def agent_turn_of(
    body: Mapping[str, Any], rules: HookRules, idempotency_key: str | None = None
) -> HookAgent:
    """Parse a request to ``/hooks/agent``; raises ``BadHook``.

    ``idempotency_key`` is the header, before which that of the body counts.
    """
    message = _required(body, "message")
    account = _text(body, "accountId")
    channel, to = delivery_of(_text(body, "channel"), _text(body, "to"), account, rules)
    agent = agent_of(body.get("agentId"), rules)
    if "model" in body and _text(body, "model") is None:
        raise BadHook(400, "model required")
    key = _text(body, "idempotencyKey") or idempotency_key or None
    if key is not None and len(key) > MAX_KEY:
        raise BadHook(400, f"idempotencyKey has more than {MAX_KEY} characters")
    return HookAgent(
        message=message,
        name=_text(body, "name") or "Hook",
        agent=agent,
        session=_requested_session(body, agent, rules),
        deliver=_flag(body, "deliver", default=True),
        channel=channel,
        to=to,
        account=account,
        model=_text(body, "model"),
        thinking=_text(body, "thinking"),
        timeout=_seconds(body),
        wait=_flag(body, "waitForCompletion", default=False),
        key=key,
    )


def agent_of(given: object, rules: HookRules) -> str | None:
    """Return the named agent, if any; raises ``BadHook`` for an unknown one."""
    if given is None:
        return None
    if not isinstance(given, str) or not given.strip():
        raise BadHook(400, "agentId must be a string")
    agent = _meant(given.strip(), rules.main)
    if agent not in rules.agents:
        raise BadHook(400, unknown_agent(agent))
    return agent


def unknown_agent(id: str) -> str:
    """Return the error for an agent that does not exist, or that hooks may not name."""
    return f'unknown agentId "{id[:MAX_KEY]}"'


def delivery_of(
    channel: str | None, to: str | None, account: str | None, rules: HookRules
) -> tuple[str, str | None]:
    """Return the target of an answer: both fields, neither, or ``last``; raises ``BadHook``.

    ``account`` is the account of the channel that is named, if any.
    """
    known = (LAST, *rules.channels)
    if channel is not None and channel not in known:
        raise BadHook(400, f"channel must be {'|'.join(known)}")
    if (channel is not None and channel != LAST) != (to is not None):
        raise BadHook(400, "channel and to must be set together for hook delivery")
    if account is not None and to is None:
        raise BadHook(400, "accountId needs channel and to for hook delivery")
    if account is not None and f"{channel}:{account}" not in rules.accounts:
        from runtime.config.wording import known_names  # late: only what is wrong needs it

        ids = [key.partition(":")[2] for key in rules.accounts if key.startswith(f"{channel}:")]
        text = f"unknown {channel} account {account[:128]!r}{known_names(account, ids)}"
        raise BadHook(400, text[:500])
    return channel or LAST, to


def session_of(key: str, agent: str | None, rules: HookRules) -> str:
    """Return a session key that a hook may use; raises ``BadHook``."""
    of_agent = [] if agent is None else [f"agent:{agent}:{each}" for each in rules.prefixes]
    allowed = [*rules.prefixes, *of_agent]
    if not key.startswith(tuple(allowed)):
        raise BadHook(400, f"sessionKey must start with one of: {', '.join(allowed)}")
    if len(key) > MAX_KEY or not key.isprintable():
        raise BadHook(400, f"sessionKey must be printable, of at most {MAX_KEY} characters")
    return key


def _meant(agent: str, main: str) -> str:
    return main if agent == MAIN else agent


def _requested_session(body: Mapping[str, Any], agent: str | None, rules: HookRules) -> str | None:
    key = _text(body, "sessionKey")
    if key is None:
        return None
    if not rules.request_keys:
        text = "sessionKey is disabled for external hook payloads"
        raise BadHook(400, f"{text}; set hooks.allowRequestSessionKey=true to enable")
    return session_of(key, agent, rules)


def _required(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value.strip():
        raise BadHook(400, f"{name} required")
    return value


def _text(body: Mapping[str, Any], name: str) -> str | None:
    """Return an optional text; a blank one counts as absent."""
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise BadHook(400, f"{name} must be a string")
    return value.strip() or None


def _flag(body: Mapping[str, Any], name: str, *, default: bool) -> bool:
    value = body.get(name, default)
    if not isinstance(value, bool):
        raise BadHook(400, f"{name} must be a boolean")
    return value


def _seconds(body: Mapping[str, Any]) -> float | None:
    value = body.get("timeoutSeconds")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 86_400:
        raise BadHook(400, "timeoutSeconds must be a number above 0, of at most 86400")
    return float(value)
