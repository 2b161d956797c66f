"""Define the errors that a plugin raises; the class decides what the supervisor does next. Pure.

ChannelError
├── Transient        try again with backoff (the default for anything unexpected too)
├── NeedsLogin       a person must log in again; no retry (exit code 77)
├── Misconfigured    a person must correct the configuration; no retry (exit code 78)
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


class NeedsLogin(ChannelError):
    """The platform refuses the credentials: trying again cannot help."""


class Misconfigured(ChannelError):
    """The configuration cannot work: trying again cannot help."""


class Finished(ChannelError):
    """The account has done its work: it is not restarted."""


class LoggedOut(ChannelError):
    """The login was ended, by the platform or on request: the account is not restarted."""


class SendFailed(ChannelError):
    """A message was not sent. ``retryable``: sending it again can help."""

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable
