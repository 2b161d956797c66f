"""Prints what every method takes: ``python -m runtime.gateway.schema``, from the method table.

Without an option the JSON Schema of all params (``docs/methods.json``), with ``--ts`` the same
as TypeScript types (``docs/methods.d.ts``), with ``--docs`` the tables of ``docs/protocol.md``.
So the page, other languages' clients, the validation and the code cannot disagree.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Iterable
from typing import Any

import msgspec

from ipc.frames.schema import DIALECT
from runtime.gateway import methods  # noqa: F401 - importing it fills the table
from runtime.gateway.access.scopes import NODE, OPERATOR
from runtime.gateway.clients.method_table import Method, Repeat, import_all

AGAIN = {Repeat.ALWAYS: "yes", Repeat.WITH_KEY: "with its key", Repeat.NEVER: "no"}
_REF = "#/$defs/{name}"


def schema() -> dict[str, Any]:
    """Return one schema: ``methods`` names for each its params in ``$defs``, scope and roles."""
    rows = _public()
    structs = [row.struct for row in rows if row.struct is not None]
    (*found,), components = msgspec.json.schema_components(structs, ref_template=_REF)
    params = dict(zip([row.name for row in rows if row.struct is not None], found, strict=True))
    return {
        "$schema": DIALECT,
        "title": "Params of the gateway's methods",
        "methods": {
            row.name: {
                "description": summary(row),
                "scope": row.scope,
                "roles": sorted(row.roles & {OPERATOR, NODE}),
                "ours": row.ours,
                "repeat": row.repeat.value,
                "params": params.get(row.name, {}),
            }
            for row in rows
        },
        "$defs": {name: _tidy(shape) for name, shape in components.items()},
    }


def text() -> str:
    """Return the schema as it is checked in."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def typescript() -> str:
    """Return a type for the params of each method, and one that maps names to them."""
    whole = schema()
    lines = ["// Made by `python -m runtime.gateway.schema --ts`; do not edit.", ""]
    for name, shape in whole["$defs"].items():
        lines += _comment(shape.get("description", ""))
        lines += [f"export type {_identifier(name)} = {_type(shape)};", ""]
    lines.append("export interface MethodParams {")
    for name, row in whole["methods"].items():
        lines += [f"  {line}" for line in _comment(row["description"])]
        lines.append(f"  {json.dumps(name)}: {_type(row['params'])};")
    return "\n".join([*lines, "}", ""])


def tables() -> str:
    """Return the two tables of methods, OpenClaw's and ours, as Markdown."""
    rows = _public()
    theirs, ours = [row for row in rows if not row.ours], [row for row in rows if row.ours]
    return "\n".join(
        [*_table(theirs), "", "Ours, beside the protocol:", "", *_table(ours)],
    )


def summary(row: Method) -> str:
    """Return the first paragraph of a method's docstring, on one line."""
    doc = inspect.getdoc(row.function) or ""
    return " ".join(doc.split("\n\n")[0].split())


def _public() -> list[Method]:
    rows = import_all()
    return [rows[name] for name in sorted(rows) if rows[name].roles & {OPERATOR, NODE}]


def _table(rows: Iterable[Method]) -> list[str]:
    lines = ["| method | scope | params | again | what it does |", "|---|---|---|---|---|"]
    for row in rows:
        scope = (row.scope or "none").removeprefix("operator.")
        if NODE in row.roles:
            scope = "node" if OPERATOR not in row.roles else f"{scope}, node"
        text = summary(row).replace("|", "\\|").replace("``", "`")
        lines.append(f"| `{row.name}` | {scope} | {_params(row)} | {AGAIN[row.repeat]} | {text} |")
    return lines


def _params(row: Method) -> str:
    if row.struct is None:
        return "ignored"
    fields = msgspec.structs.fields(row.struct)
    names = [f"`{f.encode_name}{'' if f.required else '?'}`" for f in fields]
    return ", ".join(names) or "none"


def _tidy(shape: dict[str, Any]) -> dict[str, Any]:
    """Remove a description's indentation, and a title that repeats the name."""
    found = {key: value for key, value in shape.items() if key != "title"}
    if "description" in found:
        found["description"] = inspect.cleandoc(found["description"])
    return found


def _comment(text: str) -> list[str]:
    return [f"/** {' '.join(text.split())} */"] if text else []


def _type(shape: dict[str, Any]) -> str:
    """Return a JSON Schema as a TypeScript type; what it cannot say is ``unknown``."""
    if "$ref" in shape:
        return _identifier(str(shape["$ref"]).rpartition("/")[2])
    if "enum" in shape:
        return " | ".join(json.dumps(each) for each in shape["enum"])
    if "anyOf" in shape:
        return " | ".join(dict.fromkeys(_type(each) for each in shape["anyOf"]))
    kind = shape.get("type")
    if kind == "object":
        return _object(shape)
    if kind == "array":
        return f"Array<{_type(shape.get('items', {}))}>"
    plain = {"integer": "number", "number": "number", "string": "string", "boolean": "boolean"}
    return plain.get(str(kind), "null" if kind == "null" else "unknown")


def _object(shape: dict[str, Any]) -> str:
    required = set(shape.get("required", ()))
    fields = [
        f"{_key(name)}{'' if name in required else '?'}: {_type(each)}"
        for name, each in shape.get("properties", {}).items()
    ]
    if fields:
        return "{ " + "; ".join(fields) + " }"
    more = shape.get("additionalProperties")
    if isinstance(more, dict):
        return f"Record<string, {_type(more)}>"
    return "Record<string, never>" if more is False else "Record<string, unknown>"


def _identifier(name: str) -> str:
    """Return the name of a type; two structs of one name are told apart by their modules."""
    return re.sub(r"\W", "_", name)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_$][\w$]*", name) else json.dumps(name)


def main(arguments: list[str]) -> None:
    """Print what the option asks for."""
    made = {"--ts": typescript, "--docs": tables}
    sys.stdout.write(made.get(arguments[0], text)() if arguments else text())


if __name__ == "__main__":
    main(sys.argv[1:])
