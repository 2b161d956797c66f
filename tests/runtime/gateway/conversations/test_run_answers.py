"""The answers of ``agent`` and ``agent.wait``, as a table."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from runtime.gateway.conversations.error_texts import TEXTS
from runtime.gateway.conversations.run_answers import (
    TRUNCATED,
    accepted_answer,
    command_answer,
    digest_of,
    failure_of,
    final_answer,
    in_flight_answer,
    wait_answer,
)
from runtime.gateway.journal.runs import Run, RunResult
from workers.messages import Attachment

RUN = Run("r", "agent:echo:main", "echo", at=100, started=110, ended=150, answer="hi")


def end(state: Any, **more: Any) -> Run:
    return replace(RUN, state=state, **more)


@pytest.mark.parametrize(
    ("run", "answer", "status", "known"),
    [
        (end("final"), {"status": "ok", "summary": "completed"}, "ok", {"stopReason": "stop"}),
        (
            end("merged", answer="", merged="lead"),
            {"status": "ok", "summary": "completed", "mergedInto": "lead"},
            "ok",
            {"stopReason": "collected", "mergedInto": "lead"},
        ),
        (
            end("aborted"),
            {"status": "timeout", "summary": "aborted", "stopReason": "rpc"},
            "error",
            {"stopReason": "rpc"},
        ),
        (
            end("aborted", detail="stop"),
            {"status": "timeout", "stopReason": "stop"},
            "error",
            {"stopReason": "stop"},
        ),
        (
            end("final", answer="NO_REPLY"),
            {"status": "ok"},
            "ok",
            {"terminalReply": {"disposition": "silent", "text": ""}},
        ),
        (
            end("error", error="refused"),
            {"status": "error", "summary": TEXTS["refused"].text},
            "error",
            {"error": TEXTS["refused"].text},
        ),
        (
            end("timeout"),
            {"status": "timeout", "timeoutPhase": "provider", "providerStarted": True},
            "timeout",
            {},
        ),
        (
            end("expired", started=0),
            {"status": "timeout", "timeoutPhase": "queue", "providerStarted": False},
            "timeout",
            {},
        ),
    ],
)
def test_each_end_has_its_answer(run: Run, answer: Any, status: str, known: Any) -> None:
    whole = final_answer(run)
    assert whole | answer | {"runId": "r"} == whole
    told = wait_answer("r", run)
    assert told | known | {"status": status, "known": True, "endedAt": 150} == told
    assert (failure_of(run) is None) is (run.state in ("final", "merged", "aborted"))


def test_what_has_not_ended_waits_in_its_queue_or_runs() -> None:
    queued, running = end("queued", started=0), end("running")
    assert wait_answer("r", queued)["status"] == "pending"
    assert wait_answer("r", running)["status"] == "timeout"
    assert wait_answer("x", None) == {"runId": "x", "status": "timeout", "known": False}
    assert in_flight_answer(running)["status"] == "in_flight"
    assert failure_of(running) is None


def test_the_first_answer_names_a_session_only_where_the_client_did() -> None:
    assert accepted_answer(RUN, named=True)["sessionKey"] == RUN.session
    assert "sessionKey" not in accepted_answer(RUN, named=False)
    assert accepted_answer(RUN, named=False, ignored=["cwd"])["ignored"] == ["cwd"]


def test_files_and_a_cut_answer_are_parts_of_their_own() -> None:
    result = RunResult({"input": 3, "output": 4}, "length", "m", [Attachment("media:1")])
    whole = final_answer(end("final", result=result))["result"]
    assert [each["text"] for each in whole["payloads"]] == ["hi", "", TRUNCATED]
    assert whole["payloads"][1]["mediaUrl"] == "media:1"
    assert whole["meta"]["durationMs"] == 50
    assert whole["meta"]["agentMeta"]["usage"]["total"] == 7


def test_what_an_agent_writes_to_the_gateway_is_no_part_of_the_answer() -> None:
    for answer, shown in (("NO_REPLY", []), ("[[reply_to_current]] hi", ["hi"])):
        whole = final_answer(end("final", answer=answer))["result"]
        assert [each["text"] for each in whole["payloads"]] == shown


def test_a_digest_is_of_everything_that_is_asked() -> None:
    first = digest_of("s", "text", [])
    assert first == digest_of("s", "text", [])
    others = [digest_of("t", "text", []), digest_of("s", "x", [])]
    others.append(digest_of("s", "text", [Attachment("data:,x")]))
    assert len({first, *others}) == 4


def test_a_command_is_answered_as_a_notice() -> None:
    assert command_answer("r", "done")["result"]["payloads"][0]["isStatusNotice"] is True
