"""``config``: checking and showing the file, without a daemon."""

from __future__ import annotations

from pathlib import Path

from tests.ops.conftest import CommandLine

CONFIGURATION = """{
  gateway: { auth: { token: "t0psecret" } },
  channels: {
    irc: { server: "irc.example.org", accounts: {
      a: { nick: "bot", password: "hunter2" },
      b: { nick: "bot2", password: {source: "env", id: "IRC_PASSWORD"} },
    } },
  },
}
"""


def test_a_configuration_that_is_fine(cli: CommandLine, state: Path) -> None:
    (state / "trunkline.json5").write_text(CONFIGURATION)
    (state / "trunkline.json5").chmod(0o600)
    assert cli("config validate").out == f"{state}/trunkline.json5 is fine: 2 accounts\n"
    told = cli("config validate --json").json
    assert told["accounts"] == ["irc:a", "irc:b"]
    assert told["ok"] is True


def test_secrets_that_others_may_read_are_warned_of(cli: CommandLine, state: Path) -> None:
    file = state / "trunkline.json5"
    file.write_text(CONFIGURATION)
    file.chmod(0o640)
    assert "warning: " + f"{file} holds secrets and others may" in cli("config validate").out
    file.write_text("{gateway: {auth: {token: {source: 'env', id: 'T'}}}}")
    assert "warning" not in cli("config validate").out


def test_a_secret_of_another_format_is_warned_of(cli: CommandLine, state: Path) -> None:
    file = state / "trunkline.json5"
    token = '{gateway: {auth: {token: "t"}}, channels: {telegram: {botToken: "hunter2"}}}'
    file.write_text(token)
    file.chmod(0o600)
    found = cli("config validate")
    assert found.out.startswith("warning: channels.telegram.botToken: ")
    assert "hunter2" not in found.out
    (warning,) = cli("config validate --json").json["warnings"]
    assert warning.startswith("channels.telegram.botToken: ")


def test_no_secret_is_shown(cli: CommandLine, state: Path) -> None:
    (state / "trunkline.json5").write_text(CONFIGURATION)
    shown = cli("config show")
    assert "t0psecret" not in shown.out
    assert "hunter2" not in shown.out
    assert shown.json["channels"]["irc"]["accounts"]["a"]["nick"] == "bot"
    assert shown.json["channels"]["irc"]["accounts"]["b"]["password"]["id"] == "IRC_PASSWORD"
