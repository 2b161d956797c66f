"""Which entries there are, and what an agent is without any words about it."""

from __future__ import annotations

import msgspec
import pytest

from runtime.config.agent_model import AgentConfig, entries_of
from runtime.config.model import AgentsConfig


def test_echo_is_there_only_where_nothing_is_listed() -> None:
    assert entries_of(AgentsConfig()) == {"echo": {"kind": "echo"}}
    assert entries_of(AgentsConfig(entries={})) == {}
    assert list(entries_of(AgentsConfig(entries={"main": {"kind": "x"}}))) == ["main"]


def test_an_agent_is_enabled_and_repeats_unseen_turns_by_default() -> None:
    made = AgentConfig(kind="echo")
    assert (made.enabled, made.repeat, made.timeout_seconds) == (True, "unseen", 600.0)


@pytest.mark.parametrize(
    "fields",
    [{}, {"kind": ""}, {"kind": "x", "timeoutSeconds": 0}, {"kind": "x", "proxy": "socks"}],
)
def test_what_is_out_of_range_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(fields, AgentConfig)
