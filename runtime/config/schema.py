"""The JSON Schema of the whole configuration, the channels that are installed included."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from inspect import cleandoc
from typing import Any

import msgspec

from runtime.config.model import AccountConfig, ChannelConfig, Config
from workers.plugin import Manifest
from workers.registry import Manifests
from workers.secrets import SecretRef

_REF = "#/$defs/{name}"
GATEWAY_SECRETS = ("gateway.auth.token", "gateway.auth.password")


def schema(manifests: Manifests) -> dict[str, Any]:
    """Return the schema: a channel's section holds its account's fields, and ``accounts``."""
    parts = [Config, ChannelConfig, AccountConfig, SecretRef]
    structs = parts + [found.manifest.config for found in manifests.values()]
    shapes, components = msgspec.json.schema_components(structs, ref_template=_REF)
    resolved = {
        struct: _resolve(shape, components) for struct, shape in zip(structs, shapes, strict=True)
    }
    config = dict(resolved[Config])
    channels = {
        name: _section(found.manifest, resolved, _resolve(shapes[3], components))
        for name, found in manifests.items()
    }
    config["properties"] = config["properties"] | {
        "channels": {"type": "object", "properties": channels}
    }
    definitions = {name: _tidy(shape) for name, shape in components.items()}
    return _tidy(config) | {"$defs": definitions}


def hints(manifests: Manifests) -> dict[str, Any]:
    """Return which fields are secret, by path; ``*`` stands for an account's name."""
    return {path: {"sensitive": True} for path in _secrets(manifests)}


def _secrets(manifests: Manifests) -> Iterator[str]:
    yield from GATEWAY_SECRETS
    for channel, found in manifests.items():
        for name in sorted(found.manifest.secrets):
            yield f"channels.{channel}.{name}"
            yield f"channels.{channel}.accounts.*.{name}"


def _section(
    manifest: Manifest, shapes: Mapping[Any, dict[str, Any]], reference: dict[str, Any]
) -> dict[str, Any]:
    fields = dict(shapes[manifest.config].get("properties", {}))
    for name in manifest.secrets & set(fields):
        fields[name] = {"anyOf": [fields[name], reference]}
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


def _resolve(shape: dict[str, Any], components: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    name = shape.get("$ref", "").rpartition("/")[2]
    return components[name] if name else shape


def _tidy(shape: dict[str, Any]) -> dict[str, Any]:
    if "description" not in shape:
        return shape
    return shape | {"description": cleandoc(shape["description"])}
