"""What is documented of the methods is what the table of methods says."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from runtime.gateway import schema
from runtime.gateway.clients.method_table import import_all, public
from tests.interop.openclaw import VARIABLE

DOCS = Path(__file__).parents[3] / "docs"
BEGIN, END = "<!-- methods: begin -->", "<!-- methods: end -->"
AGAIN = "run python -m runtime.gateway.schema"


def test_the_checked_in_schema_is_the_one_of_the_table() -> None:
    assert (DOCS / "methods.json").read_text() == schema.text(), AGAIN


def test_the_checked_in_types_are_those_of_the_table() -> None:
    assert (DOCS / "methods.d.ts").read_text() == schema.typescript(), AGAIN


def test_the_page_has_the_tables_as_they_are() -> None:
    page = (DOCS / "protocol.md").read_text()
    shown = page.partition(BEGIN)[2].partition(END)[0]
    assert shown.strip() == schema.tables(), AGAIN


def test_every_advertised_method_is_documented_with_a_sentence() -> None:
    whole = schema.schema()["methods"]
    assert set(public(3)) | set(public(4)) == set(whole)
    assert [name for name, row in whole.items() if not row["description"].endswith(".")] == []


def test_the_supervisors_own_methods_stay_private() -> None:
    assert "channels.report" in import_all()
    assert "channels.report" not in schema.schema()["methods"]


@pytest.mark.parametrize(
    ("method", "params", "valid"),
    [
        ("channels.start", {"channel": "irc"}, True),
        ("channels.start", {}, False),
        ("logs.tail", {"limit": 0}, False),
        ("health", {"anything": 1}, True),
        ("config.set", {"raw": "{}", "more": 1}, False),
    ],
)
def test_the_schema_judges_as_the_gateway_does(method: str, params: object, valid: bool) -> None:
    whole = schema.schema()
    validator = jsonschema.Draft202012Validator(
        {"$defs": whole["$defs"], **whole["methods"][method]["params"]}
    )
    assert validator.is_valid(params) is valid


# What agents report: it is kept as JSON, whose numbers have no bounds.
KEPT_AS_TEXT = {"Usage", "Attachment"}
WIDEST = 1 << 53


def test_every_number_of_a_client_has_bounds() -> None:
    """The journal's database refuses a larger one with an error of its own."""
    shapes = schema.schema()["$defs"]
    wide = [
        name
        for name, shape in shapes.items()
        if name not in KEPT_AS_TEXT
        for number in integers(shape)
        if not -WIDEST < number.get("minimum", -WIDEST) <= number.get("maximum", WIDEST) < WIDEST
    ]
    assert wide == []


def integers(shape: Any) -> Iterator[dict[str, Any]]:
    if isinstance(shape, list):
        for each in shape:
            yield from integers(each)
    elif isinstance(shape, dict):
        if shape.get("type") == "integer":
            yield shape
        for each in shape.values():
            yield from integers(each)


# Beside the packages of OpenClaw, or wherever the path leads to one; its own "node" too.
BIN = Path(os.environ.get(VARIABLE, "")) / "node_modules" / ".bin"
PATH = os.pathsep.join([str(BIN), os.environ["PATH"]])
PROGRAM = """\
import type { MethodParams } from "./methods";

declare function call<M extends keyof MethodParams>(method: M, params: MethodParams[M]): unknown;

call("channels.start", { channel: "irc", accountId: "libera" });
call("health", "anything");
"""
MISTAKES = {
    'call("no.such.method", {});': "TS2345",
    'call("channels.start", {});': "TS2345",
    'call("channels.start", { channel: 1 });': "TS2322",
    'call("channels.start", { channel: "irc", more: 1 });': "TS2353",
}


@pytest.mark.skipif(shutil.which("tsc", path=PATH) is None, reason="needs the TypeScript compiler")
def test_the_types_compile_and_find_mistakes(tmp_path: Path) -> None:
    """Every line with a mistake is refused, with its reason, and nothing else."""
    (tmp_path / "methods.d.ts").write_text(schema.typescript())
    (tmp_path / "program.ts").write_text(PROGRAM + "\n".join(MISTAKES) + "\n")
    done = subprocess.run(
        [str(shutil.which("tsc", path=PATH)), "--noEmit", "--strict", "program.ts"],
        cwd=tmp_path,
        env={**os.environ, "PATH": PATH},
        capture_output=True,
        text=True,
        timeout=120,
    )
    first = PROGRAM.count("\n") + 1
    told = [
        (int(line.split("(")[1].split(",")[0]), line)
        for line in done.stdout.splitlines()
        if line.startswith("program.ts(")
    ]
    assert [line for line, _ in told] == list(range(first, first + len(MISTAKES))), done.stdout
    for (_, line), code in zip(told, MISTAKES.values(), strict=True):
        assert code in line
