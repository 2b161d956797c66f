"""An import as a whole: reading, advice, and the file that is written."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from ops.actions.import_openclaw import default_source, import_openclaw, write_imported
from ops.exits import OperatorError, UsageFailure
from runtime.config.load import load
from runtime.config.places import Places

SECRET = "1234:hush-hush"
FILE = """{
  // of a real one
  gateway: { auth: { token: "${GATEWAY}" } },
  channels: { telegram: { botToken: "1234:hush-hush", allowFrom: ["5"] } },
}"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "theirs" / "openclaw.json"
    path.parent.mkdir()
    path.write_text(FILE)
    return path


@pytest.fixture
def places(tmp_path: Path) -> Places:
    state = tmp_path / "ours"
    return Places(state, state / "trunkline.json5", state, state, None)


def test_nothing_is_written_unless_it_is_asked(source: Path, places: Places) -> None:
    made = import_openclaw(source, places, {})
    assert not places.state_dir.exists()
    assert SECRET in made.text
    assert SECRET not in f"{made.shown}{made.notes}{made.advice}"
    assert source.read_text() == FILE
    assert list(source.parent.iterdir()) == [source]


def test_what_is_written_is_valid_and_for_its_owner_only(source: Path, places: Places) -> None:
    write_imported(import_openclaw(source, places, {}), force=False)
    written = places.config_path
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    found = load(written)
    assert found.raw["channels"]["telegram"]["botToken"] == SECRET
    assert found.raw["gateway"]["auth"]["token"] == {"source": "env", "id": "GATEWAY"}


def test_a_file_that_is_there_is_replaced_by_force_alone(source: Path, places: Places) -> None:
    made = import_openclaw(source, places, {})
    places.state_dir.mkdir()
    places.config_path.write_text("{}")
    with pytest.raises(UsageFailure, match="--force"):
        write_imported(made, force=False)
    assert places.config_path.read_text() == "{}"
    write_imported(made, force=True)
    assert places.config_path.read_text() == made.text
    assert stat.S_IMODE(places.config_path.stat().st_mode) == 0o600
    assert places.config_path.with_name("trunkline.json5.bak").read_text() == "{}"


@pytest.mark.parametrize("how", ["itself", "link", "included"])
def test_no_file_of_the_original_is_replaced(source: Path, places: Places, how: str) -> None:
    target = source if how == "itself" else source.with_name("ours.json5")
    if how == "link":
        target.symlink_to(source)
    elif how == "included":
        target.write_text(FILE)
        source.write_text('{ $include: "ours.json5" }')
    before = target.read_text()
    made = import_openclaw(source, replace(places, config_path=target), {})
    for force in (False, True):
        with pytest.raises(UsageFailure, match="never changes"):
            write_imported(made, force=force)
    assert target.read_text() == before
    assert not target.with_name(f"{target.name}.bak").exists()


def test_what_is_no_file_stays_as_it_is(source: Path, places: Places) -> None:
    directory = source.with_name("directory.json5")
    directory.mkdir(mode=0o755)
    dangling = source.with_name("dangling.json5")
    dangling.symlink_to("nothing")
    for target, words in ((directory, "is not a file"), (dangling, "a link to nothing")):
        made = import_openclaw(source, replace(places, config_path=target), {})
        with pytest.raises(UsageFailure, match=words):
            write_imported(made, force=True)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o755
    assert not dangling.exists()


def test_the_next_steps_are_printed(source: Path, places: Places) -> None:
    made = import_openclaw(source, places, {})
    said = "\n".join(made.advice)
    assert "openclaw config set channels.telegram.enabled false" in said
    assert "the daemon needs these variables: GATEWAY" in said
    assert "leave OpenClaw's gateway running" in said
    assert "in this shell" not in said
    found = import_openclaw(source, places, {"GATEWAY": "x"}).advice
    assert any("variables: GATEWAY (a service does not have" in each for each in found)


def test_what_is_misspelt_in_the_original_is_the_first_advice(source: Path, places: Places) -> None:
    source.write_text('{chanels: {}, tools: {}, channels: {irc: {nick: "n"}}}')
    first, *_ = import_openclaw(source, places, {}).advice
    assert first.startswith(f"{source} has settings that OpenClaw is not known to have: chanels")
    assert "(did you mean channels?);" in first
    assert "tools" not in first


def test_an_import_writes_json5_only(source: Path, places: Places) -> None:
    toml = replace(places, config_path=Path("/x.toml"))
    with pytest.raises(OperatorError, match="json5"):
        import_openclaw(source, toml, {})


def test_where_openclaw_keeps_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    assert default_source({}) == Path("/home/ann/.openclaw/openclaw.json")
    assert default_source({"OPENCLAW_STATE_DIR": "/x"}) == Path("/x/openclaw.json")
    assert default_source({"OPENCLAW_CONFIG_PATH": "~/y.json"}) == Path("/home/ann/y.json")
