"""Interpreters that accounts name are asked once; one that is no good spoils its accounts alone."""

from __future__ import annotations

import copy
import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from ipc.frames.words import WIRE
from runtime.config import interpreters
from runtime.config.interpreters import MARK, query
from runtime.config.load import Loaded, load_text
from tests.support.channel_packages import install
from tests.support.virtualenvs import fake_interpreter, make_virtualenv
from workers.channels.manifest_data import installed


@pytest.fixture(autouse=True)
def nothing_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreters, "_known", {})


def answering(path: Path, **answer: Any) -> Path:
    """Make an interpreter that gives this answer, and counts how often it was asked."""
    text = MARK + json.dumps({"version": [3, 12], "wire": WIRE, **answer})
    count = shlex.quote(f"{path}.asked")
    said = Path(f"{path}.said")
    said.write_text(text + "\n")
    return fake_interpreter(path, f"echo x >> {count}\ncat {shlex.quote(str(said))}")


def asked(path: Path) -> int:
    return len(Path(f"{path}.asked").read_text().splitlines())


def with_other(**channels: Any) -> dict[str, Any]:
    """Return what an interpreter says that has the channel ``other`` too, and ``changes``."""
    data = installed()
    other = copy.deepcopy(data["channels"]["local"])
    other["manifest"]["id"] = "other"
    return {"channels": {**data["channels"], "other": other, **channels}}


def loaded(section: dict[str, Any], channel: str = "other") -> Loaded:
    text = json.dumps({"channels": {channel: section}})
    return load_text(Path("/etc/trunkline.json5"), text)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (None, "{python} cannot be started (No such file or directory); make it: "),
        (
            "echo nonsense; echo 'the last line' >&2; exit 3",
            "cannot be asked for its channels: the",
        ),
        ("exit 3", "{python} cannot be asked for its channels: it ended with 3"),
        (f"echo '{MARK}{{}}'", "{python} cannot be asked for its channels: "),
        (
            f"echo '{MARK}{{\"version\": [3, 10]}}'",
            "{python} is Python 3.10, and an account needs 3.11 or later; make the virtualenv with",
        ),
        (
            f'echo \'{MARK}{{"version": [3, 11], "missing": "No module named workers"}}\'',
            "Trunkline is not installed for {python} (No module named workers); install it:"
            " {python} -m pip install trunkline",
        ),
        (
            f'echo \'{MARK}{{"version": [3, 11], "wire": "9.9"}}\'',
            "the Trunkline of {python} speaks version 9.9 of the wire, this one "
            f"{WIRE}; install the same: {{python}} -m pip install trunkline",
        ),
    ],
)
def test_what_is_missing_is_one_sentence_and_spoils_its_accounts_alone(
    tmp_path: Path, script: str | None, said: str
) -> None:
    python = tmp_path / "venv" / "bin" / "python"
    if script is not None:
        fake_interpreter(python, script)
    said = said.format(python=python)
    found = loaded({"accounts": {"bad": {"python": str(python)}, "good": {}}}, "local")
    bad, good = found.accounts["local:bad"], found.accounts["local:good"]
    assert (bad.configured, good.configured) == (False, True)
    assert bad.reason is not None
    assert said in bad.reason
    assert [said in each for each in found.manifests.warnings] == [True]


def test_a_file_that_is_no_program_is_named(tmp_path: Path) -> None:
    (tmp_path / "python").write_text("")
    found = loaded({"python": str(tmp_path / "python"), "accounts": {"a": {}}}, "local")
    assert "cannot be started (Permission denied)" in str(found.accounts["local:a"].reason)


def test_one_that_does_not_answer_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interpreters, "WITHIN", 0.2)
    python = fake_interpreter(tmp_path / "python", "exec sleep 600")
    (found,) = query([str(python)]).values()
    assert found.fault == f"{python} did not answer within 0.2 s"
    answering(python)  # it is asked again, though no file that counts may have changed
    assert query([str(python)])[str(python)].fault is None


def test_a_channel_that_is_only_there_is_known(tmp_path: Path) -> None:
    python = answering(tmp_path / "python", **with_other())
    found = loaded({"python": str(python), "accounts": {"a": {}}})
    spec = found.accounts["other:a"]
    assert (spec.configured, spec.launcher, spec.python) == (True, "exec", str(python))
    assert (spec.manifest.id, spec.manifest_ref) == ("other", "workers.channels.local:manifest")
    assert (
        spec.fingerprint != loaded({"accounts": {"a": {}}}, "local").accounts["local:a"].fingerprint
    )
    again = load_text(found.path, '{"channels": {"local": {}}}', found.manifests)
    assert "other" not in again.manifests  # nothing names that interpreter any more


def test_agents_do_not_depend_on_the_interpreters_of_accounts(tmp_path: Path) -> None:
    python = answering(tmp_path / "python", **with_other())
    found = loaded({"python": str(python), "accounts": {"a": {}}})
    assert found.agents["agent:echo"].configured


def test_an_account_alone_may_bring_the_channel(tmp_path: Path) -> None:
    python = answering(tmp_path / "python", **with_other())
    found = loaded({"accounts": {"a": {"python": str(python)}, "b": {}}})
    assert found.accounts["other:a"].configured
    assert found.accounts["other:b"].reason == (
        f"the channel other is installed for {python} only: set python of channels.other to it"
    )


def test_a_channel_that_is_not_there_is_named(tmp_path: Path) -> None:
    python = answering(tmp_path / "python", channels={}, broken={"bad": "pkg: ImportError: no"})
    for channel, words in (
        (
            "local",
            f"it is not installed for {python}; install its package: {python}",
        ),
        ("bad", f"for {python}: pkg: ImportError: no"),
    ):
        found = loaded({"python": str(python), "accounts": {"a": {}}}, channel)
        assert words in str(found.accounts[f"{channel}:a"].reason)


def test_accounts_of_one_channel_have_one_version_of_it(tmp_path: Path) -> None:
    other = with_other()["channels"]["other"]
    newer = copy.deepcopy(other)
    newer["manifest"]["can"] = ["edit"]
    same = answering(tmp_path / "same", **with_other())
    old = answering(tmp_path / "old", **with_other())
    new = answering(tmp_path / "new", **with_other(other=newer))
    found = loaded(
        {
            "python": str(old),
            "accounts": {"a": {}, "b": {"python": str(same)}, "c": {"python": str(new)}},
        }
    ).accounts
    assert [found[f"other:{name}"].configured for name in "abc"] == [True, True, False]
    assert f"differs between {new} and {old}" in str(found["other:c"].reason)


def test_it_is_asked_again_when_something_was_installed(tmp_path: Path) -> None:
    site = tmp_path / "site-packages"
    site.mkdir()
    python = answering(tmp_path / "python", files=[str(site)])
    for _ in range(3):
        query([str(python)])
    assert asked(python) == 1
    os.utime(site, (1, 1))
    query([str(python)])
    assert asked(python) == 2


def test_an_interpreter_gets_none_of_the_daemons_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET", "x")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    python = fake_interpreter(tmp_path / "python", f"env > {tmp_path}/env")
    query([str(python)])
    names = {line.partition("=")[0] for line in (tmp_path / "env").read_text().splitlines()}
    assert "PATH" in names
    assert not names & {"A_SECRET", "PYTHONPATH"}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"python": "venv/bin/python"}, "accounts.a.python: "),
        (
            {"python": "/venv/bin/python", "launcher": "zygote"},
            'launcher: is "zygote"; allowed',
        ),
    ],
)
def test_a_field_that_cannot_be_meant_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(Exception, match=words):
        loaded({"accounts": {"a": fields}}, "local")


def test_a_real_interpreter_without_trunkline(tmp_path: Path) -> None:
    python, _ = make_virtualenv(tmp_path / "venv", trunkline=False)
    (found,) = query([str(python)]).values()
    assert found.fault is not None
    assert found.fault.startswith(f"Trunkline is not installed for {python} (No module named 'wor")


def test_a_real_interpreter_with_a_channel_of_its_own(tmp_path: Path) -> None:
    python, site = make_virtualenv(tmp_path / "venv")
    install(site, "made_up")
    found = query([str(python)])[str(python)]
    assert found.fault is None
    assert found.channels["made_up"].package == "made_up"
    assert found.channels["irc"].manifest.label == "IRC"
    assert "made_up" not in sys.modules
    install(site, "another")
    assert "another" in query([str(python)])[str(python)].channels
