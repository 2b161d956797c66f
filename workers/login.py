"""Defines the prompts by which a person logs an account in: ``Context.login``. Pure."""

from __future__ import annotations

import msgspec

from ipc.frames.words import LONGEST_PROMPT, LONGEST_SENTENCE
from ipc.hidden_fields import hide_fields


def _check(text: str, longest: int, what: str) -> None:
    if not isinstance(text, str) or not 0 < len(text) <= longest:
        raise ValueError(f"{what} of a login is text of 1 to {longest} characters")


def _check_hint(hint: str) -> None:
    if not isinstance(hint, str) or len(hint) > LONGEST_SENTENCE:
        raise ValueError(f"the hint of a login is text of at most {LONGEST_SENTENCE} characters")


@hide_fields("data")
class Qr(msgspec.Struct, frozen=True):
    """A QR code to be scanned with the phone. ``data`` is what it encodes.

    Raises ``ValueError``, as all of these do, for text that is empty or too long.
    """

    data: str
    hint: str = ""

    def __post_init__(self) -> None:
        _check(self.data, LONGEST_PROMPT, "the QR code")
        _check_hint(self.hint)


@hide_fields("text")
class Code(msgspec.Struct, frozen=True):
    """A code that the person enters at the platform; ``hint`` says where."""

    text: str
    hint: str = ""

    def __post_init__(self) -> None:
        _check(self.text, LONGEST_PROMPT, "the code")
        _check_hint(self.hint)


class Ask(msgspec.Struct, frozen=True):
    """A question that the person answers; a ``secret`` answer is never shown."""

    prompt: str
    secret: bool = False

    def __post_init__(self) -> None:
        _check(self.prompt, LONGEST_SENTENCE, "the question")


@hide_fields("url", "state")
class Open(msgspec.Struct, frozen=True):
    """A page at which the person logs in. It leads back to an address with ``state`` in its query.

    ``state`` is a random text that only this login knows (RFC 6749, section 10.12).
    """

    url: str
    state: str
    hint: str = ""

    def __post_init__(self) -> None:
        _check(self.url, LONGEST_PROMPT, "the address")
        _check(self.state, LONGEST_SENTENCE, "the state")
        _check_hint(self.hint)


LoginPrompt = Qr | Code | Ask | Open
