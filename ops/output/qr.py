"""Draws QR codes with the characters of a terminal."""

from __future__ import annotations

from collections.abc import Iterator

QUIET = 2  # modules around the code; phones read it with less than the four of the standard
_HALVES = {(0, 0): "█", (0, 1): "▀", (1, 0): "▄", (1, 1): " "}  # by dark above and below
_ON = "\x1b[97;40m"  # white on black: on terminals with a light background too
_OFF = "\x1b[0m"


def qr_lines(text: str, columns: int, *, colours: bool = True) -> list[str] | None:
    """Return the lines of the QR code for ``text``; ``None`` if it needs more than ``columns``.

    Each character is two modules high. ``colours`` makes it dark on light on every terminal.
    """
    import segno  # late: this one command needs it

    code = segno.make(text, error="l", micro=False)
    if code.symbol_size(border=QUIET)[0] > columns:
        return None
    rows = _pairs([list(row) for row in code.matrix_iter(border=QUIET)])
    lines = ["".join(_HALVES[pair] for pair in row) for row in rows]
    return [f"{_ON}{line}{_OFF}" for line in lines] if colours else lines


def _pairs(rows: list[list[int]]) -> Iterator[list[tuple[int, int]]]:
    """Yield two rows at a time, module by module; the row below the last one is light."""
    light = [0] * len(rows)
    for number in range(0, len(rows), 2):
        below = rows[number + 1] if number + 1 < len(rows) else light
        yield list(zip(rows[number], below, strict=True))
