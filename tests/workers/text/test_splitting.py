from __future__ import annotations

import pytest

from workers.text.document import plain_document
from workers.text.html_dialects import HTML, TELEGRAM_HTML
from workers.text.markdown import document_of
from workers.text.marker_dialects import DISCORD, PLAIN
from workers.text.splitting import parts_of

A, B, C = "a" * 40, "b" * 40, "c" * 40


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        (f"{A}\n\n{B}", [A, B]),
        (f"{A}\n{B[:20]}\n\n{C}", [f"{A}\n{B[:20]}", C]),
        (f"{A}\n{B}", [A, B]),
        (f"{A}. {B}", [f"{A}.", B]),
        (f"{A}。{B}", [f"{A}。", B]),
        (f"{A} {B}", [A, B]),
        (f"x {'y' * 64} z", ["x", "y" * 64, "z"]),
        ("y" * 100, ["y" * 64, "y" * 36]),
        (f"\n\n {A}   \n\n\n   {B} \n", [A, B]),
        ("a" * 63 + " b", ["a" * 63, "b"]),
        ("a" * 64 + " b", ["a" * 64, "b"]),
        ("a" * 62 + " b", ["a" * 62 + " b"]),
    ],
)
def test_a_text_is_cut_at_the_best_place(source: str, parts: list[str]) -> None:
    assert parts_of(plain_document(source), PLAIN, 64, "chars") == parts


def test_marks_go_on_in_the_next_part() -> None:
    document = document_of(f"**{A} *{B}* {C}**", TELEGRAM_HTML)
    assert parts_of(document, TELEGRAM_HTML, 64, "chars") == [
        f"<b>{A}</b>",
        f"<b><i>{B}</i></b>",
        f"<b>{C}</b>",
    ]


def test_a_fence_goes_on_with_its_language_and_indentation() -> None:
    source = f"```py\n{A}\n    {B}\n```"
    assert parts_of(document_of(source, DISCORD), DISCORD, 64, "chars") == [
        f"```py\n{A}\n```",
        f"```py\n    {B}\n```",
    ]


def test_an_ordered_list_goes_on_counting() -> None:
    document = document_of(f"1. {A}\n2. {B}\n3. {C}", HTML)
    assert parts_of(document, HTML, 100, "chars") == [
        f"<ol><li>{A}</li></ol>",
        f'<ol start="2"><li>{B}</li></ol>',
        f'<ol start="3"><li>{C}</li></ol>',
    ]


def test_a_link_is_moved_rather_than_cut() -> None:
    document = document_of(f"{'x ' * 25}[two words](https://h/a)", DISCORD)
    first, second = parts_of(document, DISCORD, 64, "chars")
    assert second == "[two words](https://h/a)"
    assert first == ("x " * 25).strip()


def test_a_label_that_fits_nowhere_is_cut_and_both_halves_lead_there() -> None:
    document = document_of(f"[{A} {B}](https://h/a)", TELEGRAM_HTML)
    assert parts_of(document, TELEGRAM_HTML, 80, "chars") == [
        f'<a href="https://h/a">{A}</a>',
        f'<a href="https://h/a">{B}</a>',
    ]


def test_marks_that_leave_no_room_are_left_out() -> None:
    source = "> " * 15 + "*" + "x" * 60 + "*"
    parts = parts_of(document_of(source, PLAIN), PLAIN, 64, "chars")
    assert len(parts) <= 4
    assert "".join(parts).count("x") == 60


def test_what_counts_is_the_rendered_length() -> None:
    document = document_of("<" * 100, TELEGRAM_HTML)
    assert [len(part) for part in parts_of(document, TELEGRAM_HTML, 64, "chars")] == [64] * 6 + [16]


def test_without_a_limit_there_is_one_part() -> None:
    assert len(parts_of(plain_document("x " * 10_000), PLAIN, 0, "bytes")) == 1
