"""What is wrong with the sections about conversations has its place in the file."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from runtime.config.conversation_rules import conversation_problems
from runtime.config.model import Config

AGENTS = ["agent:main"]
ACCOUNTS = ["irc:libera", "local:demo"]
CHANNELS = ["irc", "local"]


def places(**sections: Any) -> list[str]:
    """Return where something is wrong."""
    config = msgspec.convert(sections, Config)
    return [each.path for each in conversation_problems(config, AGENTS, ACCOUNTS, CHANNELS)]


def test_what_names_only_what_there_is_is_right() -> None:
    binding = {"agentId": "main", "match": {"channel": "irc", "accountId": "libera"}}
    assert places(bindings=[binding], commands={"ownerAllowFrom": ["irc:ada"]}) == []


@pytest.mark.parametrize(
    ("sections", "place"),
    [
        ({"session": {"reset": {"zone": "Nowhere/City", "dailyHour": 4}}}, "session.reset.zone"),
        ({"bindings": [{"agentId": "x", "match": {"channel": "irc"}}]}, "bindings[0].agentId"),
        (
            {"bindings": [{"agentId": "main", "match": {"channel": "irc", "accountId": "x"}}]},
            "bindings[0].match.accountId",
        ),
        ({"queue": {"byChannel": {"fax": {}}}}, "queue.byChannel.fax"),
        ({"commands": {"ownerAllowFrom": ["ada"]}}, "commands.ownerAllowFrom[0]"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(sections: dict[str, Any], place: str) -> None:
    assert places(**sections) == [place]
