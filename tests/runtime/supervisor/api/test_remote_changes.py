"""What is refused of a change from elsewhere, and the command that makes it on the host."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pyjson5
import pytest

from ipc.errors import RemoteError
from ops.cli.main import run
from runtime.config.errors import ConfigError
from runtime.config.load import load_text
from runtime.config.places import Places
from runtime.config.text.merge_patch import merged
from runtime.supervisor.api.remote_changes import CODE, LONGEST, refuse_local_changes
from workers.registry import manifests

BEFORE: dict[str, Any] = {
    "gateway": {"auth": {"token": "t0psecret"}},
    "channels": {"irc": {"accounts": {"a": {"server": "irc.example", "nick": "n"}}}},
}
LOADED = load_text(Path("c.json5"), "{}", manifests())


def places(state: str = "/srv/state", profile: str | None = None) -> Places:
    where = Path(state)
    return Places(where, where / "trunkline.json5", where / "run", where / "logs", profile)


def refused(patch: dict[str, Any], at: Places | None = None) -> RemoteError:
    after = merged(BEFORE, patch)
    with pytest.raises(RemoteError) as caught:
        refuse_local_changes(at or places(), LOADED, BEFORE, after)
    return caught.value


def test_the_refusal_names_the_fields_and_the_command_in_words_and_details() -> None:
    error = refused({"gateway": {"command": ["sh", "-c", "it's"]}, "agents": {"default": "none"}})
    assert (error.code, error.retryable) == ("FORBIDDEN", False)
    assert error.details["code"] == CODE
    assert error.details["fields"] == ["gateway.command"]
    command = error.details["command"]
    assert error.message == (
        "gateway.command: only changed on the gateway's host (gateway.remoteExec is false)."
        f" Run there: {command}"
    )
    *words, patch = shlex.split(command)
    assert words == ["trunkline", "config", "patch", "--state-dir", "/srv/state"]
    assert pyjson5.decode(patch) == {
        "gateway": {"command": ["sh", "-c", "it's"]},
        "agents": {"default": "none"},
    }


def test_the_command_is_one_that_the_command_line_understands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """There is no daemon in that directory, which is all that it complains of."""
    command = refused({"gateway": {"url": "ws://a"}}, places(str(tmp_path))).details["command"]
    assert run(shlex.split(command)[1:]) == 3
    assert str(tmp_path) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("at", "options"),
    [
        (places(profile="work"), ["--profile", "work"]),
        (places("/my state"), ["--state-dir", "/my state"]),
    ],
)
def test_the_command_finds_the_daemon(at: Places, options: list[str]) -> None:
    words = shlex.split(refused({"gateway": {"url": "ws://a"}}, at).details["command"])
    assert words[3:-1] == options


def test_a_daemon_at_the_usual_place_needs_no_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    usual = places(str(tmp_path / "trunkline"))
    words = shlex.split(refused({"gateway": {"url": "ws://a"}}, usual).details["command"])
    assert words[:-1] == ["trunkline", "config", "patch"]


def test_a_secret_stands_in_no_command() -> None:
    error = refused({"channels": {"irc": {"accounts": {"b": {"server": "s", "password": "pw1"}}}}})
    assert error.details["command"].endswith("config patch --state-dir /srv/state -")
    assert "it reads the change from stdin, because it holds a secret" in error.message
    assert "pw1" not in f"{error.message}{error.details}"


def test_where_no_command_can_say_it_the_file_is_named() -> None:
    for patch in ({"gateway": {"url": "u" * LONGEST}}, {"gateway": {"command": ["x"] * LONGEST}}):
        error = refused(patch)
        assert error.message.endswith("Edit /srv/state/trunkline.json5 there")
        assert "command" not in error.details
    after = {**BEFORE, "gateway": {"url": "ws://a", "publicUrl": None}}  # a patch cannot set null
    with pytest.raises(RemoteError, match=r"Edit /srv/state/trunkline\.json5 there"):
        refuse_local_changes(places(), LOADED, BEFORE, after)


def test_of_many_fields_some_are_named_and_all_are_in_the_details() -> None:
    accounts = {f"x{number}": {"server": "s"} for number in range(8)}
    error = refused({"channels": {"irc": {"accounts": accounts}}})
    assert " and 3 more: only changed" in error.message
    assert len(error.details["fields"]) == 8


def test_a_change_of_nothing_local_is_not_refused() -> None:
    after = merged(BEFORE, {"agents": {"default": "none"}})
    refuse_local_changes(places(), LOADED, BEFORE, after)


@pytest.mark.parametrize(
    "patch",
    [
        {
            "channels": {
                "telegram": {"accounts": {"main": {"botTokn": {"source": "env", "id": "T"}}}}
            }
        },
        {
            "channels": {
                "telegram": {"apiRoot": "http://a", "accounts": {"main": {"botTokn": "1:x"}}}
            }
        },
    ],
)
def test_a_misspelt_name_is_refused_as_that_and_not_as_a_local_field(patch: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        refuse_local_changes(places(), LOADED, BEFORE, merged(BEFORE, patch))
    (problem,) = caught.value.problems
    assert problem.path == "channels.telegram.accounts.main.botTokn"
    assert problem.text.startswith("unknown field (did you mean botToken?); allowed: ")
