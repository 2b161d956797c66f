"""Prints an example account, agent, or section of the configuration, with all of its fields."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

import msgspec
from msgspec import inspect

from ipc.frames.words import AGENT
from ops.exits import OperatorError
from ops.output.show import show_json
from runtime.config.account_model import AccountConfig
from runtime.config.agent_model import AgentConfig
from runtime.config.model import Config
from workers.agent import AgentManifest
from workers.plugin import Manifest

NAME = "main"  # of the account, or agent, in the example
KIND = f"{AGENT}:"  # before the name of a kind of agent
WIDTH = 76  # of a comment


def show_example(name: str, *, as_json: bool) -> None:
    """Print an example of a channel, of a kind of agent (``agent:openai``), or of a section.

    Raises ``OperatorError`` for an unknown one, naming those that exist.
    """
    from workers.registry import manifests

    known = manifests()
    sections = _sections()
    kind = name.removeprefix(KIND) if name.startswith(KIND) else ""
    if name in sections:
        _show_section(name, sections[name], as_json=as_json)
    elif name in known:
        _show_account(name, known[name].manifest, as_json=as_json)
    elif kind in known.agents:
        _show_agent(kind, known.agents[kind].manifest, as_json=as_json)
    else:
        broken = known.agents.broken if kind else known.broken
        why = broken.get(kind or name) or f"unknown channel, kind of agent or section {name!r}"
        kinds = [f"{KIND}{each}" for each in known.agents]
        near = get_close_matches(name, [*known, *kinds, *sections], n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise OperatorError(
            f"{why}{hint}; channels: {', '.join(known)}; kinds of agents: {', '.join(kinds)};"
            f" sections: {', '.join(sections)}"
        )


def _show_account(channel: str, manifest: Manifest, *, as_json: bool) -> None:
    if as_json:
        show_json({"channels": {channel: {"accounts": {NAME: dict(manifest.example)}}}})
        return
    print("{\n  channels: {\n" + f"    {channel}: {{\n      accounts: {{\n        {NAME}: {{")
    for line in _fields(manifest, AccountConfig):
        print(f"          {line}")
    print("        },\n      },\n    },\n  },\n}")


def _show_agent(kind: str, manifest: AgentManifest, *, as_json: bool) -> None:
    if as_json:
        entry = {"kind": kind, **manifest.example}
        show_json({"agents": {"default": NAME, "entries": {NAME: entry}}})
        return
    print(f"{{\n  agents: {{\n    default: {_text(NAME)},\n    entries: {{\n      {NAME}: {{")
    print(f"        kind: {_text(kind)},")
    for line in _fields(manifest, AgentConfig):
        print(f"        {line}")
    print("      },\n    },\n  },\n}")


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


def _fields(manifest: Manifest | AgentManifest, common: type[msgspec.Struct]) -> Iterator[str]:
    """Yield the lines of the required fields, then the others as comments with their defaults."""
    said = _descriptions(common) | _descriptions(manifest.config)
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


def descriptions_of(struct: type[msgspec.Struct]) -> dict[str, str]:
    """Return the description of each field that has one."""
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)
    return {
        field.encode_name: text
        for field in info.fields
        if isinstance(field.type, inspect.Metadata)
        and (text := (field.type.extra_json_schema or {}).get("description"))
    }


def _descriptions(struct: type[msgspec.Struct]) -> dict[str, list[str]]:
    """Return the description of each field as comment lines."""
    return {
        name: [f"// {line}" for line in textwrap.wrap(text, WIDTH)]
        for name, text in descriptions_of(struct).items()
    }


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()
