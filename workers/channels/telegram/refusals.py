"""Decides what an error of the Bot API means for the account. Pure.

Telegram has few codes: a 400 can be a missing chat, a text that is too long, or invalid markup.
Only its English description distinguishes them; it decides nothing but the reason given for one
message.
"""

from __future__ import annotations

from workers.channels.telegram.objects import Parameters
from workers.errors import ChannelError, MaybeSent, NeedsLogin, Reason, SendFailed, Transient
from workers.web.faults import Unreachable
from workers.web.retry_after import bounded

UNAUTHORIZED = "Telegram knows no bot with this token: make a new one with @BotFather, /token"
POLLED_TWICE = (
    "another program polls this bot (409): each bot has one program; stop the other, or give it"
    " a bot of its own"
)


class ApiRefusal(Exception):
    """The server answered with an error; ``code`` is like an HTTP status.

    ``retry_after``: it asks to wait for so many seconds.
    """

    def __init__(
        self, method: str, code: int, description: str, parameters: Parameters | None = None
    ) -> None:
        super().__init__(f"Telegram refuses {method}: {description or 'no reason given'} ({code})")
        self.method = method
        self.code = code
        self.description = description
        self.parameters = parameters or Parameters()
        asked = self.parameters.retry_after
        self.retry_after = None if asked is None else bounded(asked)


def webhook_set(host: str) -> str:
    """Return the sentence about a webhook that gets the updates instead."""
    return f"updates of this bot go to a webhook at {host} (409): remove it with deleteWebhook"


def is_unauthorized(error: ApiRefusal) -> bool:
    """Return whether the token is refused; a server answers 404 to a malformed one."""
    return error.code == 401 or (error.code == 404 and error.method == "getMe")


def is_markup(error: ApiRefusal) -> bool:
    """Return whether only the markup of the text was refused."""
    return error.code == 400 and "parse entities" in error.description.lower()


def is_unchanged(error: ApiRefusal) -> bool:
    """Return whether an edit was refused because it changes nothing."""
    return error.code == 400 and "not modified" in error.description.lower()


def ending_of(error: Exception) -> ChannelError:
    """Return the error that ends the account if a call at its start fails."""
    if isinstance(error, ApiRefusal) and is_unauthorized(error):
        return NeedsLogin(UNAUTHORIZED)
    return Transient(str(error))


def failure_of(error: Exception) -> SendFailed:
    """Return the error for a message that was not sent, or may have been."""
    if isinstance(error, Unreachable):
        return SendFailed(str(error), reason="unavailable")
    if not isinstance(error, ApiRefusal) or error.code >= 500:
        return MaybeSent(str(error))
    return SendFailed(str(error), reason=_reason_of(error), retry_after=error.retry_after)


def _reason_of(error: ApiRefusal) -> Reason:
    text = error.description.lower()
    if error.code == 429:
        return "rate_limited"
    if error.code == 403:
        return "blocked"
    if error.code == 401:
        return "unavailable"  # the next poll ends the account, and says what to do
    if "not found" in text or error.code == 404:
        return "not_found"
    if "too long" in text or error.code == 413:
        return "too_long"
    if "not enough rights" in text or "administrator rights" in text:
        return "forbidden"
    return "invalid"
