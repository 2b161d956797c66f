"""``trunkline top`` on a terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.actions.top import pressed
from ops.exits import ExitCode
from tests.ops.conftest import CommandLine
from tests.support.fakeserver import account, fake_supervisor, status
from tests.support.terminal import on_terminal

DONE = {"results": [{"account": "local:0", "ok": True}]}


def test_without_a_terminal_it_is_refused(cli: CommandLine) -> None:
    cli("top").complains(ExitCode.USAGE, "terminal", "trunkline status")


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("jk", ["j", "k"]),
        ("\x1b[A", ["\x1b[A"]),
        ("\x1b[6~q", ["\x1b[6~", "q"]),
        ("\x1b", ["\x1b"]),
    ],
)
def test_pressed_keys_are_separated(text: str, keys: list[str]) -> None:
    assert list(pressed(text)) == keys


async def test_accounts_are_chosen_and_controlled_by_keys(state: Path) -> None:
    rows = status(*(account(f"local:{number}") for number in range(42)))
    lines = {"lines": [{"account": "local:1", "ts": "2026-01-01T00:00:00Z", "text": "hello"}]}
    methods = {"supervisor__status": rows, "channels__start": DONE, "channels__stop": DONE}
    async with (
        fake_supervisor(state, channels__logs=lines, **methods) as fake,
        on_terminal(state, "top") as screen,
    ):
        await screen.shows("42 accounts")
        screen.types("s")
        await screen.shows("start local:0: done")
        screen.types("x")
        await screen.shows("stop local:0? y/n")
        screen.types("n")
        screen.types("jl")
        await screen.shows("hello")
        screen.types(" ")
        screen.resize(80, 12)
        await screen.shows("(34 more)")
        screen.types("q")
        assert await screen.ends() == ExitCode.OK
        assert ("channels.start", {"accounts": ["local:0"]}) in fake.asked
        assert "channels.stop" not in [method for method, _ in fake.asked]
    assert screen.text.rstrip().endswith("\x1b[?1049l")  # the terminal is as it was


async def test_an_answer_that_it_cannot_read_ends_it(state: Path) -> None:
    strange = status() | {"accounts": [{}]}
    async with (
        fake_supervisor(state, supervisor__status=strange),
        on_terminal(state, "top") as screen,
    ):
        assert await screen.ends() == ExitCode.ERROR
        assert "KeyError" in screen.text
    assert "\x1b[?1049l" in screen.text  # the terminal is as it was
