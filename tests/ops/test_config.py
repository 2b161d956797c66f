"""``config``: finding, checking and showing the file, without a daemon."""

from __future__ import annotations

from pathlib import Path

import pyjson5

from ops.exits import Exit
from tests.ops.conftest import Here

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
    assert here("config validate").out == f"{home}/trunkline.json5 is fine: 2 accounts\n"
    told = here("config validate --json").json
    assert told["accounts"] == ["irc:a", "irc:b"]
    assert told["ok"] is True


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
        assert here("config validate").code == Exit.OK


def test_an_example_shows_every_other_field_with_its_default(here: Here) -> None:
    text = here("config example irc").out
    assert "// tls: true," in text
    assert "// nickserv: null," in text


def test_an_unknown_channel_names_those_that_exist(here: Here) -> None:
    here("config example ircc").complains(Exit.ERROR, "unknown channel 'ircc'", "irc", "local")


def test_an_impossible_profile_is_a_configuration_error(here: Here) -> None:
    here("config path --profile ../evil").complains(Exit.CONFIGURATION, "impossible name")
