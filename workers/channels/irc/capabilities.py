"""Negotiates capabilities (IRCv3 capability-negotiation, version 302). Pure.

A server may offer in several lines, acknowledge a request in several, refuse one of two, and
offer or withdraw at any later time. ``sasl`` is asked for by itself, so that no other
capability can be the reason why it is refused.
"""

from __future__ import annotations

from collections.abc import Iterable

from workers.channels.irc.lines import Line

WANTED_CAPABILITIES = (
    "message-tags",
    "server-time",
    "account-tag",
    "batch",  # what is history, and what belongs together
    "standard-replies",
)
_MODIFIERS = "-~="  # before a name in an ACK; "-" is "disabled"


class Capabilities:
    """The capability negotiation of one connection; ``sasl``: also request that one.

    ``offered`` has the value of each offered capability, ``listed`` is true once the offer is
    complete.
    """

    def __init__(self, *, sasl: bool) -> None:
        self.offered: dict[str, str] = {}
        self.enabled: set[str] = set()
        self.listed = False
        self.sasl_refused = False
        self._sasl = sasl
        self._asked: set[str] = set()
        self._open: list[set[str]] = []  # the requests that are not answered whole, in order
        self._began = False
        self._ended = False

    def receive(self, got: Line) -> list[str]:
        """Receive a CAP line; return the names to request, one string for each request."""
        names = got.text.split()
        match got.param(1).upper():
            case "LS" if not self.listed:
                self._offer(names)
                if got.param(2) == "*" and len(got.params) > 3:
                    return []  # more lines follow
                self.listed = True
                return self._requests()
            case "NEW":
                self._offer(names)
                return self._requests() if self.listed else []
            case "DEL":
                self._withdraw(names)
            case "ACK":
                self._acknowledge(names)
            case "NAK":
                self._refuse(names)
        return []

    def asked_for(self, name: str) -> bool:
        """Return whether a capability was requested."""
        return name in self._asked

    def begin_sasl(self) -> bool:
        """Return true, once, when the SASL login may begin: its capability is acknowledged."""
        begin = "sasl" in self.enabled and not self._began
        self._began = self._began or begin
        return begin

    def end(self) -> bool:
        """Return true, once, when the negotiation is over: every request is answered."""
        end = self.listed and not self._open and not self._ended
        self._ended = self._ended or end
        return end

    def _offer(self, names: Iterable[str]) -> None:
        for name, _, value in (word.partition("=") for word in names):
            self.offered[name] = value

    def _withdraw(self, names: Iterable[str]) -> None:
        for name in names:
            self.offered.pop(name, None)
            self.enabled.discard(name)
            self._asked.discard(name)

    def _requests(self) -> list[str]:
        wanted = [n for n in WANTED_CAPABILITIES if n in self.offered and n not in self._asked]
        groups = [wanted] if wanted else []
        if self._sasl and not self._ended and "sasl" in self.offered and "sasl" not in self._asked:
            groups.append(["sasl"])
        for group in groups:
            self._asked.update(group)
            self._open.append(set(group))
        return [" ".join(group) for group in groups]

    def _acknowledge(self, words: Iterable[str]) -> None:
        for word in words:
            name = word.lstrip(_MODIFIERS)
            for request in self._open:
                request.discard(name)
            if word.startswith("-"):
                self.enabled.discard(name)
            elif name in self._asked:
                self.enabled.add(name)
        self._open = [request for request in self._open if request]

    def _refuse(self, names: list[str]) -> None:
        """Handle a NAK, which refuses a whole request and may list only a part of it."""
        refused = next((r for r in self._open if not r.isdisjoint(names)), None)
        if refused is None and self._open and not names:
            refused = self._open[0]
        if refused is not None:
            self._open.remove(refused)
            self.sasl_refused = self.sasl_refused or "sasl" in refused
