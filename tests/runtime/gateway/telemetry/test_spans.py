"""The spans of a run's trace: their times, their parents, and what is never in them."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from runtime.gateway.journal.outgoing import OutgoingRow, PastAttempt
from runtime.gateway.journal.runs import ReplyTarget, Run, RunOrigin, RunResult
from runtime.gateway.telemetry.spans import (
    Span,
    root_id,
    trace_id,
    trace_in,
    trace_of,
    trace_of_send,
)

RUN = Run(
    id="irc:libera/1:5",
    session="agent:main:irc:libera:direct:ada-of-the-cellar",
    agent="main",
    origin=RunOrigin("irc:libera", "chat-of-ada", None, "message-of-ada", "ada-herself"),
    reply=ReplyTarget("irc:libera", "chat-of-ada"),
    state="final",
    at=1000,
    decided=1010,
    started=1030,
    first=1200,
    ended=2000,
    result=RunResult(usage={"input": 7, "output": 9}, model="m-1"),
    answer="a secret",
)
ROW = OutgoingRow(
    key=f"run:{RUN.id}",
    id="r",
    chat="chat-of-ada",
    state="sent",
    origin="agent",
    at=2000,
    attempts=2,
    first_attempt=2001,
    last_attempt=2600,
    past=[PastAttempt(2001, 2100, "busy")],
    ended=2700,
)
CLIENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def spans(run: Run = RUN, *rows: OutgoingRow) -> list[Span]:
    return trace_of(run, rows).spans


def named(found: list[Span]) -> dict[str, Span]:
    return {each.name: each for each in found}


def test_each_span_stands_behind_its_parent_and_has_the_recorded_times() -> None:
    found = spans(RUN, ROW)
    names = {each.id: each.name for each in found} | {0: ""}
    assert [(each.name, names[each.parent], each.start, each.end) for each in found] == [
        ("message", "", 1000, 2700),
        ("admission", "message", 1000, 1010),
        ("agent", "message", 1010, 2000),
        ("agent queue", "agent", 1010, 1030),
        ("agent turn", "agent", 1030, 2000),
        ("delivery", "message", 2000, 2700),
        ("delivery attempt", "delivery", 2001, 2100),
        ("delivery attempt", "delivery", 2600, 2700),
    ]
    turn, attempts = found[4], found[6:]
    assert list(turn.events) == [("first delta", 1200)]
    assert [each.error for each in attempts] == ["busy", ""]
    assert [each.attributes["trunkline.attempt"] for each in attempts] == [1, 2]
    assert len({each.id for each in found}) == len(found)


def test_nobody_who_wrote_or_was_written_to_is_in_a_span() -> None:
    row = replace(ROW, error="no such nick: ada-herself")
    text = msgspec.json.encode(spans(RUN, row)).decode()
    for private in ("chat-of-ada", "message-of-ada", "ada-herself", "ada-of-the-cellar", "secret"):
        assert private not in text


def test_ids_come_from_the_run_whoever_makes_them() -> None:
    first, again = trace_of(RUN, [ROW]), trace_of(RUN, [ROW])
    assert first == again
    assert first.id == trace_id(RUN.id) != trace_id("irc:libera/1:6")
    assert first.spans[0].id == root_id(RUN.id)
    assert 0 < first.id < 1 << 128
    assert all(0 < each.id < 1 << 64 for each in first.spans)


def test_a_run_of_a_client_goes_on_in_its_trace() -> None:
    run = replace(RUN, id="c", origin=RunOrigin(client="openai"), reply=None, trace=CLIENT)
    trace = trace_of(replace(run, decided=0), [])
    assert trace.id == trace_in(run) == int(CLIENT[3:35], 16)
    assert trace.remote is not None
    assert trace.remote.span == int(CLIENT[36:52], 16)
    assert [each.name for each in trace.spans] == ["request", "agent", "agent queue", "agent turn"]
    assert trace.spans[0].attributes["trunkline.client"] == "openai"


@pytest.mark.parametrize(
    ("change", "failed"),
    [
        ({"state": "error", "error": "rate_limited"}, "rate_limited"),
        ({"state": "timeout"}, "timeout"),
        ({"state": "expired"}, "expired"),
        ({"state": "aborted", "detail": "stop"}, ""),
    ],
)
def test_what_failed_says_so_in_one_word(change: dict[str, str], failed: str) -> None:
    found = named(spans(replace(RUN, **change)))
    assert [found[name].error for name in ("message", "agent", "agent turn")] == [failed] * 3


def test_a_run_that_never_began_has_waited_to_its_end() -> None:
    found = named(spans(replace(RUN, state="expired", started=0, first=0)))
    assert "agent turn" not in found
    assert (found["agent queue"].start, found["agent queue"].end) == (1010, 2000)


def test_runs_that_were_asked_together_are_linked() -> None:
    lead = spans(replace(RUN, collected=["irc:libera/1:4"]))[0]
    member = spans(replace(RUN, id="irc:libera/1:4", state="merged", merged=RUN.id, started=0))[0]
    assert list(lead.links) == [(trace_id("irc:libera/1:4"), member.id)]
    assert list(member.links) == [(trace_id(RUN.id), lead.id)]
    assert member.error == ""


def test_a_delivery_that_was_given_up_has_its_reason_and_its_last_attempt_once() -> None:
    past = [PastAttempt(2001, 2100, "busy"), PastAttempt(2600, 2650, "busy")]
    row = replace(ROW, state="expired", reason="busy", past=past, letter=True, ended=9000)
    found = spans(RUN, row)
    delivery = named(found)["delivery"]
    assert (delivery.error, delivery.end) == ("busy", 9000)
    assert delivery.attributes["trunkline.delivery.dead_letter"] is True
    ends = [each.end for each in found if each.name == "delivery attempt"]
    assert ends == [2100, 2650]


def test_what_a_client_has_sent_is_one_span_with_its_attempts() -> None:
    row = replace(ROW, key="the key of a client", origin="send", at=1990)
    trace = trace_of_send("irc:libera", row)
    root, *attempts = trace.spans
    assert (root.name, root.parent, root.start, root.end) == ("send", 0, 1990, 2700)
    assert root.attributes == {
        "trunkline.account": "irc:libera",
        "trunkline.channel": "irc",
        "trunkline.outbox": "r",
        "trunkline.delivery.state": "sent",
        "trunkline.delivery.attempts": 2,
        "trunkline.delivery.parts": 0,
    }
    times = [(each.parent, each.start, each.end, each.error) for each in attempts]
    assert times == [(root.id, 2001, 2100, "busy"), (root.id, 2600, 2700, "")]
    assert "the key" not in msgspec.json.encode(trace).decode()
    assert trace == trace_of_send("irc:libera", row) != trace_of_send("irc:oftc", row)
    failed = trace_of_send("irc:libera", replace(row, state="failed", reason="refused"))
    assert failed.spans[0].error == "refused"


@pytest.mark.parametrize(
    ("id", "shown"),
    [
        ("3f0c8a4e-64a2-4c5e-9a52-0d7bb1e4b6f1", True),
        ("chatcmpl_3f0c8a4e64a24c5e9a520d7bb1e4b6f1", True),
        ("ada@example.org", False),
        ("order-4711", False),
        ("+49 170 1234567", False),
        ("3f0c8a4e-64a2-4c5e-9a52-0d7bb1e4b6f1 ada", False),
    ],
)
def test_the_key_that_a_client_chose_is_shown_only_where_it_says_nothing(
    id: str, shown: bool
) -> None:
    run = replace(RUN, id=id, origin=RunOrigin(client="cli"), reply=None)
    assert (id in msgspec.json.encode(spans(run)).decode()) is shown
