"""The questions of a setup, answered by lines of a pipe."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ops.actions.keyboard import Keyboard
from ops.actions.setup_dialog import TRIES, SetupDialog
from ops.actions.setup_plan import Answers, SetupQuestion
from ops.exits import OperatorError

NAME = SetupQuestion("name", "Name (of the account)", "main")
TOKEN = SetupQuestion("token", "Token", secret=True, about="From the platform.")


@contextmanager
def typed(*lines: str) -> Iterator[SetupDialog]:
    """Yield the dialog with a person who types some lines and leaves."""
    reader, writer = os.pipe()
    os.write(writer, "".join(f"{line}\n" for line in lines).encode())
    os.close(writer)
    try:
        yield SetupDialog(Keyboard(reader), probe=False)
    finally:
        os.close(reader)


def odd(text: str) -> str | None:
    return "is odd" if text == "odd" else None


@pytest.mark.parametrize(
    ("lines", "answer"),
    [(["ann"], "ann"), (["  ann "], "ann"), ([""], "main"), (["odd", "b"], "b")],
)
def test_a_question_is_asked_until_its_answer_is_valid(
    capsys: pytest.CaptureFixture[str], lines: list[str], answer: str
) -> None:
    with typed(*lines) as dialog:
        assert dialog.ask(NAME, odd) == answer
    said = capsys.readouterr().out
    assert said.count("Name (of the account) [main]: ") == len(lines)
    assert ("  Name is odd\n" in said) is (len(lines) > 1)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "the input has ended: nothing was done"),
        (["odd"] * TRIES, "no valid answer to 'Name (of the account)': nothing was done"),
    ],
)
def test_without_a_valid_answer_it_ends(lines: list[str], said: str) -> None:
    with typed(*lines) as dialog, pytest.raises(OperatorError) as found:
        dialog.ask(NAME, odd)
    assert str(found.value) == said


@pytest.mark.parametrize(
    ("line", "chosen"), [("two", "two"), ("2", "two"), ("tw", "two"), ("", "one")]
)
def test_a_choice_is_shown_with_its_meanings(
    capsys: pytest.CaptureFixture[str], line: str, chosen: str
) -> None:
    with typed("three", line) as dialog:
        assert dialog.choose("Which?", {"one": "the first", "two": ""}, "one") == chosen
    said = capsys.readouterr().out
    assert said.startswith("\nWhich?\n  1 one        the first\n  2 two\nChoose [one]: ")
    assert "  The answer is one of one, two\n" in said


def test_answers_are_sorted_into_plain_and_secret_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with typed("ann", "wrong", "right") as dialog:
        answers = dialog.fields(
            [NAME, TOKEN], lambda name, value: "is wrong" if value == "wrong" else None
        )
    assert answers == Answers({"name": "ann"}, {"token": "right"})
    said = capsys.readouterr().out
    assert "  From the platform. It is not shown while you type.\n" in said
    assert "  Token is wrong\n" in said
