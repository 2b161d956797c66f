"""Prints an example account, or a section, for the configuration, with all of its fields."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import inspect

from ops.exits import OperatorError
from ops.output.show import show_json
from runtime.config.account_model import AccountConfig
from runtime.config.model import Config
from workers.plugin import Manifest

NAME = "main"  # of the account in the example
WIDTH = 76  # of a comment


def show_example(channel: str, *, as_json: bool) -> None:
    """Print an example of ``channel``, or of a section such as ``gateway``.

    Raises ``OperatorError`` for an unknown one, naming those that exist.
    """
    from workers.registry import manifests

    known = manifests()
    sections = _sections()
    if channel in sections:
        _show_section(channel, sections[channel], as_json=as_json)
        return
    if channel not in known:
        why = known.broken.get(channel) or f"unknown channel or section {channel!r}"
        raise OperatorError(f"{why}; channels: {', '.join(known)}; sections: {', '.join(sections)}")
    manifest = known[channel].manifest
    if as_json:
        show_json({"channels": {channel: {"accounts": {NAME: dict(manifest.example)}}}})
        return
    print("{\n  channels: {\n" + f"    {channel}: {{\n      accounts: {{\n        {NAME}: {{")
    for line in _fields(manifest):
        print(f"          {line}")
    print("        },\n      },\n    },\n  },\n}")


def _sections() -> dict[str, msgspec.Struct]:
    """Return the sections of the file that are objects, as they are by default."""
    whole = Config()
    return {
        field.encode_name: value
        for field in msgspec.structs.fields(Config)
        if isinstance(value := getattr(whole, field.name), msgspec.Struct)
    }


def _show_section(name: str, section: msgspec.Struct, *, as_json: bool) -> None:
    """Print a section with every field at its default; as JSON, which has no comments, all set."""
    if as_json:
        show_json({name: msgspec.to_builtins(section)})
        return
    print(f"{{\n  {name}: {{")
    for line in _defaults(section):
        print(f"    {line}")
    print("  },\n}")


def _defaults(section: msgspec.Struct) -> Iterator[str]:
    """Yield the fields of a section as comments, those inside another below it."""
    said = _descriptions(type(section))
    for field in msgspec.structs.fields(type(section)):
        yield from said.get(field.encode_name, [])
        value = getattr(section, field.name)
        if isinstance(value, msgspec.Struct):
            yield f"{field.encode_name}: {{"
            yield from (f"  {line}" for line in _defaults(value))
            yield "},"
        else:
            yield f"// {field.encode_name}: {_text(msgspec.to_builtins(value))},"


def _fields(manifest: Manifest) -> Iterator[str]:
    """Yield the lines of the required fields, then the others as comments with their defaults."""
    said = _descriptions(AccountConfig) | _descriptions(manifest.config)
    for name, value in manifest.example.items():
        yield from said.get(name, [])
        yield f"{name}: {_text(value)},"
    for field in msgspec.structs.fields(manifest.config):
        if field.encode_name in manifest.example:
            continue
        yield from said.get(field.encode_name, [])
        if field.required:
            yield f"{field.encode_name}: …, // must be set"
            continue
        default = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
        yield f"// {field.encode_name}: {_text(msgspec.to_builtins(default))},"


def _descriptions(struct: type[msgspec.Struct]) -> dict[str, list[str]]:
    """Return the description of each field as comment lines."""
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)
    return {
        field.encode_name: [f"// {line}" for line in textwrap.wrap(text, WIDTH)]
        for field in info.fields
        if isinstance(field.type, inspect.Metadata)
        and (text := (field.type.extra_json_schema or {}).get("description"))
    }


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()
