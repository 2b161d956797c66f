"""docs/configuration.md says what is true."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from runtime.config.account_model import AccountConfig, ChannelConfig
from runtime.config.agent_model import AgentConfig
from runtime.config.check import is_struct, members
from runtime.config.files import MAX_BYTES
from runtime.config.load import load_text
from runtime.config.local_fields import is_local, local_paths
from runtime.config.model import Config
from runtime.config.timers import HeartbeatConfig
from workers.plugin import fields_of
from workers.registry import manifests
from workers.secrets import EXEC_TIMEOUT

DOCS = Path(__file__).parents[2].joinpath("docs/configuration.md").read_text()
ROWS = dict(re.findall(r"^\| `([a-z][\w.]*)` \| (`[^`]*`|none) \|", DOCS, re.MULTILINE))


def fields(struct: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield path and default of every field that holds a value."""
    for field in msgspec.structs.fields(struct):
        name = f"{path}{field.encode_name}"
        inner = [each for each in members(field.type) if is_struct(each)]
        if inner and is_struct(type(field.default)):
            yield from fields(inner[0], f"{name}.")
        elif field.required:
            yield name, None
        elif field.default_factory is not msgspec.NODEFAULT:
            yield name, field.default_factory()
        else:
            yield name, field.default


def documented() -> dict[str, Any]:
    return {
        name: None if default == "none" else json.loads(default.strip("`"))
        for name, default in ROWS.items()
    }


def test_every_field_is_documented_with_its_default() -> None:
    expected = dict(fields(Config)) | dict(fields(AccountConfig)) | dict(fields(ChannelConfig))
    expected |= dict(fields(AgentConfig, "agents.entries.ID."))
    heartbeat = "agents.entries.ID.heartbeat."
    expected |= dict(fields(HeartbeatConfig, heartbeat))
    del expected[f"{heartbeat}activeHours"]  # its fields are listed, as those of the heartbeat
    del expected["agents.entries.ID.heartbeat"]
    expected[f"{heartbeat}activeHours.timezone"] = None
    del expected["channels"]  # has its own chapter
    assert documented() == expected


@pytest.mark.parametrize("name", ["trunkline.json5", "trunkline.toml"])
def test_the_examples_are_valid_and_say_the_same(name: str) -> None:
    language = name.rpartition(".")[2]
    (text,) = re.findall(rf"```{language}\n(.*?)```", DOCS, re.DOTALL)
    loaded = load_text(Path(name), text)
    assert list(loaded.accounts) == ["local:demo", "irc:libera", "irc:quiet"]
    assert all(spec.enabled and spec.configured for spec in loaded.accounts.values())
    quiet = loaded.accounts["irc:quiet"]
    assert (quiet.agent, quiet.restart.maximum_seconds) == ("none", 60)
    assert quiet.config["server"] == "irc.libera.chat"


def test_the_fields_that_only_the_host_changes_are_listed() -> None:
    section = DOCS.partition("\n## What only the host changes\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([^|]*) \| ((?:`[\w.]+`(?:, )?)+) \|$", section, re.MULTILINE)
    listed = {where: set(re.findall(r"`([\w.]+)`", fields)) for where, fields in rows}
    known = manifests()
    common = {path.rpartition(".")[2] for path in local_paths(known) if "irc" in path}
    common &= {each.encode_name for each in msgspec.structs.fields(AccountConfig)}
    agents = [path for path in local_paths(known) if path.startswith("agents.entries.*.")]
    ours = {each.encode_name for each in msgspec.structs.fields(AgentConfig)}
    expected = {
        "every channel, and every account": common,
        "every agent, `agents.entries.*`": {path.rpartition(".")[2] for path in agents} & ours,
    }
    for kind, found in known.agents.items():
        names = {each.encode_name for each in fields_of(found.manifest.config) if is_local(each)}
        if names:
            expected[f"agents of the kind `{kind}`"] = names
    for prefix, where in {
        "gateway": "`gateway`",
        "media": "`media`, for all accounts",
        "canvasHost": "`canvasHost`",
        "cron": "the section `cron`",
        "channels.discord": "`channels.discord`, and its accounts",
        "channels.irc": "`channels.irc`, and its accounts",
        "channels.slack": "`channels.slack`, and its accounts",
        "channels.telegram": "`channels.telegram`, and its accounts",
        "channels.webhook": "`channels.webhook`, and its accounts",
    }.items():
        paths = [path for path in local_paths(known) if path.startswith(f"{prefix}.")]
        names = {path.removeprefix(f"{prefix}.") for path in paths if "*" not in path}
        expected[where] = names - common
    assert listed == expected
    built_in = ("discord", "irc", "local", "slack", "telegram", "webhook")
    listable = (
        "gateway.",
        "media.",
        "canvasHost.",
        "cron.",
        "agents.",
        *(f"channels.{each}." for each in built_in),
    )
    assert all(path.startswith(listable) for path in local_paths(known))
    assert [path for path in local_paths(known) if path.startswith("channels.local.")] == [
        "channels.local.launcher",
        "channels.local.accounts.*.launcher",
        "channels.local.python",
        "channels.local.accounts.*.python",
        "channels.local.confine",
        "channels.local.accounts.*.confine",
        "channels.local.proxy",
        "channels.local.accounts.*.proxy",
    ]


def test_the_numbers_in_the_text_are_those_of_the_code() -> None:
    assert f"{MAX_BYTES >> 20} MiB" in DOCS
    assert f"has {EXEC_TIMEOUT:g} s" in DOCS
