"""Which variables hold secrets that are not for every child."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.config.variables import referenced


def env(name: Any) -> dict[str, Any]:
    return {"source": "env", "id": name}


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (env("A"), {"A"}),
        ({"gateway": {"auth": {"token": env("A"), "password": env("B")}}}, {"A", "B"}),
        ({"channels": {"irc": {"password": env("A"), "accounts": {"x": env("B")}}}}, {"A", "B"}),
        ([{"x": [env("A"), None, env("A")]}, "A", 1], {"A"}),
        ((env("A"), {"source": "file", "id": "/b"}, {"source": "exec", "id": "c"}), {"A"}),
        ([env(7), {"source": "env"}, {"id": "A"}, None], set()),
        ([env("PATH"), env("HOME"), env("TRUNKLINE_STATE_DIR"), env("A")], {"A"}),
    ],
)
def test_the_variables_that_references_name(values: Any, names: set[str]) -> None:
    assert referenced(values) == names
