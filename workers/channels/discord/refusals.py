"""Decides what a refused request or session of Discord means for the account. Pure.

Discord has a number for each of its errors; their texts are not interpreted.
"""

from __future__ import annotations

from workers.errors import (
    ChannelError,
    MaybeSent,
    Misconfigured,
    NeedsLogin,
    Reason,
    SendFailed,
    Transient,
)
from workers.web.faults import NoAnswer, Unreachable

PORTAL = "https://discord.com/developers/applications"
UNAUTHORIZED = (
    f"Discord knows no bot with this token: make a new one at {PORTAL}, page Bot, Reset Token"
)
MESSAGE_CONTENT_OFF = (
    f"Discord refuses the session (4014): switch on MESSAGE CONTENT INTENT at {PORTAL}, page Bot,"
    " Privileged Gateway Intents"
)
# After these the session cannot go on, and a new one would end in the same way.
_FATAL = {
    4010: "it asks for one connection of several (4010)",
    4011: "the bot is in more servers than one connection may serve (4011)",
    4012: "this version of its API is not served any more (4012)",
    4013: "it does not know the kinds of events that are asked for (4013)",
}
# After these a new session is needed; what was missed is read from the channels.
NEW_SESSION_CODES = frozenset({4003, 4007, 4009})

_REASONS: dict[int, Reason] = {
    10003: "not_found",  # channel
    10008: "not_found",  # message
    10013: "not_found",  # user
    10014: "not_found",  # emoji
    40005: "too_long",  # a file
    50001: "forbidden",  # no access
    50005: "forbidden",  # a message of others
    50007: "blocked",  # takes no direct messages of this bot
    50013: "forbidden",  # a right is missing
    50278: "blocked",
}


class DiscordRefusal(Exception):
    """Discord answered with an error. ``code`` is Discord's own number, 0: none.

    ``everywhere``: ``retry_after`` applies to all requests of the bot.
    """

    def __init__(
        self,
        call: str,
        status: int,
        code: int = 0,
        text: str = "",
        *,
        retry_after: float | None = None,
        everywhere: bool = False,
    ) -> None:
        number = f"{status}, {code}" if code else str(status)
        super().__init__(f"Discord refuses {call}: {text or 'no reason given'} ({number})")
        self.status = status
        self.code = code
        self.retry_after = retry_after
        self.everywhere = everywhere


API_FAILURES = (DiscordRefusal, Unreachable, NoAnswer)


def ending_of(error: Exception) -> ChannelError:
    """Return the error that ends the account if a request at its start fails."""
    if isinstance(error, DiscordRefusal):
        if error.status == 401:
            return NeedsLogin(UNAUTHORIZED)
        return Transient(str(error), retry_after=error.retry_after)
    return Transient(str(error))


def ending_of_close(code: int | None) -> ChannelError | None:
    """Return the error that ends the account for a close code; ``None``: it connects again."""
    if code == 4004:
        return NeedsLogin(UNAUTHORIZED)
    if code == 4014:
        return Misconfigured(MESSAGE_CONTENT_OFF)
    if (why := _FATAL.get(code or 0)) is not None:
        return Misconfigured(f"Discord refuses the session: {why}")
    return None


def failure_of(error: Exception) -> SendFailed:
    """Return the error for a message that was not sent, or may have been."""
    if isinstance(error, Unreachable):
        return SendFailed(str(error), reason="unavailable")
    if not isinstance(error, DiscordRefusal) or error.status >= 500:
        return MaybeSent(str(error))
    return SendFailed(
        str(error),
        reason=_reason_of(error),
        retry_after=error.retry_after,
        scope="account" if error.everywhere else "chat",
    )


def _reason_of(error: DiscordRefusal) -> Reason:
    if error.status == 429:
        return "rate_limited"
    if error.status == 401:
        return "unavailable"  # the session is closed for the same, and says what to do
    if error.status == 413:
        return "too_long"
    if (known := _REASONS.get(error.code)) is not None:
        return known
    if error.status == 403:
        return "forbidden"
    return "not_found" if error.status == 404 else "invalid"
