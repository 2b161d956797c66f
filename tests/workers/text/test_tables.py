from __future__ import annotations

from workers.text.tables import MOST_CELLS, aligned, has_more_cells, screen_width


def test_columns_are_of_one_width() -> None:
    assert aligned([["a", "bb"], ["ccc", "d"]]) == "a   | bb\n----+---\nccc | d"


def test_wide_letters_take_two_columns() -> None:
    assert screen_width("漢字") == 4
    assert screen_width("e\u0301") == 1
    assert aligned([["漢", "x"], ["ab", "y"]]) == "漢 | x\n---+--\nab | y"


def test_one_long_cell_does_not_widen_all_others() -> None:
    text = aligned([["a", "b"], ["x" * 500, "c"], ["d", "e"]])
    assert len(text) < 800


def test_a_huge_table_is_not_aligned() -> None:
    assert aligned([["a", "b"]] * MOST_CELLS) == "\n".join(["a | b"] * MOST_CELLS)


def test_cells_that_markdown_would_leave_out_are_seen() -> None:
    assert not has_more_cells(["| a | b |", "|---|---|", "| c \\| d | e |"], 2)
    assert has_more_cells(["| a | b |", "|---|---|", "| c | d | e |"], 2)
