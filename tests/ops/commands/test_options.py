"""What the shared options take."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.commands.options import json_object
from ops.exits import UsageFailure

COMMANDS = Path(__file__).parents[3] / "ops/commands"
WITH_JSON = {"LocalOptions", "RuntimeOptions", "ServiceOptions", "Json"}
ASKING = {"call_gateway", "_ask", "_ask_about"}  # what gets the options and prints nothing


def test_a_json_object_is_decoded() -> None:
    assert json_object('{"a": [1, "ü"]}') == {"a": [1, "ü"]}


@pytest.mark.parametrize("text", ["", "[1]", "{", "5", "null", "[" * 50_000, "{'a': 1}"])
def test_what_is_no_json_object_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageFailure, match="--params is not a JSON object"):
        json_object(text)


def with_json() -> Iterator[ast.FunctionDef]:
    """Yield the commands that have the option ``--json``."""
    for path in sorted(COMMANDS.glob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.decorator_list:
                given = [*node.args.args, *node.args.kwonlyargs]
                if any(is_name(each.annotation, *WITH_JSON) for each in given):
                    yield node


def is_name(node: ast.AST | None, *names: str) -> bool:
    return isinstance(node, ast.Name) and (not names or node.id in names)


def prints_json(node: ast.AST) -> bool:
    """Return whether a part of a command uses the option, or passes it on to what prints."""
    match node:
        case ast.Attribute(value=ast.Name("options"), attr="json") | ast.Name("json"):
            return True
        case ast.Call(func=function) if is_name(function, "show_json"):
            return True
        case ast.Call(func=function, args=args, keywords=more) if not is_name(function, *ASKING):
            return any(is_name(each, "options") for each in (*args, *(k.value for k in more)))
    return False


def test_the_option_json_has_an_effect_where_there_is_one() -> None:
    found = list(with_json())
    assert len(found) > 60, "nothing is found any more"
    silent = [each.name for each in found if not any(map(prints_json, ast.walk(each)))]
    assert silent == []
