"""How turns of a run are told apart, and what several runs ask together."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.gateway.journal.runs import Run, RunOrigin, RunRequest
from runtime.gateway.runs.lifecycle import RunLife, RunPhase
from runtime.gateway.runs.live import LiveRun, attempt_of, joined, with_notice
from workers.agent import ToolCall
from workers.messages import Attachment, Sender


def live(text: str, sender: str = "ada", **more: Any) -> LiveRun:
    request = RunRequest(text, sender=Sender(sender, sender.title()), **more)
    return LiveRun("k", Run(text, "s", "echo", RunOrigin(sender=sender), request=request))


@pytest.mark.parametrize(
    ("fields", "attempt"),
    [
        ({}, 1),
        ({"started": 5}, 1),
        ({"started": 5, "retried": True}, 5),
        ({"started": 6, "deaths": 1}, 6),
    ],
)
def test_the_first_turn_has_a_number_before_it_is_stored(
    fields: dict[str, Any], attempt: int
) -> None:
    assert attempt_of(Run("r", "s", "echo", **fields)) == attempt


def test_several_runs_ask_in_their_order_with_the_files_of_all() -> None:
    files = [Attachment("media:1"), Attachment("media:2")]
    one, two = live("one", attachments=files[:1]), live("two", attachments=files[1:])
    request = joined([one, two])
    assert (request.text, request.attachments) == ("one\ntwo", files)
    assert request.sender == Sender("ada", "Ada")
    several = joined([one, live("two", "bob")])
    assert (several.text, several.sender) == ("Ada: one\nBob: two", None)


def test_another_turn_asks_the_queued_members_and_begins_with_nothing_of_the_last() -> None:
    one, two, three = live("one"), live("two"), live("three")
    three.life = RunLife(phase=RunPhase.RUNNING)
    one.members, one.came, one.tools = [two, three], 7, [ToolCall("1", "look")]
    one.partial.append("so far")
    assert one.reset_turn() == [two]
    assert (one.came, one.tools, one.partial.text, one.members) == (0, [], "", [])
    record = one.start_record(3, 9)
    assert (record.incarnation, record.at, record.collected) == (3, 9, ["two"])
    assert record.request is not None
    assert record.request.text == "one\ntwo"


def test_the_record_of_a_turn_that_asks_one_message_has_no_request() -> None:
    one = live("one")
    assert one.reset_turn() == []
    assert one.start_record(3, 9).request is None


def test_what_was_said_before_each_of_them_goes_along() -> None:
    def heard(*texts: str) -> dict[str, Any]:
        return {"history": [{"role": "user", "text": each} for each in texts]}

    runs = [live("1", fields=heard("a") | {"model": "m"}), live("2"), live("3", fields=heard("b"))]
    assert joined(runs).fields == heard("a", "b") | {"model": "m"}


def test_a_notice_follows_the_instructions_of_the_caller() -> None:
    request = with_notice(RunRequest("hi"), "one more")
    assert request.fields == {"instructions": "one more"}
    assert with_notice(request, "and another").fields == {"instructions": "one more\nand another"}
