"""The bench of abuse reports windows in which nothing was answered, and goes on."""

from __future__ import annotations

import math

from bench.abuse import Asker, Row, report


def test_a_window_without_an_answer_has_no_percentile() -> None:
    asker = Asker(0)
    asker.socket.append(0.25)
    socket, http = asker.p99()
    assert socket == 250.0
    assert math.isnan(http)
    assert all(map(math.isnan, asker.p99()))  # it began anew


def test_the_table_shows_which_clients_had_no_answer_and_how_often() -> None:
    row = Row("cron storm", (1.25, math.nan), (0.5, 3.0), 12.0, 7, True, silent=2)
    cells = [cell.strip() for cell in report([row]).splitlines()[-1].split("|")]
    assert cells[1:-1] == [
        "cron storm", "1.2 → none", "0.5 → 3.0", "2", "+12.0 MiB", "7", "yes"
    ]  # fmt: skip
