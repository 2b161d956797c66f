"""The course of a login between a played supervisor and what a person types."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from ipc.errors import RemoteError
from ops.actions.login import follow_login
from ops.exits import OperatorError
from ops.output.login import LoginScreen
from tests.support.commandline import trunkline
from tests.support.fakeserver import fake_gateway

KEY = "whatsapp:shop"


class PlayedApi:
    """Answers as the supervisor does. ``views`` follow one another with each answer taken."""

    def __init__(self, *views: dict[str, Any]) -> None:
        self.client = self
        self.views = list(views)
        self.answers: list[str] = []
        self.refuse: list[RemoteError] = []
        self._changed = asyncio.Event()

    async def call(self, method: str, params: dict[str, Any], *, timeout: float = 30.0) -> Any:
        if method == "channels.login":
            while self.views[0]["mark"] == params["seen"]:
                if self.views[0].get("prompt", {}).get("kind") not in ("ask", "open"):
                    self.views.pop(0)
                    break
                self._changed.clear()
                await self._changed.wait()
            return self.views[0]
        if self.refuse:
            raise self.refuse.pop()
        self.answers.append(params["text"])
        assert params["prompt"] == self.views[0]["prompt"]["id"]
        self.views.pop(0)
        self._changed.set()
        return {"ok": True}


def view(state: str, mark: str, **prompt: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"state": state, "mark": mark, "phase": "starting", "reason": None}
    found |= {"cause": None, "endsInMs": None}
    if prompt:
        given = {"id": mark, "hint": "", "secret": False, "expiresInMs": None, "text": "?"}
        found["prompt"] = given | prompt
    return found


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that types on standard input."""
    reader, writer = os.pipe()
    with open(reader) as stdin, open(writer, "w") as keys:
        monkeypatch.setattr(sys, "stdin", stdin)

        def type_(text: str) -> None:
            keys.write(text)
            keys.flush()

        yield type_


async def test_what_is_typed_answers_one_question_after_the_other(
    typed: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    api = PlayedApi(
        view("starting", "1"),
        view("asked", "2", kind="qr", text="2@abc"),
        view("asked", "3", kind="ask", text="Name?"),
        view("asked", "4", kind="ask", secret=True, text="Password?"),
        view("linked", "5"),
    )
    typed("ann\nsesame\n")
    await follow_login(api, KEY, LoginScreen(KEY, as_json=False))  # type: ignore[arg-type]
    printed = capsys.readouterr().out
    assert api.answers == ["ann", "sesame"]
    for part in ("2@abc", "Name?", "Password?", "is logged in and runs"):
        assert part in printed
    assert "sesame" not in printed


async def test_an_answer_that_is_not_taken_is_asked_for_again(
    typed: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    api = PlayedApi(view("asked", "1", kind="open", text="https://a"), view("linked", "2"))
    api.refuse = [RemoteError("INVALID_REQUEST", "it has another state")]
    typed("https://wrong\n\nhttps://right\n")
    await follow_login(api, KEY, LoginScreen(KEY, as_json=False))  # type: ignore[arg-type]
    assert api.answers == ["https://right"]
    told = capsys.readouterr().err
    assert "not accepted: it has another state" in told
    assert "an answer has 1 to" in told


async def test_a_login_that_ends_without_one_is_an_error_with_the_reason(typed: Any) -> None:
    api = PlayedApi(view("ended", "1") | {"reason": "no login within 600 s"})
    with pytest.raises(OperatorError, match="is not logged in: no login within 600 s"):
        await follow_login(api, KEY, LoginScreen(KEY, as_json=True))  # type: ignore[arg-type]


async def test_for_scripts_the_course_is_lines_of_json(
    typed: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    views = [view("asked", "1", kind="ask", text="Name?"), view("linked", "2")]
    typed("ann\n")
    await follow_login(PlayedApi(*views), KEY, LoginScreen(KEY, as_json=True))  # type: ignore[arg-type]
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == views


@pytest.mark.parametrize(
    ("had", "options", "said"),
    [
        (True, [], "irc:libera is logged out"),
        (False, [], "irc:libera was not logged in"),
        (True, ["--json"], '"loggedOut": true'),
    ],
)
async def test_a_login_is_ended_on_request(
    had: bool, options: list[str], said: str, state: Path
) -> None:
    answer = {"channel": "irc", "accountId": "libera", "cleared": had, "loggedOut": had}
    answers: dict[str, Any] = {"channels.logout": answer}
    async with fake_gateway(**answers) as fake:
        where = ["--url", fake.url, "--token", "secret"]
        result = await trunkline(state, "channels", "logout", "irc:libera", *options, *where)
    assert result.code == 0, result.err
    assert fake.asked[-1] == ("channels.logout", {"channel": "irc", "accountId": "libera"})
    assert said in result.out
