"""Builds the JSON Schema of the whole configuration, and looks up one path in it. Pure.

The channels and kinds of agents that are installed are part of it. A place is a path with dots, as
in ``channels.irc.accounts.*.host``: the name of an account or an agent, or the place in a list, may
stand for ``*``; ``.`` is the whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from inspect import cleandoc
from typing import Any

import msgspec

from runtime.config.account_model import AccountConfig, ChannelConfig
from runtime.config.agent_model import ENTRIES, AgentConfig
from runtime.config.local_fields import local_paths
from runtime.config.model import AgentsConfig, Config
from workers.agent import AgentManifest
from workers.agents.registry import AgentKinds
from workers.plugin import Manifest
from workers.registry import Manifests
from workers.secrets import SecretRef

Shape = dict[str, Any]  # a JSON Schema, or a part of one

SECRETS = (  # beside those that the manifests of channels and agents name
    "gateway.auth.token",
    "gateway.auth.password",
    "gateway.telemetry.headers.*",
    "hooks.token",
)
LOCAL_HELP = "Changed on the gateway's host alone, unless gateway.remoteExec is true."
NESTED = ("properties", "additionalProperties", "items", "required", "$defs")
SAID = ("description", "default")  # of a field, whichever form its value has
_REF = "#/$defs/{name}"


def schema(manifests: Manifests) -> dict[str, Any]:
    """Return the schema; a channel's section holds its account's fields, and ``accounts``."""
    parts = [Config, ChannelConfig, AccountConfig, SecretRef, AgentConfig, AgentsConfig]
    structs = parts + [found.manifest.config for found in manifests.values()]
    structs += [found.manifest.config for found in manifests.agents.values()]
    shapes, components = msgspec.json.schema_components(structs, ref_template=_REF)
    resolved = {
        struct: _component(shape, components) for struct, shape in zip(structs, shapes, strict=True)
    }
    config = dict(resolved[Config])
    reference = _component(shapes[3], components)
    channels = {
        name: _section(found.manifest, resolved, reference) for name, found in manifests.items()
    }
    config["properties"] = config["properties"] | {
        "channels": {"type": "object", "properties": channels},
        "agents": _agents(manifests.agents, resolved, reference),
    }
    definitions = {name: _tidy(shape) for name, shape in components.items()}
    return _tidy(config) | {"$defs": definitions}


def hints(manifests: Manifests) -> dict[str, Any]:
    """Return which fields are secret or local, by path.

    ``*`` stands for the name of an account or an agent.
    """
    found: dict[str, Any] = {path: {"help": LOCAL_HELP} for path in local_paths(manifests)}
    for path in _secrets(manifests):
        found.setdefault(path, {})["sensitive"] = True
    return found


def find_at(schema: Shape, hints: Mapping[str, Any], path: str) -> dict[str, Any] | None:
    """Return the answer of ``config.schema.lookup``, or ``None`` if nothing is at ``path``."""
    keys = re.findall(r"[^.\[\]]+", path.replace("/", "."))
    shape: Shape | None = schema
    named: list[str] = []  # with ``*`` for what has any name: hints are kept so
    for key in keys:
        inner = {} if shape is None else _children(schema, shape)
        if key not in inner and "*" not in inner:
            return None
        named.append(key if key in inner else "*")
        shape = inner[named[-1]]
    if shape is None:
        return None
    whole = _dereferenced(schema, shape)
    required = whole.get("required", ())
    children = [
        {"key": key, "path": ".".join([*keys, key]), "required": key in required}
        | _child(schema, each)
        | _hint(hints, [*named, key])
        for key, each in _children(schema, shape).items()
    ]
    shown = {name: value for name, value in whole.items() if name not in NESTED}
    return {"path": path, "schema": shown, "children": children} | _hint(hints, named)


def _secrets(manifests: Manifests) -> Iterator[str]:
    yield from SECRETS
    for channel, found in manifests.items():
        for name in sorted(found.manifest.secrets):
            yield f"channels.{channel}.{name}"
            yield f"channels.{channel}.accounts.*.{name}"
    for kind in manifests.agents.values():
        yield from (f"{ENTRIES}.*.{name}" for name in sorted(kind.manifest.secrets))


def _section(manifest: Manifest, shapes: Mapping[Any, Shape], reference: Shape) -> Shape:
    """Return the schema of a channel's section; a secret may be a ``reference``."""
    fields = _fields(manifest, shapes, reference)
    account = {
        "type": "object",
        "properties": fields | shapes[AccountConfig].get("properties", {}),
        "additionalProperties": False,
    }
    channel = shapes[ChannelConfig].get("properties", {})
    accounts = {"type": "object", "additionalProperties": account}
    return {
        "type": "object",
        "title": manifest.label,
        "properties": fields | channel | {"accounts": accounts},
        "additionalProperties": False,
    }


def _agents(kinds: AgentKinds, shapes: Mapping[Any, Shape], reference: Shape) -> Shape:
    """Return the schema of the section ``agents``: an entry has the fields of its kind."""
    common = shapes[AgentConfig].get("properties", {})
    entries = [
        {
            "type": "object",
            "title": found.manifest.label,
            "properties": _fields(found.manifest, shapes, reference)
            | common
            | {"kind": {"const": kind}},
            "required": ["kind"],
            "additionalProperties": False,
        }
        for kind, found in kinds.items()
    ]
    listed = {"type": "object", "additionalProperties": {"anyOf": entries}}
    section = shapes[AgentsConfig]
    return section | {"properties": section["properties"] | {"entries": listed}}


def _fields(
    manifest: Manifest | AgentManifest, shapes: Mapping[Any, Shape], reference: Shape
) -> dict[str, Shape]:
    """Return the fields of a manifest's struct; a secret may be a ``reference``."""
    fields = dict(shapes[manifest.config].get("properties", {}))
    for name in manifest.secrets & set(fields):
        said = {key: fields[name][key] for key in SAID if key in fields[name]}
        plain = {key: value for key, value in fields[name].items() if key not in said}
        fields[name] = said | {"anyOf": [plain, reference]}
    return fields


def _component(shape: Shape, components: Mapping[str, Shape]) -> Shape:
    """Return the component that a generated schema refers to, or the schema itself."""
    name = shape.get("$ref", "").rpartition("/")[2]
    return components[name] if name else shape


def _tidy(shape: Shape) -> Shape:
    """Return a schema whose description, a docstring, is dedented."""
    if "description" not in shape:
        return shape
    return shape | {"description": cleandoc(shape["description"])}


def _children(schema: Shape, shape: Shape) -> dict[str, Shape]:
    """Return the parts of a schema by key; ``*`` stands for any name or place."""
    found: dict[str, Shape] = {}
    for each in _alternatives(schema, shape):
        found |= each.get("properties", {})
        for name in ("additionalProperties", "items"):
            if isinstance(each.get(name), dict):
                found["*"] = each[name]
    return found


def _child(schema: Shape, shape: Shape) -> dict[str, Any]:
    types = list(
        dict.fromkeys(each["type"] for each in _alternatives(schema, shape) if "type" in each)
    )
    answer: dict[str, Any] = {"hasChildren": bool(_children(schema, shape))}
    return answer | ({"type": types[0] if len(types) == 1 else types} if types else {})


def _hint(hints: Mapping[str, Any], named: list[str]) -> dict[str, Any]:
    place = ".".join(named)
    return {"hint": hints[place], "hintPath": place} if place in hints else {}


def _alternatives(schema: Shape, shape: Shape) -> list[Shape]:
    whole = _dereferenced(schema, shape)
    if "anyOf" not in whole:
        return [whole]
    return [each for option in whole["anyOf"] for each in _alternatives(schema, option)]


def _dereferenced(schema: Shape, shape: Shape) -> Shape:
    """Return the target of a reference, overridden by the fields beside the reference."""
    name = shape.get("$ref")
    if name is None:
        return shape
    found: Shape = schema["$defs"][name.rpartition("/")[2]]
    return found | {key: value for key, value in shape.items() if key != "$ref"}
