from __future__ import annotations

import pytest

from ipc.frames.status import Hold
from ipc.frames.words import Phase
from runtime.supervisor.accounts.explain import todo, what_next, why
from runtime.supervisor.lifecycle import State
from tests.support.accounts import agent_of, spec_of

IRC = spec_of("irc:libera")
PLACE = "channels.irc.accounts.libera"


@pytest.mark.parametrize(
    ("cause", "word"),
    [("needs_login", "log in"), ("misconfigured", "channels.irc.accounts.libera"), (None, "see")],
)
def test_a_failed_account_says_what_to_do(cause: str | None, word: str) -> None:
    text = todo(IRC, State(Phase.FAILED, wanted=True, cause=cause))
    assert text is not None
    assert word in text
    assert "trunkline channels start irc:libera" in text or "describe irc:libera" in text


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.FAILED])
def test_other_causes_need_no_person(phase: Phase) -> None:
    assert todo(IRC, State(phase, cause="misconfigured")) is None


@pytest.mark.parametrize(
    ("state", "obstacle", "hold", "text"),
    [
        (State(Phase.RUNNING), "disabled", Hold(1, None), "it runs"),
        (State(Phase.STOPPED), "not configured", Hold(1, None), "not configured"),
        (State(Phase.STOPPED), None, Hold(1, "night"), "stopped by an operator: night"),
        (State(Phase.STOPPED), None, Hold(1, None), "stopped by an operator"),
        (State(Phase.BACKOFF, cause="transient", reason="no route"), None, None, "no route"),
        (State(Phase.STOPPED, cause="finished"), None, None, "finished"),
        (State(Phase.STARTING), None, None, "starting"),
        (State(Phase.STARTING, cause="waiting", reason="no gateway"), None, None, "no gateway"),
        (State(Phase.STARTING, cause="nobody_attached", reason="nobody"), None, None, "nobody"),
    ],
)
def test_why_an_account_is_as_it_is(
    state: State, obstacle: str | None, hold: Hold | None, text: str
) -> None:
    assert why(state, obstacle, hold) == text


@pytest.mark.parametrize(
    ("state", "held", "word"),
    [
        (State(Phase.BACKOFF), False, "`trunkline channels start irc:libera` does it now"),
        (State(Phase.BACKOFF, retry="asked"), False, "when the time that the platform asked for"),
        (State(Phase.BACKOFF, cause="needs_login"), False, "the refusal may pass"),
        (State(Phase.FAILED), False, "nothing until a person acts: see"),
        (State(Phase.FAILED, retry="slow"), False, "a slow try now and then; a person should act"),
        (State(Phase.STOPPED), True, "nothing until `trunkline channels start irc:libera`"),
        (State(Phase.STOPPED, cause="finished"), False, "nothing until `trunkline"),
        (State(Phase.STOPPED), False, "nothing until its configuration changes"),
        (State(Phase.STARTING), False, "it becomes ready"),
        (State(Phase.STARTING, cause="waiting"), False, "it continues automatically when"),
        (State(Phase.STARTING, cause="nobody_attached"), False, "it runs as soon as a program"),
        (State(Phase.STOPPING), False, "it ends, or is killed"),
        (State(Phase.RUNNING), False, "nothing: it runs"),
    ],
)
def test_the_next_event_of_each_state_is_named(state: State, held: bool, word: str) -> None:
    assert word in what_next(IRC, state, held=held)


def test_an_account_that_is_not_complete_says_what_it_lacks() -> None:
    stopped = State(Phase.STOPPED, cause="unconfigured")
    lacking = spec_of("irc:libera", configured=False, reason="nick not set")
    assert todo(lacking, stopped) == f"nick not set: complete {PLACE}"
    assert todo(lacking, State(Phase.STOPPING)) is None
    disabled = spec_of("irc:libera", configured=False, enabled=False, reason="disabled")
    assert todo(disabled, stopped) is None


def test_what_is_not_installed_is_not_expected_in_the_configuration() -> None:
    stopped = State(Phase.STOPPED, cause="unconfigured")
    lacking = spec_of("irc:libera", configured=False, unusable=True, reason="no package")
    assert todo(lacking, stopped) == f"no package: install or correct what {PLACE} needs"
    text = what_next(lacking, stopped, held=False)
    assert text == "nothing until that is corrected or installed, and `trunkline config reload`"


@pytest.mark.parametrize(
    ("health", "said", "then"),
    [
        (None, "it runs", "nothing: it runs"),
        ("ok", "it runs", "nothing: it runs"),
        (
            "degraded: journal full",
            "it runs, but is degraded: journal full",
            "it continues automatically once that is corrected",
        ),
    ],
)
def test_what_runs_and_is_not_well_is_not_called_well(
    health: str | None, said: str, then: str
) -> None:
    running = State(Phase.RUNNING)
    assert why(running, None, None, health=health) == said
    assert what_next(IRC, running, held=False, health=health) == then
    stopped = State(Phase.STOPPED)
    assert why(stopped, "disabled", None, health=health) == "disabled"


def test_of_an_agent_its_own_commands_are_named() -> None:
    failed = State(Phase.FAILED, wanted=True, cause="misconfigured")
    text = todo(agent_of(), failed)
    assert text is not None
    assert "agents.entries.main" in text
    assert "`trunkline agents start main`" in text
    held = what_next(agent_of(), State(Phase.STOPPED), held=True)
    assert held == "nothing until `trunkline agents start main`"
