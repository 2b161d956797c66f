"""The error codes of the protocol's documentation are those that requests are answered with."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import ipc.frames.words

ROOT = Path(__file__).parents[2]
PACKAGES = ("ipc", "workers", "runtime", "ops")
ERRORS = {"RemoteError", "ErrorShape"}  # their first argument is the code
CODES = {name for name, value in vars(ipc.frames.words).items() if value == name}


def trees() -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            text = path.read_text()
            if any(code in text for code in CODES):  # most files have none
                yield path.relative_to(ROOT).as_posix(), ast.parse(text)


def answered(tree: ast.Module) -> Iterator[str]:
    """Yield the codes by which errors are made."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name), args=[ast.Name(id=code), *_]) if name in ERRORS:
                yield code


def spelled(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value in CODES:
            yield node.value


def test_the_codes_that_are_answered_are_documented_and_no_others() -> None:
    text = (ROOT / "docs/protocol.md").read_text().partition("\nErrors are `{code,")[2]
    documented = set(re.findall(r"^\| `([A-Z_]+)` \|", text.partition("\n#")[0], re.MULTILINE))
    found = {code for _, tree in trees() for code in answered(tree)} & CODES
    assert {"INVALID_REQUEST", "UNAVAILABLE"} <= found, "nothing is found any more"
    assert documented == found


def test_a_code_is_spelled_in_one_place() -> None:
    found = {(file, code) for file, tree in trees() for code in spelled(tree)}
    assert {file for file, _ in found} == {"ipc/frames/words.py"}
