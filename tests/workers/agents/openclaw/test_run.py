"""What a run makes of odd answers; its whole life is in ``test_agent``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ipc.errors import PeerGone
from tests.support.agents import asked
from tests.support.context import RecordingContext
from workers.agent import Final
from workers.agents.answers import AnswerBound
from workers.agents.openclaw import run
from workers.agents.openclaw.config import OpenClawConfig
from workers.agents.openclaw.connection import OtherSession
from workers.agents.openclaw.reading import RunReader
from workers.agents.openclaw.run import RemoteRun

DONE = {"status": "ok", "result": {"payloads": [{"text": "well"}]}}
Answers = list[Any]


class ScriptedClient:
    """Answers one request after another; an exception is raised."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.asked: list[str] = []

    async def call(self, method: str, params: Any, *, timeout: float) -> Any:
        self.asked.append(method)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class ScriptedGateway:
    """Opens a session for each list of answers."""

    def __init__(self, *sessions: tuple[str, Answers]) -> None:
        self.clients = [ScriptedClient(answers) for _, answers in sessions]
        self._made = [
            OtherSession(number, process, {}, client)  # type: ignore[arg-type]
            for number, ((process, _), client) in enumerate(
                zip(sessions, self.clients, strict=True), 1
            )
        ]

    async def session(self, newer: int = 0) -> OtherSession:
        return self._made[newer]


IN_FLIGHT, LATE, OVER = {"status": "in_flight"}, {"status": "timeout"}, {"status": "ok"}
LOST, UNSENT = PeerGone("x", maybe_executed=True), PeerGone("x", maybe_executed=False)


@pytest.mark.parametrize(
    ("sessions", "asks"),
    [
        ([("p", [IN_FLIGHT, LATE, OVER, IN_FLIGHT, OVER, DONE])], [6]),
        ([("p", [DONE])], [1]),
        ([("p", [UNSENT]), ("q", [DONE])], [1, 1]),
        ([("p", [LOST]), ("p", [DONE])], [1, 1]),
        ([("p", [LOST]), ("q", [LATE, {"messages": []}, DONE])], [1, 3]),
        ([("p", [IN_FLIGHT, LOST]), ("q", [{"known": True}, IN_FLIGHT, OVER, DONE])], [2, 4]),
    ],
    ids=["late answer", "known", "not sent", "same process", "another process", "durable"],
)
async def test_a_run_is_requested_until_it_is_answered(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    sessions: list[tuple[str, Answers]],
    asks: list[int],
) -> None:
    monkeypatch.setattr(run, "PAUSE", 0.0)
    config = OpenClawConfig("ws://127.0.0.1:1", follow_resets=False)
    ctx: Any = RecordingContext(config, tmp_path)
    gateway: Any = ScriptedGateway(*[(name, list(answers)) for name, answers in sessions])
    made = RemoteRun(ctx, gateway, asked(), RunReader(AnswerBound(4096)))
    assert await made.final() == Final("well")
    assert [len(client.asked) for client in gateway.clients] == asks
    assert made.begun
