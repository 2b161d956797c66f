"""The first configuration works, and is for its owner only."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from runtime.config.edit.first import write_first
from runtime.config.errors import ConfigError
from runtime.config.load import load_effective
from runtime.config.places import resolve


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("name", ["trunkline.json5", "trunkline.toml", "trunkline.json"])
def test_the_first_configuration_is_valid_and_private(tmp_path: Path, name: str) -> None:
    state = tmp_path / "deep/state"
    environ = {
        "TRUNKLINE_STATE_DIR": str(state),
        "TRUNKLINE_CONFIG_PATH": str(tmp_path / "etc" / name),
    }
    places = resolve(environ)
    path = write_first(places)
    loaded = load_effective(places, environ)
    assert list(loaded.accounts) == ["local:demo"]
    assert loaded.config.agents.default == "echo"
    assert loaded.config.gateway.port == 18789
    assert "port" not in loaded.raw["gateway"]
    assert mode(path) == 0o600
    assert {mode(each) for each in (state, state / "logs", path.parent)} == {0o700}
    assert sorted(path.parent.iterdir()) == [path]


def test_a_profile_writes_its_port(tmp_path: Path) -> None:
    environ = {"TRUNKLINE_STATE_DIR": str(tmp_path), "TRUNKLINE_PROFILE": "dev"}
    places = resolve(environ)
    write_first(places)
    assert load_effective(places, environ).raw["gateway"]["port"] == 19001


def test_every_first_configuration_has_a_new_token(tmp_path: Path) -> None:
    tokens = set()
    for name in ("a", "b"):
        places = resolve({"TRUNKLINE_STATE_DIR": str(tmp_path / name)})
        write_first(places)
        token = load_effective(places, {}).config.gateway.auth.token
        assert isinstance(token, str)
        assert len(token) >= 43  # 256 bits
        tokens.add(token)
    assert len(tokens) == 2


def test_a_configuration_that_exists_is_never_replaced(tmp_path: Path) -> None:
    places = resolve({"TRUNKLINE_STATE_DIR": str(tmp_path)})
    places.config_path.write_text("mine")
    with pytest.raises(ConfigError, match="exists already and is left as it is"):
        write_first(places)
    assert places.config_path.read_text() == "mine"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["logs", "trunkline.json5"]


@pytest.mark.parametrize("target", ["gone", "trunkline.json5"])
def test_a_link_that_leads_nowhere_is_named(tmp_path: Path, target: str) -> None:
    places = resolve({"TRUNKLINE_STATE_DIR": str(tmp_path)})
    places.config_path.symlink_to(target)
    with pytest.raises(ConfigError, match=f"is a link to {target}, which does not exist: correct"):
        write_first(places)
    assert places.config_path.is_symlink()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    places = resolve({"TRUNKLINE_STATE_DIR": str(tmp_path / "file/state")})
    with pytest.raises(ConfigError) as caught:
        write_first(places)
    said = f"cannot be written: {tmp_path}/file/state: Not a directory"
    assert str(caught.value) == f"{places.config_path}: {said}"


def test_a_state_directory_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError) as caught:
        write_first(resolve({"TRUNKLINE_STATE_DIR": str(tmp_path / "file")}))
    assert str(caught.value) == f"{tmp_path}/file: is not a directory"
