"""Register with the server: PASS, CAP, SASL, NICK and USER. Pure.

Lines go in, lines come out; a refusal is raised as the ``ChannelError`` that decides whether
trying again can help. NICK and USER are sent at once with the capabilities, so that a server
that knows none loses no time.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator

from workers.channels.irc.config import IrcConfig, Sasl
from workers.channels.irc.lines import Line, line
from workers.channels.irc.names import spare_nicks
from workers.channels.irc.outputs import Output, SendLine
from workers.errors import ChannelError, Misconfigured, NeedsLogin, Transient

WANTED_CAPABILITIES = ("message-tags", "server-time", "account-tag")
_AUTHENTICATE_BYTES = 400  # a longer answer goes in pieces (IRCv3 sasl-3.1)
_NICK_TAKEN = frozenset({"433", "436", "437"})
_SASL_FAILED = frozenset({"902", "904", "905", "906"})


class Registration:
    """One registration. ``nick`` is the last one asked for; ``done`` is set by numeric 001."""

    def __init__(self, config: IrcConfig) -> None:
        self.nick = config.nick
        self.done = False
        self._config = config
        self._spare = iter(spare_nicks(config.nick))
        self._offered: dict[str, str] = {}
        self._mechanisms = ""
        self._logged_in = False

    def start(self) -> list[Output]:
        """Return the first lines to send."""
        config = self._config
        return [
            SendLine(line("CAP", "LS", "302"), urgent=True),
            *([_urgent("PASS", config.password)] if config.password else []),
            _urgent("NICK", self.nick),
            _urgent("USER", config.username or "trunkline", "0", "*", config.realname or self.nick),
        ]

    def receive(self, got: Line) -> list[Output]:
        """Return the answers to one line before 001. Raises ``ChannelError`` for a refusal."""
        match got.command:
            case "CAP":
                return self._capabilities(got)
            case "AUTHENTICATE" if got.text == "+" and self._config.sasl is not None:
                return list(_credentials(self._config.sasl))
            case "903" | "907":
                self._logged_in = True
                return [_urgent("CAP", "END")]
            case "908":
                self._mechanisms = got.param(1)
                return []
            case "001":
                return self._let_in(got)
            case command if command in _NICK_TAKEN:
                return [self._another_nick(got)]
            case "432":
                return [self._bad_nick(got)]
            case _:
                self._raise_refusal(got)
                return []

    def _capabilities(self, got: Line) -> list[Output]:
        what, text = got.param(1).upper(), got.text
        if what == "LS":
            self._offered |= {name: value for name, _, value in _partitioned(text)}
            return [] if got.param(2) == "*" and len(got.params) > 3 else self._request()
        if what == "ACK" and "sasl" in text.split() and self._config.sasl is not None:
            return [_urgent("AUTHENTICATE", "PLAIN")]
        if what == "NAK" and self._config.sasl is not None:
            raise Transient("the server refuses the capability sasl")
        return [_urgent("CAP", "END")] if what in ("ACK", "NAK") else []

    def _request(self) -> list[Output]:
        wanted = [name for name in WANTED_CAPABILITIES if name in self._offered]
        if self._config.sasl is not None:
            wanted.append(self._sasl())
        return [_urgent("CAP", "REQ", " ".join(wanted)) if wanted else _urgent("CAP", "END")]

    def _sasl(self) -> str:
        if "sasl" not in self._offered:
            # The services may be away for a while; without the login nothing may go on.
            raise Transient("the server offers no SASL (now)")
        mechanisms = self._offered["sasl"]
        if mechanisms and "PLAIN" not in mechanisms.upper().split(","):
            raise Misconfigured(f"the server offers SASL {mechanisms}, not PLAIN")
        return "sasl"

    def _let_in(self, got: Line) -> list[Output]:
        if self._config.sasl is not None and not self._logged_in:
            raise Transient("the server let us in without SASL")
        self.nick = got.param(0) or self.nick
        self.done = True
        return []

    def _another_nick(self, got: Line) -> Output:
        nick = next(self._spare, None)
        if nick is None:
            raise Transient(f"every nick like {self._config.nick} is taken: {got.text}")
        self.nick = nick
        return _urgent("NICK", nick)

    def _bad_nick(self, got: Line) -> Output:
        if self.nick == self._config.nick:
            raise Misconfigured(f"the server takes no nick {self.nick}: {got.text}")
        return self._another_nick(got)

    def _raise_refusal(self, got: Line) -> None:
        """Raise the error that a line means when it ends the registration."""
        error: ChannelError | None = None
        if got.command in _SASL_FAILED:
            error = self._sasl_refusal(got)
        elif got.command == "464":
            error = NeedsLogin(f"server password refused: {got.text}")
        elif got.command == "465":
            error = banned(got.text, logged_in=self._logged_in)
        elif got.command == "ERROR" and "password" in got.text.lower():
            error = NeedsLogin(got.text)  # ngircd refuses a password in no other way
        elif got.command == "ERROR":
            error = Transient(f"the server closed the connection: {got.text}")
        if error is not None:
            raise error

    def _sasl_refusal(self, got: Line) -> ChannelError:
        if got.command == "905":
            return Misconfigured(f"SASL: {got.text}")
        if got.command == "906":
            return Transient(f"SASL: {got.text}")
        if self._mechanisms and "PLAIN" not in self._mechanisms.upper().split(","):
            return Misconfigured(f"the server offers SASL {self._mechanisms}, not PLAIN")
        return NeedsLogin(f"SASL login refused: {got.text}")


def _credentials(sasl: Sasl) -> Iterator[Output]:
    """Yield the answer to ``AUTHENTICATE +`` (RFC 4616), in pieces."""
    plain = f"{sasl.user}\0{sasl.user}\0{sasl.password}".encode()
    text = base64.b64encode(plain).decode()
    for start in range(0, len(text), _AUTHENTICATE_BYTES):
        yield _urgent("AUTHENTICATE", text[start : start + _AUTHENTICATE_BYTES])
    if len(text) % _AUTHENTICATE_BYTES == 0:
        yield _urgent("AUTHENTICATE", "+")


def banned(text: str, *, logged_in: bool) -> ChannelError:
    """Return the error for a ban from the server (465, K-line)."""
    if "sasl" in text.lower() and not logged_in:
        return NeedsLogin(f"the server wants a login first: {text}")
    return Misconfigured(f"banned from this server: {text}")


def _urgent(command: str, *params: str) -> SendLine:
    return SendLine(line(command, *params), urgent=True)


def _partitioned(text: str) -> Iterator[tuple[str, str, str]]:
    return (word.partition("=") for word in text.split())
