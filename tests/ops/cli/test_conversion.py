"""Plain conversion of what is typed."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import typer

from ops.cli.conversion import MAY_BE_EMPTY, PlainConversion

ONE = SimpleNamespace(multiple=False, nargs=1)
MANY = SimpleNamespace(multiple=True, nargs=1)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [(int, "7", 7), (float, "1e3", 1000.0), (str, "7", "7"), (int, None, None), (bool, True, True)],
)
def test_text_becomes_a_value_of_its_kind(kind: type, text: Any, value: Any) -> None:
    assert PlainConversion(kind, "", None).coerce(text, ONE, None) == value


@pytest.mark.parametrize(("texts", "values"), [(["1", "2"], [1, 2]), (None, []), ([], [])])
def test_each_of_several_is_converted(texts: Any, values: list[int]) -> None:
    assert PlainConversion(int, "a whole number", None).coerce(texts, MANY, None) == values


@pytest.mark.parametrize(
    ("kind", "word", "minimum", "text", "complaint"),
    [
        (int, "a whole number", None, "1.5", "'1.5' is not a whole number"),
        (float, "a number", None, "soon", "'soon' is not a number"),
        (float, "a number", None, "inf", "inf is not a finite number"),
        (float, "a number", None, "nan", "nan is not a finite number"),
        (float, "a number", 0.001, "0", "0 is below 0.001"),
        (int, "a whole number", 1, "0", "0 is below 1"),
        (str, "text", None, "", "it is empty"),
    ],
)
def test_what_is_none_is_refused_with_what_is_allowed(
    kind: type, word: str, minimum: float | None, text: str, complaint: str
) -> None:
    with pytest.raises(typer.BadParameter) as caught:
        PlainConversion(kind, word, minimum).coerce(text, ONE, None)
    assert caught.value.message == complaint


def test_what_is_too_large_is_refused() -> None:
    port = PlainConversion(int, "a whole number", 1, 65535)
    assert port.coerce("65535", ONE, None) == 65535
    with pytest.raises(typer.BadParameter, match="99999 is above 65535"):
        port.coerce("99999", ONE, None)


def test_a_word_must_be_one_of_the_choices() -> None:
    role = PlainConversion(str, "text", None, choices=("operator", "node"))
    assert role.coerce("node", ONE, None) == "node"
    with pytest.raises(typer.BadParameter, match="'boss' is not one of operator, node"):
        role.coerce("boss", ONE, None)


def test_the_choices_of_an_option_are_those_that_its_help_shows() -> None:
    found = ((param.opts[-1], param.get_runtime_param().choices) for _, param in parameters())
    assert {name: list(choices) for name, choices in found if choices} == {
        "--output": ["wide", "json", "yaml", "name"],
        "--for": ["running", "stopped"],
        "--format": ["markdown", "jsonl"],
        "--role": ["operator", "node"],
        "--catch-up": ["one", "none"],
    }


def parameters() -> Iterator[tuple[str, Any]]:
    """Yield the parameters of all commands that have a type, each with its command's name."""
    from ops.cli.main import Commands, app

    root: Any = typer.main.get_command(app)
    with root.make_context("trunkline", ["--help"], resilient_parsing=True) as context:
        for name in Commands.table:
            command = root.get_command(context, name)
            commands = {"": command} | getattr(command, "commands", {})
            for below, each in commands.items():
                for param in each.get_params(context):
                    if hasattr(param, "type_descriptor"):
                        yield f"{name} {below}".strip(), param


def test_the_pydantic_of_typer_is_not_asked() -> None:
    """Every kind of value that our commands take is converted plainly."""
    for command, param in parameters():
        assert isinstance(param.get_runtime_param(), PlainConversion), (command, param.name)


def test_an_empty_text_means_nothing_in_any_command() -> None:
    """An unset variable of a script does not choose another conversation, or everything."""
    texts = [param for _, param in parameters() if param.get_runtime_param().kind is str]
    named = [param for param in texts if param.default != ""]
    assert {param.opts[-1] for param in named if is_taken_empty(param)} == MAY_BE_EMPTY
    left_out = [param for param in texts if param.default == ""]
    assert {param.opts[-1] for param in left_out} == {"--message", "--account"}
    assert all(map(is_taken_empty, left_out))


def is_taken_empty(param: Any) -> bool:
    given = [""] if param.multiple or param.nargs == -1 else ""
    try:
        param.get_runtime_param().coerce(given, param, None)
    except typer.BadParameter:
        return False
    return True
