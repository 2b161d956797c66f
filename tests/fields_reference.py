"""Writes docs/fields.md from the structs: ``python -m tests.fields_reference``."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterator
from typing import Any

import msgspec
from msgspec import inspect

from runtime.config.account_model import AccountConfig
from runtime.config.agent_model import ENTRIES, AgentConfig
from runtime.config.local_fields import local_paths
from runtime.config.model import Config
from runtime.config.schema import SECRETS
from runtime.config.wording import allowed
from workers.agents.registry import BUILT_IN as KINDS
from workers.plugin import fields_of
from workers.registry import BUILT_IN as CHANNELS
from workers.registry import manifests
from workers.secrets import SecretRef

HEAD = """# Fields of the configuration

What each field means, as it is in the code: written by `python -m tests.fields_reference`, compared
by a test. `trunkline config example NAME` prints those of a channel, or a section (`gateway`), to
copy; the console shows them beside its forms. *Local* ones are [changed on the host
alone](configuration.md#what-only-the-host-changes); a *secret* may be a
[reference](configuration.md#secrets). How the parts fit together, and everything else:
[configuration](configuration.md).
"""
COLUMNS = "| field | may be | default | what it does | |\n|---|---|---|---|---|"
PATTERN = re.compile(r"that matches (\S+)")


def structs_in(info: inspect.Type) -> Iterator[tuple[str, type[msgspec.Struct]]]:
    """Yield the structs inside the type of a field, with what stands for names around them.

    ``*`` stands for any name, ``[]`` for any place in a list.
    """
    match info:
        case inspect.Metadata():
            yield from structs_in(info.type)
        case inspect.UnionType():
            for each in info.types:
                yield from structs_in(each)
        case inspect.DictType():
            for path, struct in structs_in(info.value_type):
                yield f".*{path}", struct
        case inspect.ListType():
            for path, struct in structs_in(info.item_type):
                yield f"[]{path}", struct
        case inspect.StructType() if info.cls is not SecretRef:
            yield "", info.cls


def rows(
    struct: type[msgspec.Struct],
    secrets: Collection[str],
    local: Collection[str],
    path: str = "",
) -> Iterator[str]:
    """Yield the rows of a struct's fields, each with those inside it."""
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)
    for field, shown in zip(fields_of(struct), info.fields, strict=True):
        place = f"{path}{field.encode_name}"
        marks = ["local"] if place in local else []
        marks += ["secret"] if {place, f"{place}.*"} & {*secrets} else []
        said = (getattr(shown.type, "extra_json_schema", None) or {}).get("description", "")
        inner = [*structs_in(shown.type)]
        may_be = kind_of(inner[0][0]) if inner else allowed(field.type)
        cells = (
            f"`{place}`",
            may_be.replace("|", "\\|"),
            default_of(field),
            said,
            ", ".join(marks),
        )
        yield f"| {' | '.join(cells)} |"
        for names, each in inner:
            yield from rows(each, secrets, local, f"{place}{names}.")


def kind_of(names: str) -> str:
    """Return what a field with structs inside it may be; their fields have rows of their own."""
    return "a list of objects" if names.startswith("[]") else "an object"


def default_of(field: Any) -> str:
    """Return the default of a field for a table."""
    if field.required:
        return "required"
    made = field.default_factory is not msgspec.NODEFAULT
    value = field.default_factory() if made else field.default
    if value is None:
        return "none"
    if isinstance(value, msgspec.Struct):
        return "as below"
    return f"`{msgspec.json.encode(value).decode()}`"


def section(
    title: str,
    struct: type[msgspec.Struct],
    local: Collection[str],
    secrets: Collection[str] = (),
    path: str = "",
) -> str:
    """Return one chapter of the page; ``path`` stands before the name of each field."""
    table = "\n".join(rows(struct, secrets, local, path))
    body = f"{COLUMNS}\n{table}" if table else "It has no fields of its own."
    return f"## {title}\n\n{body}\n"


def sections() -> dict[str, type[msgspec.Struct]]:
    """Return the sections of the file whose fields are not those of a channel, by name."""
    info = inspect.type_info(Config)
    assert isinstance(info, inspect.StructType)
    return {
        field.encode_name: struct for field in info.fields for _, struct in structs_in(field.type)
    }


def page() -> str:
    """Return docs/fields.md."""
    known = manifests()
    paths = list(local_paths(known))

    def local(prefix: str) -> set[str]:
        return {path.removeprefix(prefix) for path in paths if path.startswith(prefix)}

    parts = [HEAD, section("Every account", AccountConfig, local("channels.local."))]
    for name in CHANNELS:
        found = known[name].manifest
        mine = local(f"channels.{name}.")
        parts.append(section(f"Channel {name}", found.config, mine, found.secrets))
    entries = local(f"{ENTRIES}.*.")
    parts.append(section("Every agent", AgentConfig, entries))
    for kind in KINDS:
        agent = known.agents[kind].manifest
        parts.append(section(f"Agent {kind}", agent.config, entries, agent.secrets))
    for name, struct in sections().items():
        shape = "[]." if name == "bindings" else "."
        parts.append(section(f"Section {name}", struct, paths, SECRETS, f"{name}{shape}"))
    return "\n".join(parts)


if __name__ == "__main__":
    sys.stdout.write(page())
