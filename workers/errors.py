"""How a plugin says why it ends: the class chooses what the supervisor does next.

ChannelError
├── Transient        try again with backoff (the default for anything unexpected too)
├── NeedsLogin       a person must log in again; no retry (exit code 77)
├── Misconfigured    a person must correct the configuration; no retry (exit code 78)
├── Finished         the account has done its work and stays down (exit code 0)
├── LoggedOut        the platform ended the login; stays down until the next login
└── SendFailed       one message could not be sent; the account lives on
"""

from __future__ import annotations

from ipc.frames.words import EXIT_CONFIG as EXIT_CONFIG
from ipc.frames.words import EXIT_NEEDS_LOGIN as EXIT_NEEDS_LOGIN
from ipc.frames.words import EXIT_OK as EXIT_OK
from ipc.frames.words import EXIT_TEMPORARY as EXIT_TEMPORARY


class ChannelError(Exception):
    """Base of what a plugin raises on purpose."""


class Transient(ChannelError):
    """Something that passes: the account is restarted with backoff."""


class NeedsLogin(ChannelError):
    """The credentials are refused: trying again cannot help."""


class Misconfigured(ChannelError):
    """The configuration cannot work: trying again cannot help."""


class Finished(ChannelError):
    """The account has nothing more to do."""


class LoggedOut(ChannelError):
    """The login was ended from outside or on request."""


class SendFailed(ChannelError):
    """A message was not sent. ``retryable`` tells the caller whether trying again can help."""

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable
