"""S18 and S19: what a gateway prints is classed, folded, kept, and never tells a secret."""

from __future__ import annotations

import time

import pytest

from runtime.supervisor.gateways.diagnosis import Kind, diagnose
from runtime.supervisor.gateways.stderr import EVERY, LINES, Level, StderrRing, level_of, plain
from runtime.supervisor.lifecycle import Exit


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", Level.DROP),
        ("   ", Level.DROP),
        ("unauthorized reason=token_mismatch client=openclaw-control-ui", Level.DROP),
        ("closed before connect conn=1 reason=token mismatch", Level.DROP),
        ("closed before connect conn=1 code=1005 reason=n/a", Level.DEBUG),
        ("(node:1) ExperimentalWarning: SQLite is experimental", Level.DEBUG),
        ("(node:1) [DEP0040] DeprecationWarning: punycode", Level.DEBUG),
        ("Debugger attached.", Level.DEBUG),
        ("Debugger listening on ws://127.0.0.1:9229/x", Level.DEBUG),
        ("Config warnings: - plugins: x", Level.DEBUG),
        ("startup trace: plugins 120.5ms total=900.0ms", Level.INFO),
        ("startup trace: plugins 10001ms total=11000ms", Level.WARN),
        ("startup trace: plugins 12ms total=30000ms", Level.WARN),
        ("startup trace: plugins...12ms total=30ms", Level.INFO),
        ("startup trace: plugins 12ms total=1.2.3ms", Level.WARN),
        ("startup trace: plugins .ms total=.ms", Level.WARN),
        ("Error: listen EADDRINUSE", Level.WARN),
    ],
)
def test_lines_are_classified(text: str, kind: Level) -> None:
    assert level_of(text) is kind


def test_colours_are_no_part_of_a_line() -> None:
    assert plain("\x1b[31m[gateway]\x1b[39m broken") == "[gateway] broken"


def test_a_repeat_is_told_only_now_and_then() -> None:
    ring = StderrRing()
    kinds = [ring.add("2026-11-21T03:04:11.262+00:00 broken")[0] for _ in range(EVERY * 2)]
    assert kinds[0] is Level.WARN
    assert [number for number, kind in enumerate(kinds, 1) if kind is Level.DEBUG] == [50, 100]
    assert kinds.count(Level.DROP) == 2 * EVERY - 3


def test_the_time_at_its_beginning_does_not_make_a_line_another() -> None:
    ring = StderrRing()
    assert ring.add("2026-11-21T03:04:11.262+00:00 broken")[0] is Level.WARN
    assert ring.add("2026-11-21T03:04:12.001+00:00 broken")[0] is Level.DROP


def test_the_ring_keeps_the_last_lines() -> None:
    ring = StderrRing()
    for number in range(LINES + 30):
        ring.add(f"line {number}")
    assert len(ring.lines) == LINES
    assert ring.lines[-1] == ring.last_error == f"line {LINES + 29}"


def test_the_last_error_is_not_mere_noise() -> None:
    ring = StderrRing()
    ring.add("broken")
    ring.add("Debugger attached.")
    assert ring.last_error == "broken"


def test_a_secret_is_neither_kept_nor_returned() -> None:
    ring = StderrRing(["s3cret", ""])
    _, text, _ = ring.add("started with --token s3cret")
    assert text == "started with --token ***"
    assert "s3cret" not in "".join(ring.lines)


def test_endless_different_lines_cost_bounded_memory() -> None:
    ring = StderrRing()
    for number in range(10_000):
        ring.add(f"line {number}")
    assert len(ring._seen) <= 2000  # a leak shows nowhere else


@pytest.mark.parametrize(
    "words",
    [
        "token_mismatch ",
        "webchat ",
        "closed before connect ",
        "NODE_OPTIONS ",
        "--require ",
        "startup trace: ",
        "WAL reset ",
        "unsafe ",
    ],
)
def test_a_line_of_equal_words_is_read_in_a_time_that_grows_as_it_does(words: str) -> None:
    line = words * (200_000 // len(words))
    began = time.process_time()
    assert level_of(line) is Level.WARN
    assert diagnose(Exit(code=1), [line]).kind is Kind.TRANSIENT
    assert time.process_time() - began < 5  # or it would be minutes
