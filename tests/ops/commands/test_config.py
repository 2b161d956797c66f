"""``config``: finding, checking and showing the file, without a daemon."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyjson5
import pytest

from ops.exits import ExitCode
from tests.ops.conftest import Here
from tests.support.commandline import trunkline
from tests.support.daemon import Daemon
from tests.support.fakeserver import fake_supervisor

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


def test_a_configuration_that_is_fine(here: Here, home: Path) -> None:
    (home / "trunkline.json5").write_text(CONFIGURATION)
    (home / "trunkline.json5").chmod(0o600)
    assert here("config validate").out == f"{home}/trunkline.json5 is fine: 2 accounts\n"
    told = here("config validate --json").json
    assert told["accounts"] == ["irc:a", "irc:b"]
    assert told["ok"] is True


@pytest.mark.parametrize(
    ("gateway", "word"),
    [
        ("bind: 'lan'", "gateway.auth.token: is missing"),
        ("bind: 'lan', auth: {mode: 'none'}", "allowed with auth.mode none: loopback"),
        ("auth: {mode: 'trusted-proxy', token: 't'}", "gateway.trustedProxies: is empty"),
    ],
)
def test_what_up_refuses_is_not_fine(here: Here, home: Path, gateway: str, word: str) -> None:
    (home / "trunkline.json5").write_text(f"{{gateway: {{{gateway}}}}}")
    here("config validate").complains(ExitCode.CONFIGURATION, word)


def test_the_environment_is_checked_too(
    here: Here, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "trunkline.json5").write_text("{}")
    monkeypatch.setenv("TRUNKLINE_GATEWAY_PORT", "abc")
    here("config validate").complains(ExitCode.CONFIGURATION, "TRUNKLINE_GATEWAY_PORT")
    monkeypatch.setenv("TRUNKLINE_GATEWAY_PORT", "18999")
    monkeypatch.setenv("TRUNKLINE_GATEWAY_TOKEN", "t0psecret")
    assert here("config validate").code == ExitCode.OK


def test_secrets_that_others_may_read_are_warned_of(here: Here, home: Path) -> None:
    file = home / "trunkline.json5"
    file.write_text(CONFIGURATION)
    file.chmod(0o640)
    assert "warning: " + f"{file} holds secrets and others may" in here("config validate").out
    file.write_text("{gateway: {auth: {token: {source: 'env', id: 'T'}}}}")
    assert "warning" not in here("config validate").out


def test_no_secret_is_shown(here: Here, home: Path) -> None:
    (home / "trunkline.json5").write_text(CONFIGURATION)
    shown = here("config show")
    assert "t0psecret" not in shown.out
    assert "hunter2" not in shown.out
    assert shown.json["channels"]["irc"]["accounts"]["a"]["nick"] == "bot"
    assert shown.json["channels"]["irc"]["accounts"]["b"]["password"]["id"] == "IRC_PASSWORD"


def test_all_places_are_told(here: Here, home: Path) -> None:
    places = here("config path --json").json
    assert places == {
        "config": f"{home}/trunkline.json5",
        "state": str(home),
        "run": str(home),
        "logs": f"{home}/logs",
        "profile": None,
    }


def test_an_example_is_a_configuration_that_validates(here: Here, home: Path) -> None:
    for channel in ("irc", "local"):
        text = here(f"config example {channel}").out
        assert pyjson5.decode(text) == here(f"config example {channel} --json").json
        (home / "trunkline.json5").write_text(
            text.replace("{\n", '{\n  gateway: {auth: {token: "t"}},\n', 1)
        )
        assert here("config validate").code == ExitCode.OK


def test_an_example_shows_every_other_field_with_its_default(here: Here) -> None:
    text = here("config example irc").out
    assert "// tls: true," in text
    assert "// nickserv: null," in text


def test_an_unknown_channel_names_those_that_exist(here: Here) -> None:
    here("config example ircc").complains(ExitCode.ERROR, "unknown channel 'ircc'", "irc", "local")


def test_an_impossible_profile_is_a_configuration_error(here: Here) -> None:
    here("config path --profile ../evil").complains(ExitCode.CONFIGURATION, "impossible name")


async def test_a_reload_says_what_it_changed(home: Path) -> None:
    done = {
        "revision": "r2",
        "gateway": "unchanged",
        "added": ["irc:a"],
        "changed": [],
        "removed": ["irc:b", "irc:c"],
        "warnings": ["mind the gap"],
    }
    async with fake_supervisor(home, config__reload=done):
        told = await trunkline(home, "config", "reload")
        assert (await trunkline(home, "config", "reload", "--json")).json == done
    assert (told.code, told.out.splitlines()) == (
        ExitCode.OK,
        [
            f"{home}/trunkline.json5 is in force; gateway unchanged",
            "added: irc:a",
            "removed: irc:b, irc:c",
            "warning: mind the gap",
        ],
    )
    (await trunkline(home, "config", "reload")).complains(ExitCode.NOT_RUNNING)


@pytest.mark.e2e
async def test_a_wrong_file_is_not_taken_over(tmp_path: Path) -> None:
    config: dict[str, Any] = {"channels": {"local": {"accounts": {"demo": {}}}}}
    unwatched = {"gateway": {"reload": {"mode": "off"}}}  # the command alone takes it over
    async with Daemon(tmp_path, config | unwatched) as daemon:
        before = await daemon.status()
        text = daemon.config_path.read_text()
        daemon.config_path.write_text(text.replace('"demo": {}', '"demo": {"echoo": 1}'))
        code, out, err = await daemon.command("config", "reload")
        assert (code, out) == (ExitCode.CONFIGURATION, "")
        assert "channels.local.accounts.demo.echoo" in err
        assert await daemon.command("gateway", "health") == (ExitCode.OK, "ok\n", "")
        after = await daemon.status()
        assert after["supervisor"]["configRevision"] == before["supervisor"]["configRevision"]
        assert after["accounts"]["local:demo"]["pid"] == before["accounts"]["local:demo"]["pid"]
        daemon.config_path.write_text(text.replace('"demo": {}', '"demo": {}, "two": {}'))
        code, out, err = await daemon.command("config", "reload")
        assert (code, err) == (ExitCode.OK, "")
        assert "added: local:two" in out
        await daemon.wait_phase("local:two", "running")
