"""Defines the params of requests that both the gateway and the supervisor answer. Pure.

The gateway checks the params of a client and passes them on; the supervisor checks them again,
because it also gets requests from ``cli.sock``. Both use the same structs, so that one end does not
refuse what the other accepts.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ipc.frames.words import LONGEST_ANSWER
from ipc.hidden_fields import hide_fields

LONGEST_KEY = 129  # two names of 64 characters and the colon between them
MAX_KEYS = 10_000  # of accounts, in one request
MAX_LINES = 100_000  # of all logs together, in one answer
MAX_NUMBER = (1 << 53) - 1  # the largest integer that all clients agree on (RFC 8259, section 6)

Key = Annotated[str, Meta(min_length=1, max_length=LONGEST_KEY)]
Keys = Annotated[list[Key], Meta(max_length=MAX_KEYS)]
Reason = Annotated[str, Meta(max_length=500)]
Text = Annotated[str, Meta(min_length=1)]
Number = Annotated[int, Meta(ge=0, le=MAX_NUMBER)]
FirstNumber = Annotated[int, Meta(ge=1, le=MAX_NUMBER)]
AnyNumber = Annotated[int, Meta(ge=-MAX_NUMBER, le=MAX_NUMBER)]


class Params(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """Base of params: camelCase on the wire, an unknown key is an error."""


class NoParams(Params):
    """An empty object."""


class AccountParams(Params):
    """One account by its key."""

    account: Key


class NoteParams(Params):
    """A note for the history of changes, and of an account; the request names who caused it."""

    text: Annotated[str, Meta(min_length=1, max_length=500)]
    account: Key | None = None


class ChangesParams(Params):
    """How many of the newest changes are wanted."""

    limit: Annotated[int, Meta(ge=1, le=500)] = 500


class AccountsParams(Params):
    """Keys, bare channel names, or ``*``."""

    accounts: Keys


class LoginParams(AccountParams):
    """An account whose login is followed.

    The answer waits for at most ``timeout_ms`` until the ``mark`` differs from ``seen``, that of
    the last answer. ``start``: start the account if it does not run.
    """

    seen: Annotated[str, Meta(max_length=128)] = ""
    timeout_ms: Annotated[int, Meta(ge=0, le=60_000)] = 0
    start: bool = False


@hide_fields("text")
class LoginAnswerParams(AccountParams):
    """A person's answer to the prompt with this id. It may be a secret."""

    prompt: Annotated[str, Meta(min_length=1, max_length=64)]
    text: Annotated[str, Meta(min_length=1, max_length=LONGEST_ANSWER)]


class BootstrapParams(Params):
    """The scopes of a one-time token that signs a device in; by default the console's."""

    scopes: Annotated[list[Annotated[str, Meta(max_length=128)]], Meta(max_length=64)] | None = None


class LinesParams(Params):
    """The last ``lines`` of these accounts, or of every process if none is named."""

    accounts: Keys = []
    lines: Annotated[int, Meta(ge=0, le=MAX_LINES)] = 100


class DrainParams(AccountsParams):
    """Keys, bare channel names, or ``*``; after ``timeout_ms`` they are stopped anyway."""

    reason: Reason | None = None
    timeout_ms: Annotated[int, Meta(ge=0, le=600_000)] = 30_000


class TailParams(Params):
    """``cursor`` is the end of the last answer; without it the newest lines are returned."""

    cursor: Number | UnsetType = UNSET
    limit: Annotated[int, Meta(ge=1, le=5000)] = 500
    max_bytes: Annotated[int, Meta(ge=1, le=1_000_000)] = 250_000


class PlaceParams(Params):
    """A dotted path; ``*`` or any name stands for an arbitrary key."""

    path: Annotated[str, Meta(min_length=1, max_length=1024, pattern=r"^[A-Za-z0-9_./\[\]\-*]+$")]


@hide_fields("raw")
class WriteParams(Params):
    """The whole text of a configuration file, ``raw``: JSON5, or TOML where the file is.
    ``base_hash`` is the hash of the text that it was made from.
    """

    raw: Text
    base_hash: Text | UnsetType = UNSET


class ValidateParams(WriteParams):
    """``patch``: ``raw`` is a merge patch, as for ``config.patch``."""

    patch: bool = False


class RestartParams(Params):
    """``reason`` is recorded; the restart begins after ``delay_ms``."""

    reason: Reason | None = None
    delay_ms: Annotated[int, Meta(ge=0, le=60_000)] = 100
