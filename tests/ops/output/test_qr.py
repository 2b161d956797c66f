from __future__ import annotations

import segno

from ops.output.qr import QUIET, qr_lines

DARK_ABOVE, DARK_BELOW = {" ", "▄"}, {" ", "▀"}


def modules(lines: list[str]) -> list[list[int]]:
    """Return what the lines show, dark as 1."""
    rows = []
    for line in lines:
        rows.append([int(mark in DARK_ABOVE) for mark in line])
        rows.append([int(mark in DARK_BELOW) for mark in line])
    return rows


def test_what_is_drawn_is_the_code() -> None:
    lines = qr_lines("2@abc", 80, colours=False)
    assert lines is not None
    code = segno.make("2@abc", error="l", micro=False)
    wanted = [list(row) for row in code.matrix_iter(border=QUIET)]
    assert modules(lines)[: len(wanted)] == wanted
    assert sum(map(sum, modules(lines)[len(wanted) :])) == 0


def test_a_code_as_long_as_those_of_phones_fits_into_80_columns_and_is_never_cut() -> None:
    text = "2@" + "x" * 235
    lines = qr_lines(text, 80, colours=False)
    assert lines is not None
    width = len(lines[0])
    assert width <= 80
    assert qr_lines(text, width) is not None
    assert qr_lines(text, width - 1) is None


def test_it_has_its_own_colours_on_each_line() -> None:
    lines = qr_lines("2@abc", 80)
    assert lines is not None
    assert all(line.startswith("\x1b[97;40m") and line.endswith("\x1b[0m") for line in lines)
