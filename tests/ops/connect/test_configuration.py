"""The configuration without a daemon: missing, wrong, overridden."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.exits import ExitCode
from tests.ops.conftest import CommandLine


@pytest.mark.parametrize(
    ("gateway", "word"),
    [
        ("bind: 'lan'", "gateway.auth.token: is missing"),
        ("bind: 'lan', auth: {mode: 'none'}", "allowed with auth.mode none: loopback"),
        ("auth: {mode: 'trusted-proxy', token: 't'}", "gateway.trustedProxies: is empty"),
    ],
)
def test_what_up_refuses_is_not_fine(
    cli: CommandLine, state: Path, gateway: str, word: str
) -> None:
    (state / "trunkline.json5").write_text(f"{{gateway: {{{gateway}}}}}")
    cli("config validate").complains(ExitCode.CONFIGURATION, word)


def test_the_environment_is_checked_too(
    cli: CommandLine, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (state / "trunkline.json5").write_text("{}")
    monkeypatch.setenv("TRUNKLINE_GATEWAY_PORT", "abc")
    cli("config validate").complains(ExitCode.CONFIGURATION, "TRUNKLINE_GATEWAY_PORT")
    monkeypatch.setenv("TRUNKLINE_GATEWAY_PORT", "18999")
    monkeypatch.setenv("TRUNKLINE_GATEWAY_TOKEN", "t0psecret")
    assert cli("config validate").code == ExitCode.OK


@pytest.mark.parametrize("command", ["config validate", "config show", "channels list", "up"])
def test_a_wrong_configuration_is_78_with_file_and_path(
    cli: CommandLine, state: Path, command: str
) -> None:
    (state / "trunkline.json5").write_text("{gateway: {port: 'high', auth: {token: 't'}}}")
    cli(command).complains(ExitCode.CONFIGURATION, str(state / "trunkline.json5"), "gateway.port")


def test_without_a_configuration_the_sentence_says_how_to_get_one(cli: CommandLine) -> None:
    cli("config validate").complains(ExitCode.CONFIGURATION, "trunkline up")
