"""Prints the JSON Schema of every frame, ``docs/schema.json``: ``python -m ipc.frames.schema``.

Generated from the types, so that documentation, clients in other languages and the code
cannot disagree. The frames between our own processes are MessagePack; their schema shows the
same arrays as JSON would, bytes as base64 text.
"""

from __future__ import annotations

import json
import sys
from inspect import cleandoc
from typing import Any

import msgspec

from ipc.frames import control, data, status, websocket

DIALECT = "https://json-schema.org/draft/2020-12/schema"
FAMILIES: dict[str, tuple[str, Any]] = {
    "fromClient": ("WebSocket, client to gateway", websocket.Request),
    "fromGateway": ("WebSocket, gateway to client", websocket.Response | websocket.Event),
    "dataFromWorker": ("data link, worker to gateway", list[data.FromWorker]),
    "dataFromGateway": ("data link, gateway to worker", list[data.FromGateway]),
    "controlFromWorker": ("control link, worker to supervisor", list[control.FromWorker]),
    "controlFromSupervisor": ("control link, supervisor to worker", list[control.FromSupervisor]),
    "status": ("what `trunkline status --json` prints", status.Status),
}


def schema() -> dict[str, Any]:
    """Return the schema; a document is valid when it is a message of any family."""
    definitions: dict[str, Any] = {}
    families = {}
    for name, (title, type_) in FAMILIES.items():
        (found,), components = msgspec.json.schema_components(
            [type_], ref_template=f"#/$defs/{name}.{{name}}"
        )
        definitions |= {f"{name}.{inner}": _tidy(shape) for inner, shape in components.items()}
        families[name] = {"title": title, **found}
    return {
        "$schema": DIALECT,
        "title": "Trunkline frames",
        "anyOf": [{"$ref": f"#/$defs/{name}"} for name in families],
        "$defs": families | definitions,
    }


def text() -> str:
    """Return the schema as it is checked in."""
    return json.dumps(schema(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _tidy(shape: dict[str, Any]) -> dict[str, Any]:
    """Remove the indentation of the source from a description."""
    return (
        shape | {"description": cleandoc(shape["description"])} if "description" in shape else shape
    )


if __name__ == "__main__":
    sys.stdout.write(text())
