"""How far a long wait has come."""

from __future__ import annotations

import io

import pytest

from ops.output.progress import ProgressLine


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_it_on_one_line_and_the_sum_at_the_end() -> None:
    terminal = Terminal()
    with ProgressLine("running", terminal) as progress:
        progress.show(1, 3)
        progress.show(3, 3)
    first, _, last = terminal.getvalue().partition("\x1b[K")
    assert first.startswith("\r1/3 running, ")
    assert last.startswith("\r\x1b[K3 running after ")
    assert last.endswith(" s\n")


@pytest.mark.parametrize(("stream", "wanted"), [(Terminal(), 2), (io.StringIO(), 3)])
def test_few_accounts_and_files_see_nothing_of_it(stream: io.StringIO, wanted: int) -> None:
    with ProgressLine("running", stream) as progress:
        progress.show(0, wanted)
        progress.show(wanted, wanted)
    assert stream.getvalue() == ""


def test_a_failure_leaves_no_line() -> None:
    terminal = Terminal()
    progress = ProgressLine("running", terminal)
    progress.show(1, 3)
    progress.__exit__(ValueError, ValueError(), None)
    assert terminal.getvalue().endswith("\r\x1b[K")
