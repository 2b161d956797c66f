"""What ``channels why`` prints."""

from __future__ import annotations

from typing import Any

from ops.output.admission import why_lines


def case(verified: bool, addressed: bool, outcome: str, text: str) -> dict[str, Any]:
    return {
        "verified": verified,
        "addressed": addressed,
        "outcome": outcome,
        "text": text,
        "configured": "channels.irc.groups",
    }


def test_cases_that_end_alike_are_one_line() -> None:
    cases = [case(each, True, "drop", "the sender is not listed") for each in (True, False)]
    found = {"account": "irc:libera", "senderId": "ada\x1b[1m", "chat": None, "cases": cases}
    head, only = why_lines(found)
    assert head.endswith("in a direct chat of irc:libera:")
    assert "\x1b" not in head
    assert only == "  not answered: the sender is not listed [channels.irc.groups]"


def test_the_agent_and_its_state_are_shown() -> None:
    asked = {"agent": "main", "route": "the message goes to main by default"}
    asked |= {"routedBy": "agents.default"}
    for runs, more in (
        (True, ""),
        (False, ", which is not running (`trunkline status agent:main`)"),
    ):
        cases = [case(True, True, "run", "listed") | asked | {"agentRuns": runs}]
        found = {"account": "irc:libera", "senderId": "ada", "chat": None, "cases": cases}
        assert why_lines(found)[1] == (
            "  answered: listed [channels.irc.groups]; the message goes to main by default "
            f"[agents.default]{more}"
        )


def test_cases_that_differ_say_when() -> None:
    cases = [
        case(True, True, "run", "admitted"),
        case(True, False, "context", "not named"),
        case(False, True, "pair", "unknown"),
    ]
    found = {"account": "irc:libera", "senderId": "ada", "chat": "#a", "cases": cases}
    head, *rest = why_lines(found)
    assert head == "ada in #a of irc:libera:"
    assert why_lines(found | {"thread": "5"})[0] == "ada in thread 5 in #a of irc:libera:"
    assert rest == [
        "  if the platform vouches for it and it names the account: "
        "answered: admitted [channels.irc.groups]",
        "  if the platform vouches for it and it does not name it: "
        "read, not answered: not named [channels.irc.groups]",
        "  if nobody vouches for it and it names the account: "
        "asked to pair: unknown [channels.irc.groups]",
    ]
