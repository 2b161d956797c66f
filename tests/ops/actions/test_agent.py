"""How an agent's answer is printed."""

from __future__ import annotations

import msgspec
import pytest

from ipc.frames.websocket import Event
from ops.actions.agent import StreamPrinter, shown


def delta(text: str, run: str = "r") -> Event:
    payload = {"runId": run, "state": "delta", "deltaText": text}
    return Event("chat", msgspec.Raw(msgspec.json.encode(payload)))


def test_what_is_streamed_is_printed_once(capsys: pytest.CaptureFixture[str]) -> None:
    printer = StreamPrinter("r")
    for event in (delta("one "), delta("another's", run="x"), delta("two")):
        printer.on_event(event)
    printer.finish("one two three")
    assert capsys.readouterr().out == "one two three\n"


def test_an_answer_that_turns_out_otherwise_is_printed_whole(
    capsys: pytest.CaptureFixture[str],
) -> None:
    printer = StreamPrinter("r")
    printer.on_event(delta("half"))
    printer.finish("another")
    assert capsys.readouterr().out == "half\nanother\n"


def test_lines_stay_and_no_terminal_obeys() -> None:
    assert shown("a\nb\x1b[2J") == "a\nb\\x1b[2J"
