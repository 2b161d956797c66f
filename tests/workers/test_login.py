from __future__ import annotations

from collections.abc import Callable

import pytest

from ipc.frames.words import LONGEST_PROMPT, LONGEST_SENTENCE
from workers.login import Ask, Code, LoginPrompt, Open, Qr

LONG = "x" * (LONGEST_PROMPT + 1)
HINT = "x" * (LONGEST_SENTENCE + 1)


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda: Qr(""), "the QR code"),
        (lambda: Qr(LONG), "the QR code"),
        (lambda: Qr("2@a", HINT), "the hint"),
        (lambda: Code(""), "the code"),
        (lambda: Code("1", HINT), "the hint"),
        (lambda: Ask(""), "the question"),
        (lambda: Ask(HINT), "the question"),
        (lambda: Open("", "s"), "the address"),
        (lambda: Open("https://a", ""), "the state"),
        (lambda: Open("https://a", "s", HINT), "the hint"),
    ],
)
def test_what_cannot_be_shown_is_refused_by_its_name(
    make: Callable[[], LoginPrompt], what: str
) -> None:
    with pytest.raises(ValueError, match=what):
        make()


def test_what_can_be_shown_is_what_it_was_made_of() -> None:
    assert Qr("x" * LONGEST_PROMPT).hint == ""
    assert (Ask("Name?").secret, Ask("Password?", secret=True).secret) == (False, True)
    assert Open("https://a", "s").state == "s"
