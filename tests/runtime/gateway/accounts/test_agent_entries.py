"""Which agent answers for which account, and of which kind it is."""

from __future__ import annotations

import pytest

from runtime.gateway.accounts.agent_entries import AgentEntries, AgentEntry, entries_in

LISTED = entries_in(
    {
        "default": "main",
        "maxConcurrent": 3,
        "accounts": {"irc:a": "ops", "irc:b": "none", "irc:c": "gone"},
        "entries": {"main": {"kind": "openai"}, "ops": {"kind": "echo", "timeoutSeconds": 5}},
    }
)


@pytest.mark.parametrize(
    ("account", "agent", "kind"),
    [
        ("irc:a", "ops", "echo"),
        ("irc:b", None, None),
        ("irc:c", "gone", None),
        ("irc:new", "main", "openai"),
    ],
)
def test_an_account_s_own_agent_counts_before_the_default(
    account: str, agent: str | None, kind: str | None
) -> None:
    assert LISTED.agent_of(account) == agent
    assert LISTED.kind_of(agent) == kind


def test_what_the_supervisor_reports_is_read() -> None:
    assert (LISTED.max_concurrent, LISTED.entries["ops"].timeout_seconds) == (3, 5.0)
    assert LISTED.entries["main"].repeat == "unseen"


@pytest.mark.parametrize(
    ("limit", "agents", "share"),
    [(100, 1, 100), (100, 2, 75), (100, 5, 75), (4, 2, 3), (3, 2, 3), (1, 9, 1)],
)
def test_an_agent_that_hangs_leaves_room_for_the_others(
    limit: int, agents: int, share: int
) -> None:
    entries = {f"a{number}": AgentEntry("openai") for number in range(agents)}
    entries["idle"] = AgentEntry("echo", process=False)
    listed = AgentEntries(max_concurrent=limit, entries=entries)
    assert (listed.share, listed.limits) == (share, {})


def test_what_an_agent_says_of_itself_counts() -> None:
    entries = {"ops": AgentEntry("openai", max_concurrent=2), "main": AgentEntry("openai")}
    assert AgentEntries(entries=entries).limits == {"ops": 2}


def test_without_a_report_echo_is_there_and_answers_nobody() -> None:
    assert AgentEntries().agent_of("irc:a") is None
    assert AgentEntries().entries == {"echo": AgentEntry("echo")}
