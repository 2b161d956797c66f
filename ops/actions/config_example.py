"""Prints an account to copy into the configuration, with every field that its channel knows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from ops.exits import OperatorError
from ops.output.show import show_json
from workers.plugin import Manifest

NAME = "main"  # of the account in the example


def show_example(channel: str, *, as_json: bool) -> None:
    """Print an example of ``channel``.

    Raises ``OperatorError`` for an unknown channel, naming those that exist.
    """
    from workers.registry import manifests

    known = manifests()
    if channel not in known:
        why = known.broken.get(channel) or f"unknown channel {channel!r}"
        raise OperatorError(f"{why}; known: {', '.join(known)}")
    manifest = known[channel].manifest
    if as_json:
        show_json({"channels": {channel: {"accounts": {NAME: dict(manifest.example)}}}})
        return
    print("{\n  channels: {\n" + f"    {channel}: {{\n      accounts: {{\n        {NAME}: {{")
    for line in _fields(manifest):
        print(f"          {line}")
    print("        },\n      },\n    },\n  },\n}")


def _fields(manifest: Manifest) -> Iterator[str]:
    """Yield the fields of the example, then the others with their defaults as comments."""
    for name, value in manifest.example.items():
        yield f"{name}: {_text(value)},"
    for field in msgspec.structs.fields(manifest.config):
        if field.encode_name in manifest.example:
            continue
        if field.required:
            yield f"{field.encode_name}: …, // must be set"
            continue
        default = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
        yield f"// {field.encode_name}: {_text(msgspec.to_builtins(default))},"


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()
