"""What of a run becomes which events."""

from __future__ import annotations

from typing import Any, cast

import msgspec
import pytest
from msgspec.structs import replace

from ipc.frames.websocket import Event
from ipc.websocket.client import Client
from runtime.gateway.conversations.growing_text import GrowingText
from runtime.gateway.conversations.run_events import RunEvents
from runtime.gateway.journal.runs import Run, RunResult
from runtime.gateway.runs.broadcast import ended_events, events_of
from tests.support.gateway_rig import GatewayRig, gateway_rig
from tests.support.rig_agent import held_agent, turn_of
from tests.support.until import until
from workers.agent import Delta, Notice, ToolCall, ToolResult

RUN = Run("r", "agent:echo:main", "echo", state="final", started=5, answer="hi")


def events(answer: str = "") -> RunEvents:
    return RunEvents("r", RUN.session, "echo", partial=GrowingText(answer))


@pytest.mark.parametrize(
    ("run", "state", "more"),
    [
        (RUN, "final", {"stopReason": "stop"}),
        (
            replace(RUN, result=RunResult({"input": 1}, "length")),
            "final",
            {"stopReason": "length", "usage": {"input": 1}},
        ),
        (replace(RUN, state="aborted"), "aborted", {"stopReason": "rpc"}),
        (replace(RUN, state="aborted", detail="why"), "aborted", {"stopReason": "why"}),
        (replace(RUN, state="error", error="rate_limited"), "error", {"errorKind": "rate_limit"}),
        (replace(RUN, state="timeout"), "error", {"errorKind": "timeout"}),
        (replace(RUN, state="expired"), "error", {"errorKind": "timeout"}),
        (replace(RUN, state="merged", answer=""), "final", {"stopReason": "collected"}),
    ],
)
def test_each_end_is_one_last_event_of_each_kind(run: Run, state: str, more: Any) -> None:
    made = ended_events(events(), run, 10)
    chats = [each.payload for each in made if each.event == "chat"]
    assert [each["state"] for each in chats if each["state"] != "delta"] == [state]
    assert chats[-1] | more == chats[-1]
    phases = [each.payload["data"].get("phase") for each in made if each.event == "agent"]
    assert phases[0] == "start"
    assert phases[-1] in ("end", "error")


def test_a_merged_run_has_no_message() -> None:
    last = ended_events(events(), replace(RUN, state="merged"), 10)[-1]
    assert "message" not in last.payload


@pytest.mark.parametrize(
    ("event", "streams"),
    [
        (Delta("x"), ["assistant", None]),
        (ToolCall("1", "look", {}), ["item", "tool"]),
        (ToolResult("1", "seen"), ["tool", "item"]),
        (Notice("wait"), ["run_status"]),
    ],
)
def test_what_an_agent_yields_is_shown(event: Any, streams: list[str | None]) -> None:
    made = events_of(events("x" if isinstance(event, Delta) else ""), event, 10)
    assert [each.payload.get("stream") for each in made] == streams


async def chat_events(rig: GatewayRig) -> tuple[Client, list[dict[str, Any]]]:
    """Return a client, and the events ``chat`` and ``agent`` that it is sent."""
    heard: list[dict[str, Any]] = []

    def take(event: Event) -> None:
        if event.event in ("agent", "chat"):
            heard.append(msgspec.json.decode(cast(msgspec.Raw, event.payload)))

    return await rig.client(on_event=take), heard


async def test_without_a_client_there_are_no_events_and_their_numbers_go_on() -> None:
    async with gateway_rig(agents="echo") as rig:
        agent = await held_agent(rig)
        first, before = await chat_events(rig)
        asked = {"sessionKey": "main", "message": "hello", "idempotencyKey": "r"}
        await first.call("chat.send", asked)
        await turn_of(agent)
        agent.yields(Delta("one "))
        await until(lambda: any(each.get("state") == "delta" for each in before))
        await first.close()
        await until(lambda: not rig.parts.hub.has_clients)
        live = rig.parts.runs.live("r")
        assert live is not None
        agent.yields(Delta("two "))
        await until(lambda: live.partial.text == "one two ")
        second, after = await chat_events(rig)
        agent.answers("one two three")
        await second.call("agent.wait", {"runId": "r"})
        await until(lambda: any(each.get("state") == "final" for each in after))
        numbers = [each["seq"] for each in [*before, *after]]
        assert numbers == [*range(1, len(numbers) + 1)]
        assert after[-1]["message"]["content"][0]["text"] == "one two three"
