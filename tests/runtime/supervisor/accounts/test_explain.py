from __future__ import annotations

import pytest

from ipc.frames.words import Phase
from runtime.supervisor.accounts.explain import todo
from runtime.supervisor.lifecycle import State


@pytest.mark.parametrize(
    ("cause", "word"),
    [("needs_login", "log in"), ("misconfigured", "channels.irc.accounts.libera"), (None, "see")],
)
def test_a_failed_account_says_what_to_do(cause: str | None, word: str) -> None:
    text = todo("irc:libera", State(Phase.FAILED, wanted=True, cause=cause))
    assert text is not None
    assert word in text
    assert "trunkline channels start irc:libera" in text or "describe irc:libera" in text


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.FAILED])
def test_all_others_need_nobody(phase: Phase) -> None:
    assert todo("irc:libera", State(phase, cause="misconfigured")) is None
