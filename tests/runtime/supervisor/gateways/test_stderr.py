"""S18 and S19: what a gateway prints is classed, folded, kept, and never tells a secret."""

from __future__ import annotations

import pytest

from runtime.supervisor.gateways.stderr import EVERY, LINES, Class, Complaints, class_of, plain


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", Class.DROP),
        ("   ", Class.DROP),
        ("unauthorized reason=token_mismatch client=openclaw-control-ui", Class.DROP),
        ("closed before connect conn=1 reason=token mismatch", Class.DROP),
        ("closed before connect conn=1 code=1005 reason=n/a", Class.DEBUG),
        ("(node:1) ExperimentalWarning: SQLite is experimental", Class.DEBUG),
        ("(node:1) [DEP0040] DeprecationWarning: punycode", Class.DEBUG),
        ("Debugger attached.", Class.DEBUG),
        ("Debugger listening on ws://127.0.0.1:9229/x", Class.DEBUG),
        ("Config warnings: - plugins: x", Class.DEBUG),
        ("startup trace: plugins 120.5ms total=900.0ms", Class.INFO),
        ("startup trace: plugins 10001ms total=11000ms", Class.WARN),
        ("startup trace: plugins 12ms total=30000ms", Class.WARN),
        ("Error: listen EADDRINUSE", Class.WARN),
    ],
)
def test_lines_are_classed(text: str, kind: Class) -> None:
    assert class_of(text) is kind


def test_colours_are_no_part_of_a_line() -> None:
    assert plain("\x1b[31m[gateway]\x1b[39m broken") == "[gateway] broken"


def test_a_repeat_is_told_only_now_and_then() -> None:
    complaints = Complaints()
    kinds = [complaints.take("2026-11-21T03:04:11.262+00:00 broken")[0] for _ in range(EVERY * 2)]
    assert kinds[0] is Class.WARN
    assert [number for number, kind in enumerate(kinds, 1) if kind is Class.DEBUG] == [50, 100]
    assert complaints.folded == 2 * EVERY - 1


def test_the_time_at_its_beginning_does_not_make_a_line_another() -> None:
    complaints = Complaints()
    assert complaints.take("2026-11-21T03:04:11.262+00:00 broken")[0] is Class.WARN
    assert complaints.take("2026-11-21T03:04:12.001+00:00 broken")[0] is Class.DROP


def test_the_ring_keeps_the_last_lines() -> None:
    complaints = Complaints()
    for number in range(LINES + 30):
        complaints.take(f"line {number}")
    assert len(complaints.lines) == LINES
    assert complaints.lines[-1] == complaints.last_error == f"line {LINES + 29}"


def test_the_last_error_is_not_mere_noise() -> None:
    complaints = Complaints()
    complaints.take("broken")
    complaints.take("Debugger attached.")
    assert complaints.last_error == "broken"


def test_a_secret_is_neither_kept_nor_told() -> None:
    complaints = Complaints(["s3cret", ""])
    _, text, _ = complaints.take("started with --token s3cret")
    assert text == "started with --token ***"
    assert "s3cret" not in "".join(complaints.lines)


def test_endless_different_lines_cost_bounded_memory() -> None:
    complaints = Complaints()
    for number in range(10_000):
        complaints.take(f"line {number}")
    assert len(complaints._seen) <= 2000
