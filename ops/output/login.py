"""Prints the prompts and the progress of a login."""

from __future__ import annotations

import shutil
import sys
from textwrap import wrap
from typing import Any

from ops.output.qr import qr_lines
from ops.output.show import show_json_line
from ops.output.text import clean, duration

View = dict[str, Any]


class LoginScreen:
    """Prints the course of one login. On a terminal a new QR code replaces the last one."""

    def __init__(self, key: str, *, as_json: bool) -> None:
        self._key = key
        self._as_json = as_json
        self._mark = ""
        self._drawn = 0  # rows of the terminal with the QR code, where that ends the screen

    def show(self, view: View) -> None:
        """Print a view if it has changed."""
        if view["mark"] == self._mark:
            return
        self._mark = view["mark"]
        if self._as_json:
            show_json_line(view)
            return
        prompt = view.get("prompt")
        if prompt is None:
            self._print(_course(self._key, view))
        elif prompt["kind"] == "qr":
            self._draw(prompt, view)
        else:
            self._print(*_words(self._key, prompt))

    def show_note(self, text: str) -> None:
        """Print a sentence in between."""
        print(clean(text), file=sys.stderr)
        self._drawn = 0

    def _print(self, *lines: str) -> None:
        self._drawn = 0
        for line in lines:
            if line:
                print(clean(line))
        sys.stdout.flush()

    def _draw(self, prompt: View, view: View) -> None:
        columns, rows = shutil.get_terminal_size()
        terminal = sys.stdout.isatty()
        code = qr_lines(prompt["text"], columns) if terminal else None
        head = clean(f"{self._key}: scan this code with the phone. {prompt['hint']}".rstrip())
        width = columns if terminal else len(head) + 1
        lines = wrap(head, width)
        if code is None:
            if terminal:
                lines.append(f"(The QR code is wider than these {columns} columns; its text is:)")
            lines.append(clean(prompt["text"]))
        else:
            lines += code
        left = [prompt["expiresInMs"], view.get("endsInMs")]
        lines += wrap(_time_left(*left), columns)
        if self._drawn and self._drawn < rows:
            print(f"\x1b[{self._drawn}A\x1b[J", end="")
        print("\n".join(lines), flush=True)
        self._drawn = len(lines) if code is not None else 0


def _course(key: str, view: View) -> str:
    if view["state"] == "linked":
        return f"{key} is logged in and runs"
    if view["state"] == "ended" or view["phase"] == "backoff":
        return f"{key} is {view['phase']}: {view['reason'] or view['cause']}"
    return f"{key} is starting"


def _words(key: str, prompt: View) -> list[str]:
    match prompt["kind"]:
        case "code":
            return [f"{key}: enter this code at the platform: {prompt['text']}", prompt["hint"]]
        case "open":
            return [
                f"{key}: open this page and log in:",
                prompt["text"],
                prompt["hint"],
                "When it does not come back by itself, paste the address that it leads to here:",
            ]
    hidden = " (what you type is not shown)" if prompt["secret"] else ""
    return [f"{key}: {prompt['text']}{hidden}"]


def _time_left(expires_ms: int | None, ends_ms: int | None) -> str:
    parts = []
    if expires_ms is not None:
        parts.append(f"It is valid for {duration(expires_ms / 1000)}, then a new one follows.")
    if ends_ms is not None:
        parts.append(f"The account waits for {duration(ends_ms / 1000)}.")
    return " ".join(parts)
