"""What the documents say of the configuration is true."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from runtime.config.account_model import AccountConfig
from runtime.config.agent_model import AgentConfig
from runtime.config.files import MAX_BYTES
from runtime.config.load import load_text
from runtime.config.local_fields import is_local, local_paths
from tests.docs.links import PAGES, ROOT
from workers.plugin import fields_of
from workers.registry import manifests
from workers.secrets import EXEC_TIMEOUT

DOCS = (ROOT / "docs/configuration.md").read_text()
EXAMPLE = re.compile(r"^ *```json5\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def examples(page: str) -> list[str]:
    """Return the examples of the configuration in a page, each as a whole file."""
    texts = EXAMPLE.findall((ROOT / page).read_text())
    return [
        text if re.sub(r"^ *//.*\n", "", text).startswith("{") else f"{{{text}}}" for text in texts
    ]


@pytest.mark.parametrize("page", [page for page in PAGES if examples(page)])
def test_every_example_of_the_configuration_is_accepted(page: str) -> None:
    for text in examples(page):
        load_text(Path("trunkline.json5"), text)


@pytest.mark.parametrize("name", ["trunkline.json5", "trunkline.toml"])
def test_the_examples_are_valid_and_say_the_same(name: str) -> None:
    language = name.rpartition(".")[2]
    text, *_ = re.findall(rf"```{language}\n(.*?)```", DOCS, re.DOTALL)
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
