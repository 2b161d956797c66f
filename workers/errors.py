"""Defines the errors that a plugin raises; the class decides what the supervisor does next. Pure.

ChannelError
├── Transient        try again with backoff (the default for anything unexpected too)
│   └── RateLimited  the provider of an agent wants fewer requests
├── NeedsLogin       a person must log in again, if it lasts (exit code 77)
│   └── LoginExpired a person was asked to log in, and did not
├── Misconfigured    a person must correct the configuration, if it lasts (exit code 78)
├── Finished         the account has done its work and stays down (exit code 0)
├── LoggedOut        the login is ended; the account stays down until the next login
├── TurnRefused      the provider of an agent does not answer this turn; the agent lives on
│   └── TurnTooLarge the conversation is too long for the model
└── SendFailed       one message could not be sent; the account lives on
    ├── MaybeSent    it was handed over, and whether it arrived cannot be known
    └── MediaFailed  a file of a message could not be stored, found or fetched

An ``OSError``, a ``TimeoutError`` and what libraries raise when the network fails need no wrapping:
they count as ``Transient`` by themselves.
"""

from __future__ import annotations

from typing import ClassVar, Literal, get_args

from ipc.frames.words import EXIT_CONFIG as EXIT_CONFIG
from ipc.frames.words import EXIT_NEEDS_LOGIN as EXIT_NEEDS_LOGIN
from ipc.frames.words import EXIT_OK as EXIT_OK
from ipc.frames.words import EXIT_TEMPORARY as EXIT_TEMPORARY

Reason = Literal[
    "blocked",
    "not_found",
    "too_long",
    "forbidden",
    "invalid",
    "rate_limited",
    "unsupported",
    "unavailable",
]
Scope = Literal["chat", "account"]
LONGEST_WAIT = 1e9  # seconds; an infinite wait would fit into no frame
PASSING = frozenset({"rate_limited", "unavailable"})  # reasons that pass by themselves


def _bounded(wait: float | None) -> float | None:
    return None if wait is None else min(LONGEST_WAIT, wait)


class ChannelError(Exception):
    """The base of all errors that a plugin raises on purpose."""


class Transient(ChannelError):
    """A temporary fault: the account is restarted with backoff.

    ``retry_after``: the platform has asked for so many seconds; it is not tried before.
    """

    def __init__(self, message: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = _bounded(retry_after)


class RateLimited(Transient):
    """The provider of an agent limits requests; ``retry_after`` is in seconds."""


class TurnRefused(ChannelError):
    """The provider of an agent refuses this turn; a retry would be refused, too.

    The content is against its rules, say.
    """


class TurnTooLarge(TurnRefused):
    """The conversation is too long for the model or another provider; a new one is needed."""


class NeedsAPerson(ChannelError):
    """The base of errors that a person must resolve if they last.

    A platform may refuse for a minute what it takes again afterwards, so one refusal of an
    account that has worked before is tried again. ``final`` is for what cannot pass by itself:
    the platform has said by a code that the credentials are revoked, or the configuration
    contradicts itself. A text for people is never a reason for it.
    """

    def __init__(self, message: str = "", *, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


class NeedsLogin(NeedsAPerson):
    """The platform refuses the credentials."""


class LoginExpired(NeedsLogin):
    """A prompt of ``Context.login`` was not answered in time."""


class Misconfigured(NeedsAPerson):
    """The configuration cannot work, or the platform refuses what it asks for."""


class Finished(ChannelError):
    """The account has done its work: it is not restarted."""


class LoggedOut(ChannelError):
    """The login was ended, by the platform or on request: the account is not restarted."""


class SendFailed(ChannelError):
    """A message was not sent.

    ``reason`` says why, in a word that decides what happens next: ``rate_limited`` and
    ``unavailable`` pass by themselves, so the message may be tried again. ``retry_after``: not
    before so many seconds have passed; ``scope``: that is asked for the ``chat`` or for the
    whole ``account``. ``retryable`` overrides what follows from the reason. Raises
    ``ValueError`` for an unknown reason or scope.
    """

    maybe_sent: ClassVar[bool] = False
    flag: ClassVar[str] = ""  # a word for the gateway: what of its own has kept the message

    def __init__(
        self,
        message: str = "",
        *,
        reason: Reason | None = None,
        retry_after: float | None = None,
        scope: Scope = "chat",
        retryable: bool | None = None,
    ) -> None:
        super().__init__(message)
        if reason is not None and reason not in get_args(Reason):
            raise ValueError(f"reason: {reason!r} is none of {', '.join(get_args(Reason))}")
        if scope not in get_args(Scope):
            raise ValueError(f"scope: {scope!r} is none of {', '.join(get_args(Scope))}")
        self.reason = reason
        self.retry_after = _bounded(retry_after)
        self.scope = scope
        if retryable is None:
            retryable = reason in PASSING or retry_after is not None
        self.retryable = retryable and not self.maybe_sent


class MaybeSent(SendFailed):
    """A message was handed over, and no answer came: it may have arrived.

    Sending it again could send it twice, so it is never ``retryable``.
    """

    maybe_sent = True

    def __init__(self, message: str = "") -> None:
        super().__init__(message)


class MediaFailed(SendFailed):
    """A file could not be stored, found or fetched; the text says why, and what helps.

    ``reason``: ``not_found``, ``forbidden`` by ``media.allow`` or as a private address,
    ``too_long`` for a file that is too large, ``invalid``, or ``unavailable`` while the disk or
    the quota is full, and when the network fails.
    """
