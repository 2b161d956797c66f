"""A channel and a kind of agent to configure in tests, with every kind of field they may have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta

from runtime.config.errors import ConfigError
from runtime.config.load import Loaded, load
from workers.agent import AgentManifest
from workers.agents.echo import manifest as echo
from workers.installed import InstalledManifest
from workers.plugin import LOCAL, Manifest
from workers.registry import InstalledChannel, Manifests


class Login(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    user: str
    password: str


class Fields(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True):
    server: Annotated[str, Meta(min_length=1)]
    port: Annotated[int, Meta(ge=1, le=65535)] = 6697
    tls: bool = True
    ping_seconds: Annotated[float, Meta(gt=0)] = 60.0
    style: Literal["plain", "rich"] = "plain"
    password: str | None = None
    signin: Login | None = None
    rooms: list[Annotated[str, Meta(min_length=2)]] = []
    labels: dict[str, int] = {}

    def __post_init__(self) -> None:
        if self.port == 6667 and self.tls:
            raise ValueError("port 6667 speaks no TLS")


def key_of_room(entry: str) -> str | None:
    return entry.partition(" ")[2] or None


class Chatty(Manifest):
    def describe(self, config: Any) -> str:
        return f"at {config['server']}"


class Thought(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    base_url: Annotated[str, LOCAL]
    api_key: str | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] = 1.0
    command: Annotated[list[str], LOCAL] = []
    motto: str = ""

    def __post_init__(self) -> None:
        if self.motto and self.command:
            raise ValueError("a command has no motto")


class ThinkingManifest(AgentManifest):
    def describe(self, config: Any) -> str:
        return f"at {config['baseUrl']}"


def known(**broken: str) -> Manifests:
    found = Manifests()
    manifest = Chatty(
        id="talk",
        label="Talk",
        config=Fields,
        plugin="tests.talk:Talk",
        secrets=frozenset({"password", "signin.password"}),
        secret_parts={"rooms": key_of_room},
    )
    found["talk"] = InstalledChannel(manifest, "tests.talk:manifest", "tests")
    found.broken.update(broken)
    kind = ThinkingManifest(
        "think", "Thinking", Thought, "tests.think:Think", frozenset({"apiKey"})
    )
    found.agents["think"] = InstalledManifest(kind, "tests.think:manifest", "tests")
    found.agents["echo"] = InstalledManifest(echo, "workers.agents.echo:manifest", "trunkline")
    found.agents.broken["rot"] = "rotten: 1 / 0"
    return found


def write(directory: Path, text: str, name: str = "trunkline.json5") -> Path:
    path = directory / name
    path.write_text(text)
    return path


def read(directory: Path, text: str, name: str = "trunkline.json5", **broken: str) -> Loaded:
    return load(write(directory, text, name), known(**broken))


def refused(directory: Path, text: str, name: str = "trunkline.json5", **broken: str) -> list[str]:
    """Return the lines of the error that ``text`` must cause, without the file's name."""
    with pytest.raises(ConfigError) as caught:
        read(directory, text, name, **broken)
    start = str(directory / name)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(start) for line in lines)
    return [line.removeprefix(start) for line in lines]
