"""Channels are found, other people's too, and a broken one hurts nobody else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from runtime.config.account_model import ChannelConfig
from workers import channels, registry
from workers.registry import BUILT_IN, COMMON_FIELDS, manifests

GOOD = """
import msgspec
from workers.plugin import Manifest

class Config(msgspec.Struct):
    token: str

secrets = frozenset({{"token"}})
manifest = Manifest("{id}", "Label", Config, "{module}.plugin:Plugin", secrets=secrets)
"""


class Packages:
    """Installs distributions into a directory on the path, as pip would."""

    def __init__(self, directory: Path, group: str = "trunkline.channels") -> None:
        self.directory = directory
        self.group = group

    def install(self, package: str, id: str, source: str = GOOD, object: str = "manifest") -> str:
        module = package.replace("-", "_")
        (self.directory / f"{module}.py").write_text(
            source.format(id=id, module=module) if source is GOOD else source
        )
        info = self.directory / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{self.group}]\n{id} = {module}:{object}\n")
        return f"{module}:{object}"


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Packages:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    return Packages(tmp_path)


def test_the_built_in_channels_are_found_without_their_clients() -> None:
    found = manifests()
    assert set(BUILT_IN) <= set(found)
    assert {found[name].package for name in BUILT_IN} == {"trunkline"}
    assert found["irc"].ref == "workers.channels.irc:manifest"
    assert found["irc"].manifest.id == "irc"
    assert found.warnings == []
    code = (
        "import sys; from workers.registry import manifests; manifests();"
        " sys.exit('workers.channels.irc.plugin' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_channel_of_another_package_is_found(packages: Packages) -> None:
    ref = packages.install("their-chat", "theirs")
    found = manifests()
    assert (found["theirs"].ref, found["theirs"].package) == (ref, "their-chat")
    assert found["theirs"].manifest.label == "Label"
    assert found.warnings == []


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import nothing_like_this", "ModuleNotFoundError: No module named 'nothing_like_this'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("x = (", "SyntaxError: '(' was never closed"),
        ("", "AttributeError: module 'bad_chat' has no attribute 'manifest'"),
        ("manifest = 5", "bad_chat:manifest is int, not a workers.plugin.Manifest"),
        (
            GOOD.format(id="other", module="m"),
            "bad_chat:manifest calls itself 'other', but its entry point is named 'bad'",
        ),
        (
            GOOD.format(id="bad", module="m").replace(
                "token: str", "token: str\n    enabled: bool"
            ),
            "bad_chat:manifest has config fields that every account has already: enabled",
        ),
        (
            GOOD.format(id="bad", module="m").replace('{"token"}', '{"tokn", "token.x"}'),
            "bad_chat:manifest lists secrets that are no config fields: tokn",
        ),
        (
            GOOD.format(id="bad", module="m").replace(
                "secrets=", 'secret_parts={"rooms": str, "token.x": str}, secrets='
            ),
            "bad_chat:manifest lists secrets that are no config fields: rooms",
        ),
        (
            GOOD.format(id="bad", module="m").replace("Config, ", "dict, "),
            "bad_chat:manifest has a config that is not a msgspec.Struct",
        ),
        (
            GOOD.format(id="bad", module="m").replace("m.plugin:Plugin", "m.plugin"),
            "bad_chat:manifest has the plugin 'm.plugin'; allowed: package.module:Class",
        ),
        (
            GOOD.format(id="bad", module="m").replace('"Label"', "None"),
            "bad_chat:manifest has a label, system_image or action that is not a string",
        ),
        (
            GOOD.format(id="bad", module="m").replace("secrets=secrets", "status={'x': 1j}"),
            "bad_chat:manifest has a status that is not JSON: ",
        ),
    ],
)
def test_a_broken_package_is_a_warning_that_names_it(
    packages: Packages, source: str, said: str
) -> None:
    packages.install("bad-chat", "bad", source)
    packages.install("good-chat", "good")
    found = manifests()
    assert "bad" not in found
    assert "good" in found
    (warning,) = found.warnings
    assert warning.startswith("channel bad of bad-chat cannot be used: bad_chat:manifest")
    assert said in warning
    assert said in found.broken["bad"]


def test_an_impossible_id_is_refused(packages: Packages) -> None:
    packages.install("bad-chat", "a/b")
    (warning,) = manifests().warnings
    assert "has the id 'a/b'; allowed: 1 to 64 letters, digits" in warning


def test_no_channel_takes_the_word_that_stands_before_the_ids_of_agents(packages: Packages) -> None:
    packages.install("bad-chat", "agent")
    found = manifests()
    assert "agent" not in found
    assert "has the id 'agent', which stands before the ids of agents" in found.broken["agent"]


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_built_in_channel_cannot_be_replaced(packages: Packages, name: str) -> None:
    package = f"a-{name}"  # before Trunkline by name
    packages.install(package, name)
    found = manifests()
    assert found[name].package == "trunkline"
    assert found.warnings == [f"channel {name} of {package} is ignored: {name} is built in"]


def test_every_folder_of_a_channel_is_in_the_list_and_nothing_else() -> None:
    folders = Path(channels.__file__).parent.glob("*/__init__.py")
    assert {path.parent.name for path in folders} == set(BUILT_IN)


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_built_in_channel_has_conformance_tests(name: str) -> None:
    text = (Path(__file__).parent / "channels" / name / "test_conformance.py").read_text()
    assert "(ChannelConformance):" in text


def test_a_built_in_channel_cannot_be_replaced_even_when_it_is_broken(
    packages: Packages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BUILT_IN, "irc", "workers.channels.gone:manifest")
    packages.install("evil-irc", "irc")
    found = manifests()
    assert "irc" not in found
    assert "local" in found
    assert "No module named 'workers.channels.gone'" in found.broken["irc"]
    assert "channel irc of evil-irc is ignored: irc is built in" in found.warnings


def test_of_two_packages_the_first_by_name_wins(packages: Packages) -> None:
    packages.install("b-chat", "same")
    packages.install("a-chat", "same")
    found = manifests()
    assert found["same"].package == "a-chat"
    assert found.warnings == ["channel same of b-chat is ignored: same is provided by a-chat"]


def test_a_second_package_serves_where_the_first_is_broken(packages: Packages) -> None:
    packages.install("a-chat", "same", "1 / 0")
    packages.install("b-chat", "same")
    found = manifests()
    assert found["same"].package == "b-chat"
    assert len(found.warnings) == 1


def test_an_interrupt_by_the_operator_is_not_swallowed(packages: Packages) -> None:
    packages.install("slow-chat", "slow", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        manifests()


def test_a_manifest_can_be_loaded_by_its_import_string() -> None:
    assert registry.load("local", BUILT_IN["local"]).id == "local"


def test_the_common_fields_are_those_of_the_configuration() -> None:
    ours = {each.encode_name for each in msgspec.structs.fields(ChannelConfig)}
    assert ours == COMMON_FIELDS
