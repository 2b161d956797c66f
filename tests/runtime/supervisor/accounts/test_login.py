from __future__ import annotations

import pytest

from ipc.frames.control import LoginAsked
from ipc.frames.status import LoginStatus
from ipc.frames.words import Phase
from runtime.supervisor.accounts.login import PendingLogin
from runtime.supervisor.lifecycle import State

LINKING = State(Phase.STARTING, wanted=True, incarnation=7, cause="linking", reason="log in")
ASKED = LoginAsked(2, "ask", "Password?", "that of the web page", secret=True, expires=20.0)


def asked(incarnation: int = 7) -> PendingLogin:
    login = PendingLogin()
    login.set_prompt(ASKED, incarnation, now=100.0)
    return login


def test_the_status_has_that_something_is_asked_and_not_what() -> None:
    shown = asked().status(LINKING, 105.0, 1_000_000)
    assert shown == LoginStatus("7-2", "ask", 1_015_000)
    assert "Password" not in str(shown)


def test_followers_get_the_prompt_and_the_remaining_time() -> None:
    view = asked().view(LINKING, 105.0, 700.0)
    assert view["prompt"] == {
        "id": "7-2",
        "kind": "ask",
        "text": "Password?",
        "hint": "that of the web page",
        "secret": True,
        "expiresInMs": 15_000,
    }
    assert (view["state"], view["endsInMs"]) == ("asked", 595_000)


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (State(Phase.STARTING, True, 7), "starting"),
        (State(Phase.STARTING, True, 8, cause="linking"), "starting"),  # another incarnation
        (State(Phase.STOPPING, True, 7, cause="linking"), "starting"),
        (State(Phase.BACKOFF, True, 7, cause="killed"), "starting"),
        (State(Phase.RUNNING, True, 7), "linked"),
        (State(Phase.FAILED, True, 7, cause="needs_login"), "ended"),
        (State(Phase.STOPPED, False, 7, cause="held"), "ended"),
    ],
)
def test_a_prompt_stands_only_while_its_own_process_waits(state: State, word: str) -> None:
    login = asked()
    assert login.prompt(state) is None
    assert login.status(state, 0.0, 0) is None
    view = login.view(state, 0.0, None)
    assert view["state"] == word
    assert "prompt" not in view


def test_the_mark_changes_with_the_prompt_and_with_its_end() -> None:
    login, marks = asked(), []
    marks.append(login.view(LINKING, 0.0, None)["mark"])
    login.set_prompt(LoginAsked(3, "code", "AB-12"), 7, 100.0)
    assert login.view(LINKING, 0.0, None)["prompt"]["expiresInMs"] is None
    marks.append(login.view(LINKING, 0.0, None)["mark"])
    login.end()
    marks.append(login.view(LINKING, 0.0, None)["mark"])
    assert len(set(marks)) == 3
