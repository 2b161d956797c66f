"""Registers with the server: PASS, CAP, SASL, NICK and USER. Pure.

Lines go in, lines come out; a refusal is raised as the ``ChannelError`` that decides whether
trying again can help. NICK and USER are sent at once with the capabilities, so that a server
that knows none loses no time.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator

from workers.channels.irc.capabilities import Capabilities
from workers.channels.irc.config import IrcConfig, Sasl
from workers.channels.irc.lines import Line, line, one_word
from workers.channels.irc.names import spare_nicks
from workers.channels.irc.outputs import Output, SendLine
from workers.errors import ChannelError, Misconfigured, NeedsLogin, Transient

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
        self._only_invalid = True  # no nick was refused for being taken
        self._capabilities = Capabilities(sasl=config.sasl is not None)
        self._mechanisms = ""
        self._challenge = ""  # the pieces of it that have come
        self._answered = False  # the credentials have been sent: once
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
                return self._negotiate(got)
            case "AUTHENTICATE" if self._config.sasl is not None:
                return self._authenticate(got.param(0), self._config.sasl)
            case "903" | "907":
                self._logged_in = True
                return self._finish()
            case "908":
                self._mechanisms = got.param(1)
                return []
            case "001":
                return self._on_welcome(got)
            case command if command in _NICK_TAKEN:
                self._only_invalid = False
                return [self._another_nick(got)]
            case "432":  # services hold it, or it is invalid: the text alone would tell
                return [self._another_nick(got)]
            case _:
                self._raise_refusal(got)
                return []

    def enabled(self, capability: str) -> bool:
        """Return whether a capability is enabled now."""
        return capability in self._capabilities.enabled

    def receive_later(self, got: Line) -> list[Output]:
        """Return the answers to a CAP line after the registration."""
        return [_urgent("CAP", "REQ", names) for names in self._capabilities.receive(got)]

    def _negotiate(self, got: Line) -> list[Output]:
        requests = self._capabilities.receive(got)
        if self._capabilities.sasl_refused:
            raise Transient("the server refuses the capability sasl")
        if not self._capabilities.listed:
            return []
        missing = not self._capabilities.asked_for("sasl")
        if self._config.sasl is not None and (missing or "sasl" in requests):
            self._check_sasl()
        out: list[Output] = [_urgent("CAP", "REQ", names) for names in requests]
        if self._config.sasl is not None and self._capabilities.begin_sasl():
            out.append(_urgent("AUTHENTICATE", "PLAIN"))
        return [*out, *self._finish()]

    def _finish(self) -> list[Output]:
        """Return the end of the negotiation, once everything is answered and we are logged in."""
        waiting = self._config.sasl is not None and not self._logged_in
        return [] if waiting or not self._capabilities.end() else [_urgent("CAP", "END")]

    def _check_sasl(self) -> None:
        """Raise when the server's offer shows that the login cannot succeed."""
        mechanisms = self._capabilities.offered.get("sasl")
        if mechanisms is None:
            # The services may be away for a while; without the login nothing may go on.
            raise Transient("the server offers no SASL (now)")
        if mechanisms and "PLAIN" not in mechanisms.upper().split(","):
            raise Misconfigured(f"the server offers SASL {mechanisms}, not PLAIN")

    def _authenticate(self, piece: str, sasl: Sasl) -> list[Output]:
        """Answer a challenge, which may come in pieces, and only the first one.

        The credentials are never sent again: a server that asks for more does not speak PLAIN.
        """
        self._challenge = "" if piece == "+" else (self._challenge + piece)[-_AUTHENTICATE_BYTES:]
        if len(piece) == _AUTHENTICATE_BYTES:
            return []
        if self._answered:
            return [_urgent("AUTHENTICATE", "*")]
        self._answered = True
        return list(_credentials(sasl))

    def _on_welcome(self, got: Line) -> list[Output]:
        if self._config.sasl is not None and not self._logged_in:
            raise Transient("the server let us in without SASL")
        self.nick = got.param(0) if one_word(got.param(0)) else self.nick
        self.done = True
        return []

    def _another_nick(self, got: Line) -> Output:
        nick = next(self._spare, None)
        if nick is None and self._only_invalid:
            raise Misconfigured(f"the server takes no nick like {self._config.nick}: {got.text}")
        if nick is None:
            raise Transient(f"every nick like {self._config.nick} is taken: {got.text}")
        self.nick = nick
        return _urgent("NICK", nick)

    def _raise_refusal(self, got: Line) -> None:
        """Raise the error that a line means when it ends the registration.

        The numeric decides, never the text: servers word a ban for a minute, a throttle and a
        wrong password as they like.
        """
        error: ChannelError | None = None
        if got.command in _SASL_FAILED:
            error = self._sasl_refusal(got)
        elif got.command == "464":
            error = NeedsLogin(f"server password refused: {got.text}")
        elif got.command == "465":
            error = banned(got.text)
        elif got.command == "ERROR":  # ngircd refuses a password in no other way
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


def banned(text: str) -> ChannelError:
    """Return the error for a ban from the server (465, K-line): most of them pass."""
    return Transient(f"banned from this server: {text}")


def _urgent(command: str, *params: str) -> SendLine:
    return SendLine(line(command, *params), urgent=True)
