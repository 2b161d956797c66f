"""What the documentation says is not there is not there."""

from __future__ import annotations

import re
from pathlib import Path

from runtime.gateway.clients.method_table import public
from tests.support.gateway_rig import gateway_rig  # noqa: F401 - fills the table of methods

PAGE = Path("docs/protocol.md")
METHOD = re.compile(r"`([a-z]+(?:\.[a-zA-Z]+)+)`")


def test_no_method_is_there_of_those_that_are_said_to_be_absent() -> None:
    table = PAGE.read_text().split("| not here | instead |")[1].split("\n\n")[0]
    absent = {
        name
        for row in table.splitlines()
        for name in METHOD.findall(row.split("|")[1] if row.count("|") > 2 else "")
    }
    assert len(absent) > 12
    for protocol in (3, 4):
        assert absent.isdisjoint(public(protocol))
    instead = set(METHOD.findall(table)) - absent
    assert {"sessions.reset", "sessions.compact"} <= instead & set(public(4))
