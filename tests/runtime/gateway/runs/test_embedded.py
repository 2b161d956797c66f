"""The echo agent without a process, beside agents that have one."""

from __future__ import annotations

from typing import Any

from runtime.gateway.accounts.rows import Accounts
from runtime.gateway.runs.embedded import EmbeddedEcho
from tests.support.runs_life import KEY, ScriptedAgent
from tests.support.until import until
from workers.agent import Turn, TurnOutcome


class Listener:
    """What a turn has ended with."""

    def __init__(self) -> None:
        self.ends: list[tuple[Any, int]] = []

    def ended(self, outcome: TurnOutcome, seq: int) -> None:
        assert outcome.final is not None
        self.ends.append((outcome.final.text, seq))


def turn(text: str) -> Turn:
    return Turn("r", "s", "echo", text, 9)


async def test_it_answers_at_once_and_again_after_a_restart() -> None:
    link, listener = ScriptedAgent(Accounts([]), lambda turn: None), Listener()
    echo = EmbeddedEcho(link, lambda key: key == KEY)
    assert echo.incarnation_of(KEY) == 1
    echo.begin(KEY, turn("hi"), listener)
    echo.resume(KEY, turn(""), listener, incarnation=1, after=0, seen=False)
    assert listener.ends == []
    await until(lambda: len(listener.ends) == 2)
    assert (listener.ends, link.turns) == ([("echo: hi", 0), ("", 0)], [])


async def test_any_other_agent_is_asked_by_the_link() -> None:
    link, listener = ScriptedAgent(Accounts([]), lambda turn: None), Listener()
    link.here = 7
    echo = EmbeddedEcho(link, lambda key: False)
    assert echo.incarnation_of(KEY) == 7
    echo.begin(KEY, turn("hi"), listener)
    echo.resume(KEY, turn("hi"), listener, incarnation=7, after=2, seen=True)
    echo.acknowledge("r", 3)
    echo.cancel("r")
    echo.resumed_all()
    assert [asked["text"] for _, asked in link.turns] == ["hi", "hi"]
    assert (link.acknowledged, link.cancelled, link.named) == ([("None:r", 3)], ["r"], True)
