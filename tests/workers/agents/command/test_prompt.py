from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ipc.nesting import decode_json
from tests.support.agents import asked
from workers.agent import HistoryItem, Turn
from workers.agents.answers import BrokenAnswer
from workers.agents.command.config import CommandConfig
from workers.agents.command.prompt import failure_of_exit, prompt_of, variables_of
from workers.errors import Misconfigured, NeedsLogin, Transient, TurnRefused

HISTORY = [
    HistoryItem("user", "q", 1, "Ann"),
    HistoryItem("assistant", "a", 2),
    HistoryItem("user", "r", 3),
    HistoryItem("tool", "12", 4, "sum"),
]


def made(**fields: Any) -> CommandConfig:
    return msgspec.convert({"command": "x"} | fields, CommandConfig)


def test_a_first_message_is_the_plain_words() -> None:
    assert prompt_of(made(), asked("hello")) == b"hello\n"


def test_instructions_and_history_stand_before_the_words() -> None:
    prompt = prompt_of(made(instructions="Be short."), asked("now", history=HISTORY))
    assert prompt.decode() == (
        "Be short.\n\nWhat was said before:\nAnn: q\nAssistant: a\nUser: r\n[result of sum] 12\n\n"
        "Answer this:\n\nnow\n"
    )
    assert prompt_of(made(historyMessages=0), asked("now", history=HISTORY)) == b"now\n"


def test_as_json_it_is_the_whole_turn_on_one_line() -> None:
    turn = asked("a\nb", history=HISTORY, instructions="more")
    line = prompt_of(made(input="json", instructions="own", historyMessages=2), turn)
    assert line.count(b"\n") == 1
    read = decode_json(line, Turn)
    assert (read.text, read.run, read.instructions) == ("a\nb", "r1", "own\n\nmore")
    assert read.history == HISTORY[2:]


def test_variables_hold_no_nul() -> None:
    assert variables_of(asked(session="a\0b"))["TRUNKLINE_SESSION"] == "ab"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (1, BrokenAnswer),
        (65, TurnRefused),
        (69, Transient),
        (75, Transient),
        (77, NeedsLogin),
        (78, Misconfigured),
        (126, Misconfigured),
        (127, Misconfigured),
        (-9, BrokenAnswer),
    ],
)
def test_each_exit_status_has_its_error_class(code: int, kind: type[Exception]) -> None:
    error = failure_of_exit(code, "last\nwords")
    assert type(error) is kind
    assert f"{abs(code)}: last words" in str(error)
