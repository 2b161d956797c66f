"""The events of one run: one counter, one end, and text that is joined."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.gateway.conversations.error_texts import error_text
from runtime.gateway.conversations.growing_text import GrowingText
from runtime.gateway.conversations.run_events import RunEvent, RunEvents

WHO = {"runId": "r1", "sessionKey": "agent:main:web1", "agentId": "main"}


class Run(RunEvents):
    """The events of a run, beside the text that they read."""

    def __init__(self, text: str = "", **more: Any) -> None:
        self.text = GrowingText(text)
        super().__init__("r1", "agent:main:web1", "main", partial=self.text, sent=len(text), **more)

    def on_delta(self, text: str, now: int) -> list[RunEvent]:
        self.text.append(text)
        return self.on_growth(now)


def run(**more: Any) -> Run:
    return Run(**more)


def agent(stream: str, data: dict[str, Any], seq: int, ts: int) -> RunEvent:
    more = {"stream": stream, "data": data, "seq": seq, "ts": ts, "isHeartbeat": False}
    return RunEvent("agent", WHO | more)


def chat(state: str, seq: int, **more: Any) -> RunEvent:
    return RunEvent("chat", WHO | {"seq": seq, "state": state} | more)


def message(text: str, now: int) -> dict[str, Any]:
    return {"role": "assistant", "content": [{"type": "text", "text": text}], "timestamp": now}


def texts(events: list[RunEvent]) -> list[str]:
    return [each.payload["deltaText"] for each in events if "deltaText" in each.payload]


def test_a_run_from_its_beginning_to_its_answer() -> None:
    found = run()
    assert found.on_begin(100) == [agent("lifecycle", {"phase": "start", "startedAt": 100}, 1, 100)]
    assert found.on_begin(101) == []
    assert found.on_delta("Hello", 110) == [
        agent("assistant", {"text": "Hello", "delta": "Hello", "itemId": "r1:1"}, 2, 110),
        chat("delta", 3, deltaText="Hello", message=message("Hello", 110)),
    ]
    assert found.on_delta(" web.", 120) == []
    assert found.next_due() == 260
    assert found.on_final("Hello web.", 200, usage={"input": 5}) == [
        agent("assistant", {"text": "Hello web.", "delta": " web.", "itemId": "r1:1"}, 4, 200),
        chat("delta", 5, deltaText=" web.", message=message("Hello web.", 200)),
        agent(
            "lifecycle",
            {
                "phase": "end",
                "aborted": False,
                "stopReason": "stop",
                "terminalReply": {"disposition": "visible", "text": "Hello web."},
                "endedAt": 200,
                "executionSettled": True,
                "startedAt": 100,
            },
            6,
            200,
        ),
        chat("final", 7, message=message("Hello web.", 200), usage={"input": 5}, stopReason="stop"),
    ]
    assert found.ended
    assert found.next_due() is None


def test_text_is_joined_after_the_first_piece() -> None:
    found = run()
    sent = []
    for now in range(0, 500, 50):
        sent += texts(found.on_delta(str(now // 50), now))
    assert sent == ["0", "123", "456", "789"]
    found.on_delta("x", 451)
    assert found.next_due() == 600
    assert texts(found.flush(600)) == ["x"]
    assert found.next_due() is None
    assert found.flush(601) == []
    assert texts(found.on_delta("y", 749)) == []
    assert texts(found.on_delta("z", 750)) == ["yz"]
    assert found.on_delta("", 9999) == []
    assert found.text.text == "0123456789xyz"


@pytest.mark.parametrize(
    ("size", "wait"), [(100, 150), (65_536, 150), (131_072, 300), (655_360, 1500)]
)
def test_long_text_is_joined_for_longer(size: int, wait: int) -> None:
    found = run()
    found.on_delta("a", 0)
    found.on_delta("b" * (size - 1), 1)
    assert found.next_due() == wait


def test_a_tool_comes_after_the_text_before_it() -> None:
    found = run()
    found.on_delta("Let me", 0)
    assert found.on_delta(" see", 10) == []
    events = found.on_tool_call("c1", "exec", {"command": "ls"}, 20)
    assert texts(events) == [" see"]
    assert events[0].payload["ts"] == 20
    item = {
        "itemId": "tool:c1",
        "toolCallId": "c1",
        "name": "exec",
        "kind": "tool",
        "title": "exec",
    }
    start = item | {"phase": "start", "status": "running", "startedAt": 20}
    tool = {"phase": "start", "name": "exec", "toolCallId": "c1", "args": {"command": "ls"}}
    assert events[2] == agent("item", start, 5, 20)
    assert events[3] == RunEvent("agent", agent("tool", tool, 6, 20).payload, True)
    result, end = found.on_tool_result("c1", "a.txt", 90)
    assert result.tools_only
    assert result.payload["data"] == {
        "phase": "result",
        "name": "exec",
        "toolCallId": "c1",
        "isError": False,
        "result": {"content": [{"type": "text", "text": "a.txt"}]},
    }
    times = {"startedAt": 20, "endedAt": 90}
    assert (result.payload["stream"], result.payload["ts"]) == ("tool", 90)
    assert end == agent("item", item | {"phase": "end", "status": "completed"} | times, 8, 90)
    after = found.on_delta("One file.", 300)
    assert after[0].payload["data"] == {"text": "One file.", "delta": "One file.", "itemId": "r1:2"}
    assert after[1].payload["message"] == message("Let me seeOne file.", 300)


def test_a_tool_that_fails_or_was_never_begun() -> None:
    found = run()
    found.on_delta("a", 0)
    found.on_delta("b", 1)
    text, _, result, end = found.on_tool_result("c9", "no", 7, failed=True)
    assert (text.payload["data"]["delta"], text.payload["ts"]) == ("b", 7)
    assert result.payload["data"]["isError"]
    assert result.payload["data"]["name"] == ""
    assert (end.payload["data"]["status"], end.payload["data"]["startedAt"]) == ("failed", 7)


def test_a_notice_is_no_part_of_the_answer() -> None:
    found = run(session_id="s1", heartbeat=True)
    (event,) = found.on_notice("thinking", 5)
    assert event.payload == WHO | {
        "sessionId": "s1",
        "stream": "run_status",
        "data": {"phase": "notice", "message": "thinking"},
        "seq": 1,
        "ts": 5,
        "isHeartbeat": True,
    }


@pytest.mark.parametrize(
    ("text", "disposition"), [("hi", "visible"), ("", "empty"), (None, "silent")]
)
def test_an_answer_may_be_silence(text: str | None, disposition: str) -> None:
    found = run()
    end, last = found.on_final(text, 9, stop_reason="length")
    assert end.payload["data"]["terminalReply"]["disposition"] == disposition
    assert "startedAt" not in end.payload["data"]
    assert last.payload.get("message") == (None if text is None else message(text, 9))
    assert last.payload["stopReason"] == end.payload["data"]["stopReason"] == "length"
    assert "usage" not in last.payload


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ("NO_REPLY", None),
        ("  NO_REPLY\n", None),
        ("**NO_REPLY**", None),
        ("[[reply_to_current]] hello", "hello"),
        ("[[reply_to: 7]][[audio_as_voice]]hello", "hello"),
        ("hello\nNO_REPLY", "hello"),
        ("NO_REPLY is a word", "NO_REPLY is a word"),
        ("one\n\n  two", "one\n\n  two"),
    ],
)
def test_tags_and_the_word_for_silence_are_never_shown(answer: str, shown: str | None) -> None:
    found = run()
    pieces = [
        piece for n, each in enumerate(answer) for piece in texts(found.on_delta(each, n * 999))
    ]
    ends = found.on_final(answer, 99_999)
    pieces += texts(ends)
    assert "".join(pieces) == (shown or "")
    data = ends[-2].payload["data"]["terminalReply"]
    assert data["disposition"] == ("visible" if shown else "silent")
    last = ends[-1].payload
    assert ("message" in last) is (shown is not None)
    assert shown is None or last["message"]["content"][0]["text"] == shown


def test_what_an_aborted_run_leaves_is_what_was_shown() -> None:
    found = run(text="[[reply_to_current]] so f")
    found.on_delta("ar\nNO_RE", 1)
    (*_, last) = found.on_abort(2, stop_reason="stop")
    assert last.payload["message"]["content"][0]["text"] == "so far"


@pytest.mark.parametrize("text", ["another", None])
def test_an_answer_that_is_not_what_was_written_is_not_preceded_by_it(text: str | None) -> None:
    found = run()
    found.on_delta("a", 0)
    found.on_delta("b", 1)
    assert texts(found.on_final(text, 2)) == []


def test_what_was_shown_of_an_aborted_run_is_in_its_end() -> None:
    found = run()
    found.on_delta("word0", 0)
    found.on_delta(" word1", 1)
    *text, end, last = found.on_abort(5, stop_reason="rpc")
    assert texts(text) == [" word1"]
    assert text[0].payload["ts"] == 5
    data = {"phase": "end", "aborted": True, "stopReason": "rpc", "endedAt": 5}
    assert end == agent("lifecycle", data | {"executionSettled": True}, 5, 5)
    assert last == chat("aborted", 6, message=message("word0 word1", 5), stopReason="rpc")
    nothing = run().on_abort(5, stop_reason="stop")
    assert nothing[-1] == chat("aborted", 2, stopReason="stop")


def test_a_run_that_fails_says_one_sentence() -> None:
    found, error = run(), error_text("rate_limited", 120)
    found.on_begin(1)
    found.on_delta("a", 1)
    found.on_delta("b", 2)
    *text, end, last = found.on_failure(error, 3)
    assert texts(text) == ["b"]
    assert text[0].payload["ts"] == 3
    data = {"phase": "error", "error": error.text, "endedAt": 3, "executionSettled": True}
    assert end == agent("lifecycle", data | {"startedAt": 1}, 6, 3)
    assert last == chat("error", 7, errorMessage=error.text, errorKind="rate_limit")


def test_a_run_goes_on_after_a_restart() -> None:
    found = run(seq=40, text="Hello")
    assert found.next_due() is None
    first, second = found.on_delta(" web", 9)
    assert (first.payload["seq"], second.payload["seq"]) == (41, 42)
    assert first.payload["data"]["text"] == "Hello web"
    assert second.payload["deltaText"] == " web"


def test_a_turn_that_begins_again_goes_on_where_it_says_the_same() -> None:
    found = run()
    found.on_delta("Hello the", 0)
    found.text.clear()
    assert found.on_delta("Hello", 200) == []  # this has been shown
    assert texts(found.on_delta(" there", 400)) == ["re"]
    found.text.clear()
    assert texts(found.on_delta("Good day", 600)) == []
    (*_, last) = found.on_final("Good day", 700)
    assert last.payload["message"] == message("Good day", 700)


STEP = st.tuples(st.sampled_from("bddddftTnFAEs"), st.integers(0, 200), st.text("ab", max_size=3))


@given(st.lists(STEP, max_size=30))
def test_every_run_is_numbered_without_gaps_and_ends_once(
    steps: list[tuple[str, int, str]],
) -> None:
    found, now, events = run(), 0, list[RunEvent]()
    written = ""
    for name, wait, text in [*steps, ("F", 0, "")]:
        now += wait
        written += text if name == "d" and not found.ended else ""
        match name:
            case "b":
                events += found.on_begin(now)
            case "d":
                events += found.on_delta(text, now)
            case "f":
                events += found.flush(now)
            case "t":
                events += found.on_tool_call(text, "exec", {}, now)
            case "T":
                events += found.on_tool_result(text, "", now)
            case "n":
                events += found.on_notice(text, now)
            case "F" | "s":
                events += found.on_final(written if name == "F" else None, now)
            case "A":
                events += found.on_abort(now, stop_reason="rpc")
            case _:
                events += found.on_failure(error_text("died"), now)
        due = found.next_due()
        assert due is None or due > now or name not in "df"
    assert [each.payload["seq"] for each in events] == list(range(1, len(events) + 1))
    states = [each.payload["state"] for each in events if each.event == "chat"]
    assert [state for state in states if state != "delta"] == states[-1:]
    streams = [each.payload for each in events if each.event == "agent"]
    phases = [each["data"]["phase"] for each in streams if each["stream"] == "lifecycle"]
    assert [phase for phase in phases if phase != "start"] == phases[-1:]
    assert all(isinstance(each["ts"], int) for each in streams)
    assert found.ended
    assert found.on_delta("late", now) == []
    shown = "".join(texts(events))
    assert written.startswith(shown)
    if states[-1] != "final" or "message" in events[-1].payload:
        assert shown == written
    assert found.seq == len(events)
