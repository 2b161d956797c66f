"""Every field of the configuration says what it means, where people read it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from msgspec import inspect

from runtime.config.account_model import ChannelConfig
from runtime.config.agent_model import AgentConfig
from runtime.config.model import Config
from runtime.config.schema import find_at, schema
from workers.agents.registry import BUILT_IN as KINDS
from workers.channels.manifest_data import data_of, manifest_of_data
from workers.registry import BUILT_IN as CHANNELS
from workers.registry import manifests

KNOWN = manifests()
STRUCTS: dict[str, type[msgspec.Struct]] = {
    "config": Config,
    "channels": ChannelConfig,
    "agents": AgentConfig,
    **{f"channel {name}": KNOWN[name].manifest.config for name in CHANNELS},
    **{f"agent {kind}": KNOWN.agents[kind].manifest.config for kind in KINDS},
}


class Inner(msgspec.Struct):
    said_nothing: int = 0


class Outer(msgspec.Struct):
    inner: dict[str, list[Inner] | None] = {}


def described(info: inspect.Type, path: str) -> Iterator[tuple[str, str]]:
    """Yield each field inside a type, by its path, with its description."""
    match info:
        case inspect.Metadata():
            yield from described(info.type, path)
        case inspect.UnionType():
            for each in info.types:
                yield from described(each, path)
        case inspect.DictType():
            yield from described(info.value_type, f"{path}.*")
        case inspect.ListType():
            yield from described(info.item_type, f"{path}.*")
        case inspect.StructType():
            for field in info.fields:
                place = f"{path}.{field.encode_name}"
                shown = getattr(field.type, "extra_json_schema", None) or {}
                yield place, shown.get("description", "")
                yield from described(field.type, place)


@pytest.mark.parametrize("name", STRUCTS)
def test_every_field_has_one_plain_sentence(name: str) -> None:
    found = dict(described(inspect.type_info(STRUCTS[name]), name))
    for path, text in found.items():
        assert re.fullmatch(r"[A-Z][^\n]{15,300}\.", text), f"{path}: {text!r}"
        assert text.count("`") % 2 == 0, path
    assert found or name in ("agent echo", "agent client")


def test_a_field_that_has_none_is_found() -> None:
    found = dict(described(inspect.type_info(Outer), "x"))
    assert found == {"x.inner": "", "x.inner.*.*.said_nothing": ""}


@pytest.mark.parametrize(
    "path",
    [
        "channels.irc.accounts.*.nick",
        "channels.irc.accounts.*.sasl",
        "channels.telegram.botToken",
        "channels.irc.accounts.*.journal",
        "gateway.port",
        "gateway.auth.token",
        "gateway.telemetry",
        "bindings.*.match",
        "hooks.mappings",
    ],
)
def test_the_schema_that_the_console_reads_has_it_for_secrets_and_structs_too(path: str) -> None:
    found: Any = find_at(schema(KNOWN), {}, path)
    assert found["schema"]["description"].endswith(".")


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_manifest_of_data_another_interpreter_has_it_too(channel: str) -> None:
    manifest = KNOWN[channel].manifest
    there = manifest_of_data(msgspec.json.decode(msgspec.json.encode(data_of(manifest))))
    ours = dict(described(inspect.type_info(manifest.config), ""))
    assert dict(described(inspect.type_info(there.config), "")) == ours
