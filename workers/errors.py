"""Define the errors that a plugin raises; the class decides what the supervisor does next. Pure.

ChannelError
├── Transient        try again with backoff (the default for anything unexpected too)
├── NeedsLogin       a person must log in again, if it lasts (exit code 77)
├── Misconfigured    a person must correct the configuration, if it lasts (exit code 78)
├── Finished         the account has done its work and stays down (exit code 0)
├── LoggedOut        the login is ended; the account stays down until the next login
└── SendFailed       one message could not be sent; the account lives on
"""

from __future__ import annotations

from ipc.frames.words import EXIT_CONFIG as EXIT_CONFIG
from ipc.frames.words import EXIT_NEEDS_LOGIN as EXIT_NEEDS_LOGIN
from ipc.frames.words import EXIT_OK as EXIT_OK
from ipc.frames.words import EXIT_TEMPORARY as EXIT_TEMPORARY


class ChannelError(Exception):
    """The base of all errors that a plugin raises on purpose."""


class Transient(ChannelError):
    """The fault passes by itself: the account is restarted with backoff."""


class NeedsAPerson(ChannelError):
    """The base of what a person must mend, if it lasts.

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


class Misconfigured(NeedsAPerson):
    """The configuration cannot work, or the platform refuses what it asks for."""


class Finished(ChannelError):
    """The account has done its work: it is not restarted."""


class LoggedOut(ChannelError):
    """The login was ended, by the platform or on request: the account is not restarted."""


class SendFailed(ChannelError):
    """A message was not sent, or nobody can tell whether it was.

    ``retryable``: sending it again can help. ``maybe_sent``: it was handed over, and no answer
    came, so that it may have arrived; sending it again could send it twice.
    """

    def __init__(self, message: str, *, retryable: bool = False, maybe_sent: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable and not maybe_sent
        self.maybe_sent = maybe_sent
