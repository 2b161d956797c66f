"""Names in a configuration that stand for nothing: a table of places where one may stand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runtime.config.edit.unknown_names import check_names, unknown_names
from runtime.config.errors import ConfigError
from runtime.config.load import load_text
from tests.runtime.config.example import known

KNOWN = known(gone="not installed")
ENV = {"source": "env", "id": "T"}


def talk(**fields: Any) -> dict[str, Any]:
    return {"channels": {"talk": {"accounts": {"a": fields}}}}


def agent(**fields: Any) -> dict[str, Any]:
    return {"agents": {"entries": {"x": {"kind": "think", **fields}}}}


@pytest.mark.parametrize(
    ("values", "path", "near"),
    [
        ({"chanels": {}}, "chanels", "channels"),
        ({"gateway": {"auth": {"tokn": ENV}}}, "gateway.auth.tokn", "token"),
        ({"channels": {"talc": {"server": "s"}}}, "channels.talc", "talk"),
        ({"channels": {"talk": {"acounts": {"a": {}}}}}, "channels.talk.acounts", "accounts"),
        ({"channels": {"talk": {"pasword": ENV}}}, "channels.talk.pasword", "password"),
        (talk(pasword=ENV), "channels.talk.accounts.a.pasword", "password"),
        (talk(signin={"usr": "u"}), "channels.talk.accounts.a.signin.usr", "user"),
        (talk(launchr="exec"), "channels.talk.accounts.a.launchr", "launcher"),
        (talk(restart={"backof": 1}), "channels.talk.accounts.a.restart.backof", None),
        ({"channels": {"talk": {"limits": {"memoryy": 1}}}}, "channels.talk.limits.memoryy", None),
        (agent(baseUrll="u"), "agents.entries.x.baseUrll", "baseUrl"),
        (agent(limits={"memoryy": 1}), "agents.entries.x.limits.memoryy", None),
        (agent(kind="thnk"), "agents.entries.x.kind", "think"),
    ],
)
def test_it_is_named_at_its_place_as_the_check_of_the_file_does(
    values: dict[str, Any], path: str, near: str | None
) -> None:
    (problem,) = unknown_names(values, KNOWN)
    assert problem.path == path
    assert near is None or f"(did you mean {near}?)" in problem.text
    with pytest.raises(ConfigError) as caught:
        load_text(Path("c.json5"), json.dumps(values), KNOWN)
    assert (path, problem.text) in [(each.path, each.text) for each in caught.value.problems]


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"gateway": {"port": "a lot"}, "channels": [], "agents": 5},
        {
            "channels": {
                "talk": {"accounts": {"a": None, "b": 5}},
                "gone": {"any": 1, "accounts": {}},
            }
        },
        talk(server=5, signin={"user": 1}, labels={"any": 1}, limits=None, launcher="none"),
        # Which fields they have is known to that interpreter only.
        {"channels": {"other": {"python": "/opt/p", "word": 1}}},
        {"channels": {"talk": {"accounts": {"a": {"python": "/opt/p", "word": 1}}}}},
        {"channels": {"agent": {}}},  # no channel, but nothing is misspelt
        agent(motto=5),
        {"agents": {"entries": {"x": {"word": 1}, "y": {"kind": 5}, "z": {"kind": "rot", "a": 1}}}},
    ],
)
def test_wrong_values_and_what_is_not_known_are_left_to_the_check(values: dict[str, Any]) -> None:
    assert list(unknown_names(values, KNOWN)) == []
    check_names("c", values, KNOWN)


def test_what_was_installed_meanwhile_is_not_unknown() -> None:
    """``irc`` and ``http`` are installed here, and were not when the manifests were found."""
    values = {
        "channels": {"irc": {"server": "s", "word": 1}},
        "agents": {"entries": {"x": {"kind": "http", "word": 1}}},
    }
    assert [each.path for each in unknown_names(values, KNOWN)] == [
        "channels.irc",
        "agents.entries.x.kind",
    ]
    check_names("c", values, KNOWN)


def test_all_are_in_one_error() -> None:
    with pytest.raises(ConfigError, match=r"c: x: unknown field(.|\n)*c: y: unknown field"):
        check_names("c", {"x": 1, "y": 2}, KNOWN)
