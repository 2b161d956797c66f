from __future__ import annotations

import json
import re
from typing import Any

import pytest

from ops.output.login import LoginScreen

KEY = "whatsapp:shop"


def view(state: str = "asked", mark: str = "1", **prompt: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"state": state, "mark": mark, "phase": "starting", "cause": "linking"}
    found |= {"reason": None, "endsInMs": 600_000}
    if prompt:
        given = {"id": mark, "hint": "", "secret": False, "expiresInMs": None, "text": "T"}
        found["prompt"] = given | prompt
    return found


@pytest.mark.parametrize(
    ("shown", "lines"),
    [
        (view(kind="code", text="AB-12", hint="In the app."), ["AB-12", "In the app."]),
        (view(kind="ask", text="Name?"), ["Name?"]),
        (view(kind="ask", secret=True), ["not shown"]),
        (view(kind="open", text="https://a/?b=1"), ["https://a/?b=1", "paste the address"]),
        (view(kind="qr", text="2@abc", expiresInMs=20_000), ["2@abc", "20.0 s", "10 m 0 s"]),
        (view("linked"), [f"{KEY} is logged in and runs"]),
        (view("starting"), [f"{KEY} is starting"]),
        (view("ended") | {"phase": "failed", "reason": "no login within 600 s"}, ["no login"]),
        (view("starting") | {"phase": "backoff", "reason": "no route"}, ["backoff: no route"]),
    ],
)
def test_each_step_of_a_login_is_printed_once(
    shown: dict[str, Any], lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    screen = LoginScreen(KEY, as_json=False)
    screen.show(shown)
    printed = capsys.readouterr().out
    for line in lines:
        assert line in printed
    screen.show(shown)
    assert capsys.readouterr().out == ""


def test_for_scripts_each_change_is_a_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    screen = LoginScreen(KEY, as_json=True)
    views = [view(kind="qr", text="2@abc"), view("linked", "2")]
    for each in views:
        screen.show(each)
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == views


@pytest.mark.parametrize(("columns", "code"), [("80", True), ("30", False)])
def test_a_terminal_shows_the_code_where_it_is_wide_enough_else_its_text(
    columns: str, code: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("LINES", "50")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    screen = LoginScreen(KEY, as_json=False)
    screen.show(view(kind="qr", text="2@" + "a" * 100))
    first = capsys.readouterr().out
    assert ("█" in first, "2@aaa" in first) == (code, not code)
    screen.show(view(kind="qr", text="2@" + "b" * 100, mark="2"))
    second = capsys.readouterr().out
    height = len(first.splitlines())
    assert second.startswith(f"\x1b[{height}A\x1b[J") is code  # in the place of the first


@pytest.mark.parametrize("columns", [60, 80, 110])
def test_a_new_code_takes_all_of_the_place_of_the_last_one(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("LINES", "50")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    screen = LoginScreen(KEY, as_json=False)
    hint = "On the phone open Settings, then Linked devices, then Link a device; " * 2
    screen.show(view(kind="qr", text="2@" + "a" * 100, hint=hint))
    first = capsys.readouterr().out.splitlines()
    bare = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in first]
    assert max(map(len, bare)) <= columns  # or the terminal would break it into more rows
    assert " ".join(bare).count("Linked devices") == 2
    screen.show(view(kind="qr", text="2@" + "b" * 100, mark="2", hint=hint))
    assert capsys.readouterr().out.startswith(f"\x1b[{len(first)}A\x1b[J")


def test_nothing_of_a_platform_steers_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    LoginScreen(KEY, as_json=False).show(view(kind="code", text="\x1b[2J"))
    assert "\x1b" not in capsys.readouterr().out
