"""Parses and builds lines of IRC. Pure.

This is the only module that knows the grammar (RFC 2812 2.3.1 and the IRCv3 message tags).
``LineBuffer`` splits what a socket reads into lines; ``parse`` reads one; ``line`` builds an
outgoing one and refuses parameters that would add a second.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

MAX_LINE_BYTES = 512  # with CR LF, without tags (RFC 2812 2.3)
MAX_TAGS_BYTES = 8191  # IRCv3 message-tags, server to client
MAX_WORD = 200  # characters of a nick or channel: longer ones fit into no line
_UNESCAPED = {":": ";", "s": " ", "r": "\r", "n": "\n", "\\": "\\"}


class LineError(ValueError):
    """A line does not follow the grammar."""


class Line(msgspec.Struct, frozen=True):
    """One received line. ``source`` is ``nick!user@host`` or a server; "" when absent."""

    command: str
    params: tuple[str, ...] = ()
    source: str = ""
    tags: Mapping[str, str] = msgspec.field(default_factory=dict)

    @property
    def nick(self) -> str:
        """The sender's nick: the source up to its first ``!`` or ``@``."""
        return self.source.partition("!")[0].partition("@")[0]

    @property
    def text(self) -> str:
        """The last parameter, by convention the text for people; "" when there is none."""
        return self.params[-1] if self.params else ""

    def param(self, index: int) -> str:
        """Return the parameter at ``index``; "" when the server left it out."""
        return self.params[index] if index < len(self.params) else ""


class LineBuffer:
    """Splits the bytes of a socket into lines.

    A line longer than ``limit_bytes`` is cut there: memory stays bounded whatever a server
    sends.
    """

    def __init__(self, limit_bytes: int = MAX_LINE_BYTES + MAX_TAGS_BYTES) -> None:
        self._limit = limit_bytes
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that ``data`` completes, without line ends and without empty lines."""
        *whole, rest = (self._rest + data).replace(b"\r", b"\n").split(b"\n")
        self._rest = rest[: self._limit]
        return [one[: self._limit] for one in whole if one]


def parse(raw: bytes) -> Line:
    """Parse one line. Raises ``LineError`` when it holds no command.

    Text that is not UTF-8 is taken as Windows-1252, which is what old clients send.
    """
    rest = decode_text(raw).strip("\r\n")
    tags: Mapping[str, str] = {}
    source = ""
    if rest.startswith("@"):
        head, _, rest = rest[1:].partition(" ")
        tags = _parse_tags(head)
        rest = rest.lstrip(" ")
    if rest.startswith(":"):
        source, _, rest = rest[1:].partition(" ")
    # The trailing parameter begins at the first " :" behind the source.
    middle, colon, trailing = rest.partition(" :")
    words = [word for word in middle.split(" ") if word]
    if not words:
        raise LineError("a line without a command")
    params = (*words[1:], trailing) if colon else tuple(words[1:])
    return Line(words[0].upper(), params, source, tags)


def decode_text(raw: bytes) -> str:
    """Decode ``raw`` as UTF-8, else as Windows-1252 with undefined bytes replaced."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")


def line(command: str, *params: str) -> str:
    """Build an outgoing line without its line end; only the last parameter may hold spaces.

    Raises ``LineError`` for what a server would read as something else: a line break, or an
    empty or spaced parameter before the last.
    """
    *middle, last = params or ("",)
    if not command.isalnum():
        raise LineError(f"not a command: {command!r}")
    for word in middle:
        if not word or " " in word or word.startswith(":"):
            raise LineError(f"not one word: {word!r}")
    if not params:
        return command
    if not last or " " in last or last.startswith(":"):
        last = f":{last}"
    built = " ".join((command, *middle, last))
    if any(character in built for character in "\r\n\0"):
        raise LineError("a line break or NUL within a line")
    return built


def echo(command: str, *params: str) -> str | None:
    """Build a line that echoes text of a server; ``None`` if that text cannot be sent.

    A server may send text that no line of ours can carry (a NUL, more than 512 bytes).
    """
    try:
        built = line(command, *params)
    except LineError:
        return None
    return built if len(built.encode()) <= MAX_LINE_BYTES - 2 else None


def one_word(text: str) -> bool:
    """Return whether ``text`` can be sent as a parameter that is not the last one."""
    bad = any(character.isspace() or character < "!" for character in text)
    return 0 < len(text) <= MAX_WORD and not bad and not text.startswith(":")


def _parse_tags(text: str) -> dict[str, str]:
    tags = {}
    for item in text.split(";"):
        name, _, value = item.partition("=")
        if name:
            tags[name] = _unescaped(value) if "\\" in value else value
    return tags


def _unescaped(value: str) -> str:
    characters = iter(value)
    # A lone backslash at the end is dropped (IRCv3 message-tags, "Escaping values").
    return "".join(
        character if character != "\\" else _following(characters) for character in characters
    )


def _following(characters: Iterator[str]) -> str:
    escaped = next(characters, "")
    return _UNESCAPED.get(escaped, escaped)
