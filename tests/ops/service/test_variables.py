"""Which variables of a shell a service lacks."""

from __future__ import annotations

from typing import Any

import pytest

from ops.service.variables import missing_variables, used_variables

CONFIG: dict[str, Any] = {
    "gateway": {"auth": {"token": {"source": "env", "id": "GATEWAY"}}},
    "channels": {"irc": {"accounts": {"a": {"password": {"source": "file", "id": "FILE"}}}}},
    "agents": {"entries": {"a": {"kind": "command", "inheritEnv": ["CLAUDE_HOME", "PATH"]}}},
}


def test_what_the_configuration_names_is_used() -> None:
    assert used_variables(CONFIG) == {"GATEWAY", "CLAUDE_HOME", "PATH"}
    for broken in ({}, {"agents": 5}, {"agents": {"entries": [1]}}):
        assert used_variables(broken) == set()
    odd = {"agents": {"entries": {"a": 5, "b": {"inheritEnv": 5}, "c": {"inheritEnv": [None]}}}}
    assert used_variables(odd) == set()


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("TRUNKLINE_GATEWAY_TOKEN", True),
        ("TRUNKLINE_RUNTIME_DIR", True),
        ("TRUNKLINE_STATE_DIR", False),  # stands in the unit's command
        ("GATEWAY", True),
        ("CLAUDE_HOME", True),
        ("OPENAI_API_KEY", True),
        ("https_proxy", True),
        ("NO_PROXY", True),
        ("PATH", False),
        ("GITHUB_TOKEN", False),
    ],
)
def test_those_that_matter_are_named(name: str, missing: bool) -> None:
    used, given = used_variables(CONFIG), {"PATH"}
    assert missing_variables({name: "secret"}, used, given) == [name] * missing
    assert missing_variables({name: "secret"}, used, {*given, name}) == []
    assert missing_variables({name: ""}, used, given) == []
