"""Where state, configuration and sockets lie: flag, then environment, then the platform."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runtime.config.errors import ConfigError
from runtime.config.places import Flags, resolve
from runtime.supervisor.instance import claim_sockets
from tests.runtime.config.example import write


@pytest.fixture
def home(short_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory in which nothing is configured."""
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(short_path))
    return short_path


def test_without_a_word_everything_lies_where_the_platform_says(home: Path) -> None:
    places = resolve({})
    assert places.state_dir == home / ".local/state/trunkline"
    assert places.config_path == home / ".config/trunkline/trunkline.json5"
    assert places.log_dir == home / ".local/state/trunkline/logs"
    assert (places.profile, places.default_port) == (None, 18789)


@pytest.mark.parametrize(
    ("environ", "flags"),
    [
        ({"TRUNKLINE_PROFILE": "blue"}, Flags()),
        ({}, Flags(profile="blue")),
        ({"TRUNKLINE_PROFILE": "red"}, Flags(profile="blue", dev=True)),
    ],
)
def test_a_profile_is_a_world_of_its_own(home: Path, environ: dict[str, str], flags: Flags) -> None:
    places, other = resolve(environ, flags), resolve({}, Flags(profile="green"))
    assert places.profile == "blue"
    assert places.state_dir == home / ".local/state/trunkline-blue"
    assert places.config_path == home / ".config/trunkline-blue/trunkline.json5"
    assert 20_000 <= places.default_port < 30_000
    assert places.default_port != other.default_port
    assert places.run_dir != other.run_dir


def test_dev_is_a_profile_with_a_known_port(home: Path) -> None:
    places = resolve({"TRUNKLINE_PROFILE": "red"}, Flags(dev=True))
    assert (places.profile, places.default_port) == ("dev", 19001)


def test_a_flag_wins_over_the_environment_and_that_over_the_profile_in_it(home: Path) -> None:
    environ = {
        "TRUNKLINE_STATE_DIR": "/s",
        "TRUNKLINE_CONFIG_PATH": "/c/x.toml",
        "TRUNKLINE_RUNTIME_DIR": "/r",
    }
    places = resolve(environ | {"TRUNKLINE_PROFILE": "red"})
    assert (places.state_dir, places.config_path) == (Path("/s"), Path("/c/x.toml"))
    assert resolve(environ, Flags(profile="blue")) == resolve({}, Flags(profile="blue"))
    assert resolve(environ, Flags(dev=True)) == resolve({}, Flags(dev=True))
    flags = Flags(profile="blue", state_dir=Path("/f"), config_path=Path("/f.json5"))
    places = resolve(environ, flags)
    assert (places.state_dir, places.config_path) == (Path("/f"), Path("/f.json5"))


def test_a_chosen_state_directory_holds_the_configuration_too(home: Path) -> None:
    places = resolve({"TRUNKLINE_STATE_DIR": "~/here"})
    assert places.config_path == home / "here/trunkline.json5"


@pytest.mark.parametrize("name", ["trunkline.json", "trunkline.toml"])
def test_a_configuration_that_exists_is_found_by_its_name(home: Path, name: str) -> None:
    write(home, "", name)
    assert resolve({"TRUNKLINE_STATE_DIR": str(home)}).config_path == home / name


def test_two_configurations_are_an_error(home: Path) -> None:
    write(home, "", "trunkline.json5")
    write(home, "", "trunkline.toml")
    with pytest.raises(ConfigError) as caught:
        resolve({"TRUNKLINE_STATE_DIR": str(home)})
    said = "has several configuration files (trunkline.json5, trunkline.toml); allowed: one"
    assert str(caught.value) == f"{home}: {said}"


@pytest.mark.parametrize("name", ["../x", "a b", "-x", "x" * 33, "a/b"])
def test_an_impossible_profile_is_refused(home: Path, name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve({}, Flags(profile=name))
    said = "impossible name; allowed: 1 to 32 letters, digits, '_' or '-'"
    assert f"profile: {name}: {said}" in str(caught.value)


def test_relative_places_become_absolute(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    places = resolve({"TRUNKLINE_STATE_DIR": "s", "TRUNKLINE_RUNTIME_DIR": "r"})
    assert (places.state_dir, places.run_dir) == (home / "s", home / "r")


def test_the_runtime_directory_is_that_of_the_session(home: Path) -> None:
    environ = {"TRUNKLINE_STATE_DIR": str(home), "XDG_RUNTIME_DIR": str(home)}
    places = resolve(environ)
    assert places.run_dir.parent == home
    assert resolve(environ).run_dir == places.run_dir


@pytest.mark.parametrize("session", ["", "relative", "/does/not/exist", "/proc/1/status"])
def test_without_a_usable_session_it_lies_in_tmp(home: Path, session: str) -> None:
    places = resolve({"TRUNKLINE_STATE_DIR": str(home), "XDG_RUNTIME_DIR": session})
    assert places.run_dir.parent == Path("/tmp")
    assert str(os.getuid()) in places.run_dir.name
    assert len(os.fsencode(places.run_dir)) < 40  # a socket's path has room for an account's id


def test_the_link_leads_to_sockets_of_a_daemon_started_elsewhere(home: Path) -> None:
    state, session = home / "state", home / "session"
    state.mkdir()
    session.mkdir()
    environ = {"TRUNKLINE_STATE_DIR": str(state)}
    daemon = resolve({**environ, "XDG_RUNTIME_DIR": str(session)})
    daemon.run_dir.mkdir()
    daemon.link_run_dir()
    assert resolve(environ).run_dir == daemon.run_dir
    daemon.link_run_dir()  # the next start
    daemon.run_dir.rmdir()
    assert resolve(environ).run_dir.parent == Path("/tmp")


def test_the_sockets_may_lie_where_the_link_would(home: Path) -> None:
    elsewhere = resolve({"TRUNKLINE_STATE_DIR": str(home)})
    elsewhere.link_run_dir()  # an earlier daemon, with its sockets where they usually are
    places = resolve({"TRUNKLINE_STATE_DIR": str(home), "TRUNKLINE_RUNTIME_DIR": str(home / "run")})
    for _ in range(2):
        with claim_sockets(places):
            places.link_run_dir()
            assert places.run_dir.is_dir()
            assert not places.run_dir.is_symlink()
    elsewhere.link_run_dir()  # and one after it
    assert sorted(path.name for path in home.iterdir()) == ["run"]


def test_a_link_of_another_state_directory_is_not_followed(home: Path) -> None:
    """A state directory that was copied must not lead to the sockets of the original."""
    (home / "elsewhere-12345678").mkdir()
    (home / "run").symlink_to(home / "elsewhere-12345678")
    assert resolve({"TRUNKLINE_STATE_DIR": str(home)}).run_dir.parent == Path("/tmp")
