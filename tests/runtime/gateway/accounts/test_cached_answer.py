"""When a large answer is made anew, and when the kept text is good enough."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from runtime.gateway.accounts import cached_answer
from runtime.gateway.accounts.cached_answer import FRESH, CachedAnswer


class Source:
    """Counts how often the answer is made; ``now`` is what the clock shows."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.version = 1
        self.now = 100.0
        self.made: list[int] = []
        clock = SimpleNamespace(monotonic=lambda: self.now)
        monkeypatch.setattr(cached_answer, "time", clock)
        self.answer = CachedAnswer(lambda: self.version, self.make)

    def make(self, protocol: int) -> dict[str, int]:
        self.made.append(protocol)
        return {"protocol": protocol, "version": self.version}

    def text(self, protocol: int = 4) -> bytes:
        return bytes(self.answer.of(protocol))


def test_the_text_is_kept_per_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source(monkeypatch)
    assert source.text(4) == source.text(4) == b'{"protocol":4,"version":1}'
    assert source.text(3) == b'{"protocol":3,"version":1}'
    assert source.made == [4, 3]
    assert source.answer.size == len(source.text())


def test_a_change_makes_it_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source(monkeypatch)
    source.text()
    source.version = 2
    assert source.text() == b'{"protocol":4,"version":2}'


def test_it_is_made_anew_when_it_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source(monkeypatch)
    source.text()
    source.now += FRESH / 2
    source.text()
    assert source.made == [4]
    source.now += FRESH / 2
    source.text()
    assert source.made == [4, 4]
