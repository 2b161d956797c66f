"""The screen of ``trunkline top``."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from ops.output.tables import cells_of
from ops.output.top_screen import KEYS, View, draw, room, scrolled
from tests.support.fakeserver import NOW, account

ROWS: list[dict[str, Any]] = [
    msgspec.to_builtins(account(f"local:{number}")) for number in range(500)
]
ESCAPES = re.compile("\x1b\\[[0-9;]*m")


def view(count: int, columns: int = 110, lines: int = 30, **more: Any) -> View:
    return View(ROWS[:count], 0, 0, columns, lines, NOW / 1000, **more)


@pytest.mark.parametrize("columns", [40, 80, 110, 200])
@pytest.mark.parametrize("count", [0, 3, 42, 500])
@pytest.mark.parametrize("colours", [True, False])
def test_the_screen_fits_the_terminal(columns: int, count: int, colours: bool) -> None:
    lines = draw(view(count, columns, colours=colours))
    assert len(lines) == 30
    assert max(cells_of(ESCAPES.sub("", line)) for line in lines) <= columns
    assert lines[-1].startswith(KEYS[: columns - 1])


def test_the_chosen_one_is_marked_with_and_without_colours() -> None:
    assert draw(view(3))[2].startswith("\x1b[7mlocal:0")
    plain = draw(view(3, colours=False))
    assert plain[2].startswith("> local:0")
    assert "\x1b" not in "".join(plain)


def test_a_chosen_row_with_wide_characters_is_as_wide_as_the_terminal() -> None:
    row = msgspec.to_builtins(account("irc:a", phase="backoff", lastError="\u4e16\u754c" * 3))
    line = draw(View([row], 0, 0, 110, 30, NOW / 1000))[2]
    assert "\u4e16" in line
    assert cells_of(ESCAPES.sub("", line)) == 110


def test_before_the_first_answer_it_does_not_say_that_there_are_no_accounts() -> None:
    lines = draw(view(0, known=False, message="no supervisor is running"))
    assert len(lines) == 30
    assert set(lines[:-2]) == {""}
    assert lines[-2] == "no supervisor is running"


@pytest.mark.parametrize(("lines", "first", "kinds"), [(30, 0, "AG"), (30, 3, "G"), (6, 0, "A")])
def test_agents_are_counted_apart_and_have_their_own_head(
    lines: int, first: int, kinds: str
) -> None:
    rows = [*ROWS[:3], msgspec.to_builtins(account("agent:echo"))]
    drawn = draw(View(rows, 3, first, 110, lines, NOW / 1000, colours=False))
    assert len(drawn) == lines
    assert drawn[0] == "3 accounts: 3 running   1 agent: 1 running"
    shown = [line.split()[0] for line in drawn if line.startswith(("  ACCOUNT", "  AGENT"))]
    assert shown == [{"A": "ACCOUNT", "G": "AGENT"}[kind] for kind in kinds]


def test_what_is_hidden_is_counted() -> None:
    assert "(474 more)" in draw(view(500))[-1]
    assert "more" not in draw(view(3))[-1]
    assert "trunkline setup" in "".join(draw(view(0)))


@pytest.mark.parametrize(
    ("first", "chosen", "count", "shown_first"),
    [(0, 0, 500, 0), (0, 25, 500, 0), (0, 26, 500, 1), (10, 5, 500, 5), (490, 499, 500, 474),
     (20, 2, 3, 0)],
)  # fmt: skip
def test_it_scrolls_so_that_the_chosen_one_is_seen(
    first: int, chosen: int, count: int, shown_first: int
) -> None:
    assert room(30) == 26
    assert scrolled(first, chosen, count, 30) == shown_first
