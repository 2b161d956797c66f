"""Examples of configurations, with every field."""

from __future__ import annotations

from pathlib import Path

import pyjson5

from ops.exits import ExitCode
from tests.ops.conftest import CommandLine


def test_an_example_is_a_configuration_that_validates(cli: CommandLine, state: Path) -> None:
    for channel in ("discord", "irc", "local", "slack", "telegram", "webhook"):
        text = cli(f"config example {channel}").out
        assert pyjson5.decode(text) == cli(f"config example {channel} --json").json
        (state / "trunkline.json5").write_text(
            text.replace("{\n", '{\n  gateway: {auth: {token: "t"}},\n', 1)
        )
        assert cli("config validate").code == ExitCode.OK


def test_an_example_shows_every_other_field_with_its_default(cli: CommandLine) -> None:
    text = cli("config example irc").out
    assert "// tls: true," in text
    assert "// nickserv: null," in text


def test_an_example_says_what_each_field_means(cli: CommandLine) -> None:
    lines = [line.strip() for line in cli("config example webhook").out.splitlines()]
    before = {line: lines[place - 1] for place, line in enumerate(lines)}
    assert before["// timeoutSeconds: 15.0,"].startswith("// Seconds that a peer has to answer")
    assert before["ingress: true,"].startswith("// ")
    assert max(map(len, lines)) < 100


def test_an_unknown_channel_names_those_that_exist(cli: CommandLine) -> None:
    cli("config example ircc").complains(ExitCode.ERROR, "unknown channel 'ircc'", "irc", "local")
