"""The configuration in force, and how its revision is shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import structlog

from runtime.config.load import Loaded, load_text
from runtime.supervisor.configuration import Configuration


def loaded(path: Path, **sections: Any) -> Loaded:
    config = {"gateway": {"auth": {"token": "t"}}} | sections
    return load_text(path / "c.json5", json.dumps(config))


def test_another_configuration_replaces_values_and_revision(tmp_path: Path) -> None:
    first = loaded(tmp_path)
    configuration = Configuration(first, lambda text=None: first)
    second = loaded(tmp_path, supervisor={"startConcurrency": 3})
    configuration.apply(second)
    assert configuration.loaded is second
    assert configuration.config.supervisor.start_concurrency == 3
    assert configuration.revision == second.revision != first.revision


def test_what_is_wrong_with_a_file_is_said_until_it_is_valid(tmp_path: Path) -> None:
    configuration = Configuration(loaded(tmp_path), lambda text=None: loaded(tmp_path))
    with structlog.testing.capture_logs() as logs:
        configuration.refuse(OSError("gone"))
    assert logs[0]["event"] == "configuration not applied"
    assert configuration.invalid == "the configuration was not taken over: gone"
    configuration.refuse(OSError("one\ntwo"))
    assert configuration.invalid == "the configuration was not taken over: one; two"
    configuration.accept()
    assert configuration.invalid is None


def test_a_sealed_revision_is_equal_for_equal_ones_and_another_in_every_run(
    tmp_path: Path,
) -> None:
    one, other = (Configuration(loaded(tmp_path), lambda text=None: loaded(tmp_path)) for _ in "12")
    revision = one.revision
    assert one.seal(revision) == one.seal(revision)
    assert one.seal(revision) != one.seal(f"{revision}x")
    assert one.seal(revision) != other.seal(revision)
    assert revision not in one.seal(revision)


def test_warnings_are_those_of_what_is_in_force_and_are_logged(tmp_path: Path) -> None:
    configuration = Configuration(loaded(tmp_path), lambda text=None: loaded(tmp_path))
    with structlog.testing.capture_logs() as logs:
        configuration.log_warnings()
    assert [line["event"] for line in logs] == configuration.warnings


def test_accounts_that_were_told_to_have_no_journal_are_named(tmp_path: Path) -> None:
    irc = {"server": "irc.example.org", "nick": "n", "dmPolicy": "open", "groupPolicy": "open"}
    accounts = {"a": irc | {"journal": "off"}, "b": irc, "c": irc | {"enabled": False}}
    found = loaded(
        tmp_path, channels={"irc": {"accounts": accounts}, "local": {"accounts": {"d": {}}}}
    )
    configuration = Configuration(found, lambda text=None: found)
    with structlog.testing.capture_logs() as logs:
        configuration.log_warnings()
    assert [line["event"] for line in logs] == [
        "a kill of the gateway may lose messages, for these keep no journal: irc:a"
    ]
    assert configuration.warnings == []  # it was chosen: nothing is wrong


def test_accounts_that_answer_nobody_are_named_once_for_each_reason(tmp_path: Path) -> None:
    irc = {"server": "irc.example.org", "nick": "n"}
    accounts = {"a": irc, "b": irc, "c": irc | {"groups": {"#room": {}}}}
    found = loaded(tmp_path, channels={"irc": {"accounts": accounts}})
    configuration = Configuration(found, lambda text=None: found)
    with structlog.testing.capture_logs() as logs:
        configuration.log_warnings()
    (line,) = logs
    assert line["event"].startswith("irc:a, irc:b: no message in a group is answered")
    assert configuration.warnings == []
