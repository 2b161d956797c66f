"""What stays of a table in a narrow terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.output.tables import Column, aligned, cells_of, complete, cut_to, fitted

COLUMNS = (
    Column("account"),
    Column("phase"),
    Column("pid", 8, figure=True),
    Column("rss", 4, figure=True),
    Column("last error", 1),
)
ROWS = [
    ["telegram:main", "running", "12345", "24.0 MiB", ""],
    ["irc:libera", "backoff", "", "", "127.0.0.1:6999: Connection refused, and more of it"],
]
TEXTS = st.text(st.characters(exclude_categories=("Cc", "Cs", "Mn", "Me", "Cf")), max_size=60)


@pytest.mark.parametrize(
    ("width", "titles"),
    [
        (200, ["account", "phase", "pid", "rss", "last error"]),
        (75, ["account", "phase", "pid", "rss", "last error"]),
        (74, ["account", "phase", "rss", "last error"]),
        (60, ["account", "phase", "last error"]),
        (10, ["account", "phase", "last error"]),
    ],
)
def test_the_most_expendable_columns_are_left_out_first(width: int, titles: list[str]) -> None:
    assert [column.title for column in fitted(COLUMNS, ROWS, width).columns] == titles


def test_a_long_name_is_cut_for_a_column_that_matters() -> None:
    columns = [Column("account"), Column("phase"), Column("rss", 4), Column("next try", 2)]
    columns.append(Column("why", 1))
    row = ["telegram:" + "x" * 40, "backoff", "24.0 MiB", "in 13m", "refused " * 9]
    table = fitted(columns, [row], 80)
    assert [column.title for column in table.columns] == ["account", "phase", "next try", "why"]
    assert min(table.widths[0], table.widths[3]) >= 24
    assert [each.title for each in fitted(columns, [row], 60).columns][2:] == ["why"]


def test_a_column_that_no_row_fills_is_left_out() -> None:
    table = fitted(COLUMNS, [["a:b", "stopped", "", "", ""]], 200)
    assert [column.title for column in table.columns] == ["account", "phase"]
    bare = [Column("account"), Column("name"), Column("reason")]
    row = ["a:b", "", "disabled"]
    assert [column.title for column in fitted(bare, [row], 80).columns] == ["account", "reason"]
    assert fitted(bare, [["", "", ""]], 80).columns == bare[:1]
    assert [column.title for column in fitted(COLUMNS, [], 80).columns] == ["account", "phase"]


def test_the_last_column_is_cut_before_others_and_says_so() -> None:
    columns, widths, rows = fitted(COLUMNS, ROWS, 50)
    assert rows[1] == ["irc:libera", "backoff", "127.0.0.1:6999: Connectio…"]
    assert aligned(columns, rows[0], widths) == "telegram:main  running"


def test_figures_stand_at_the_right() -> None:
    columns, widths, rows = fitted(COLUMNS, ROWS, 200)
    assert "  12345  24.0 MiB" in aligned(columns, rows[0], widths)
    assert aligned([Column("a", figure=True), Column("b")], ["1", "x"], [4, 3]) == "   1  x"


@given(st.lists(st.lists(TEXTS, min_size=5, max_size=5), max_size=5), st.integers(60, 250))
def test_no_row_is_wider_than_the_terminal(rows: list[list[str]], width: int) -> None:
    columns, widths, cut = fitted(COLUMNS, rows, width)
    for row in cut:
        assert cells_of(aligned(columns, row, widths)) <= width


@given(st.lists(st.lists(TEXTS, min_size=5, max_size=5), max_size=5))
def test_nothing_is_cut_where_there_is_room(rows: list[list[str]]) -> None:
    table = complete(COLUMNS, rows)
    assert (table.columns, table.rows) == (list(COLUMNS), rows)
    shown = fitted(COLUMNS, rows, 10**6)
    assert all(row[0] == cut[0] for row, cut in zip(rows, shown.rows, strict=True))


@given(TEXTS, st.integers(0, 70))
def test_a_cut_text_fits_and_is_marked(text: str, width: int) -> None:
    cut = cut_to(text, width)
    assert cells_of(cut) <= width
    assert cut == text or width == 0 or cut.endswith("…")


def test_wide_characters_take_two_cells() -> None:
    assert cells_of("世界") == 4
    assert cut_to("世界你好", 5) == "世界…"


FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"  # one picture of three
THUMB = "\U0001f44d\U0001f3fd"  # with a colour of the skin
FLAG, OTHER = "\U0001f1e9\U0001f1ea", "\U0001f1eb\U0001f1f7"  # two letters each


@pytest.mark.parametrize(
    ("text", "width", "cut"),
    [
        (f"a{FAMILY} and more", 4, f"a{FAMILY}…"),
        (f"a{FAMILY} and more", 3, "a…"),
        (f"a{THUMB} and more", 4, f"a{THUMB}…"),
        (f"a{THUMB} and more", 3, "a…"),
        (f"{FLAG}{OTHER}{FLAG}", 5, f"{FLAG}{OTHER}…"),
        (f"{FLAG}{OTHER}{FLAG}", 4, f"{FLAG}…"),
        ("e\u0301e\u0301e\u0301", 2, "e\u0301…"),
        ("\u05e9\u05dc\u05d5\u05dd", 3, "\u05e9\u05dc…"),
    ],
)
def test_no_sign_is_cut_in_its_middle(text: str, width: int, cut: str) -> None:
    assert cut_to(text, width) == cut


def test_joined_signs_are_taken_apart_because_terminals_differ_in_their_width() -> None:
    letters = "\u0646\u200d\u0645"  # a joiner of letters stays
    rows = [[f"{FAMILY}{THUMB} {FLAG} \u2764\ufe0f {letters}", "x"]]
    shown = fitted([Column("name"), Column("text")], rows, 80).rows[0][0]
    assert shown == f"\U0001f468\U0001f469\U0001f467\U0001f44d {FLAG} \u2764 {letters}"
    assert complete([Column("name"), Column("text")], rows).rows == rows  # for programs


def test_beside_what_is_typed_others_are_cut_to_a_few_cells() -> None:
    columns = [Column("state"), Column("id", whole=True), Column("name")]
    row = ["paired", "0" * 64, "a name of some length"]
    assert fitted(columns, [row], 80).rows == [["paired", "0" * 64, "a nam…"]]


def test_what_is_typed_elsewhere_is_cut_last() -> None:
    columns = [Column("id", whole=True), Column("name"), Column("text", 1)]
    row = ["0123456789abcdef", "a name of some length", "a text of some length"]
    table = fitted(columns, [row], 40)
    assert table.rows[0][0] == row[0]
    assert table.rows[0][1].endswith("…")
    narrow = fitted(columns, [row], 24)
    assert narrow.rows[0][0].endswith("…")  # nothing else is left to cut


def test_the_last_column_is_left_out_where_it_matters_less_than_what_is_typed() -> None:
    columns = [Column("id", whole=True), Column("roles", 3)]
    assert [each.title for each in fitted(columns, [["x" * 20, "operator"]], 22).columns] == ["id"]
