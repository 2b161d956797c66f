"""Examples of configurations, with every field."""

from __future__ import annotations

import re
from pathlib import Path

import pyjson5
import pytest

from ops.exits import ExitCode
from tests.ops.conftest import CommandLine
from workers.agents.registry import BUILT_IN


def test_an_example_is_a_configuration_that_validates(cli: CommandLine, state: Path) -> None:
    for channel in ("discord", "irc", "local", "slack", "telegram", "webhook"):
        text = cli(f"config example {channel}").out
        assert pyjson5.decode(text) == cli(f"config example {channel} --json").json
        (state / "trunkline.json5").write_text(
            text.replace("{\n", '{\n  gateway: {auth: {token: "t"}},\n', 1)
        )
        assert cli("config validate").code == ExitCode.OK


@pytest.mark.parametrize("kind", BUILT_IN)
def test_an_example_of_an_agent_is_a_configuration_that_validates(
    cli: CommandLine, state: Path, kind: str
) -> None:
    text = cli(f"config example agent:{kind}").out
    assert pyjson5.decode(text) == cli(f"config example agent:{kind} --json").json
    token = 'gateway: {auth: {token: "t"}},'
    (state / "trunkline.json5").write_text(text.replace("{\n", f"{{\n  {token}\n", 1))
    assert cli("config validate").code == ExitCode.OK


def test_an_example_shows_every_other_field_with_its_default(cli: CommandLine) -> None:
    text = cli("config example irc").out
    assert "// tls: true," in text
    assert "// nickserv: null," in text


def test_an_example_says_what_each_field_means(cli: CommandLine) -> None:
    lines = [line.strip() for line in cli("config example webhook").out.splitlines()]
    before = {line: lines[place - 1] for place, line in enumerate(lines)}
    assert before["// timeoutSeconds: 15.0,"].startswith("// Seconds that the peer has to answer")
    assert before["ingress: true,"].startswith("// ")
    assert max(map(len, lines)) < 100


@pytest.mark.parametrize("name", ["gateway", "supervisor", "journal", "session", "hooks", "cron"])
def test_an_example_of_a_section_is_what_counts_without_it(
    cli: CommandLine, state: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("TRUNKLINE_GATEWAY_TOKEN", "t")
    text = cli(f"config example {name}").out
    lines = text.splitlines()
    assert max(map(len, lines)) < 100
    every_field = re.sub(r"^( *)// (\w+: .*,)$", r"\1\2", text, flags=re.MULTILINE)
    assert pyjson5.decode(every_field) == cli(f"config example {name} --json").json
    fields = [place for place, line in enumerate(lines) if re.match(r" +(// )?\w+: .*[,{]$", line)]
    assert all(lines[place - 1].strip().startswith("// ") for place in fields if place > 1)
    (state / "trunkline.json5").write_text(text)
    assert cli("config validate").code == ExitCode.OK


def test_an_unknown_channel_names_those_that_exist(cli: CommandLine) -> None:
    cli("config example ircc").complains(
        ExitCode.ERROR, "section 'ircc' (did you mean irc?)", "local", "gateway", "agent:openai"
    )
