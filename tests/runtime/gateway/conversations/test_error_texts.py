"""What a person reads when no answer comes: a fixed list, for whatever happens."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.gateway.conversations.error_texts import TEXTS, ErrorText, end_text, error_text
from runtime.gateway.runs.lifecycle import DIED, UNAVAILABLE, RunEnd
from workers.agent import Kind

KINDS = [*get_args(Kind), DIED, UNAVAILABLE, "empty", "restart"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_error_has_a_sentence(kind: str) -> None:
    found = error_text(kind)
    assert found is TEXTS[kind]
    assert end_text("error", kind) is found


def test_the_sentences_are_for_people_and_all_different() -> None:
    texts = [found.text for found in TEXTS.values()]
    assert len(set(texts)) == len(texts)
    for text in texts:
        assert text[0].isupper()
        assert text.endswith(".")
        assert len(text) < 100
        assert not set("{}%_:") & set(text)


@pytest.mark.parametrize(
    ("end", "code", "kind"),
    [("timeout", "AGENT_TIMEOUT", "timeout"), ("expired", "AGENT_TIMEOUT", "timeout")],
)
def test_what_took_too_long_is_said(end: str, code: str, kind: str) -> None:
    found = end_text(end, "refused")
    assert found is TEXTS[end]
    assert (found.code, found.kind, found.retryable) == (code, kind, True)


def test_what_has_an_answer_or_was_asked_for_says_nothing_more() -> None:
    assert end_text("final") is None
    assert end_text("aborted", "died") is None
    said = {end for end in get_args(RunEnd) if end_text(end) is not None}
    assert said == {"error", "timeout", "expired"}


WAITS = [
    (None, "rate_limited"),
    (float("nan"), "rate_limited"),
    (-5.0, "rate_limited"),
    (60.0, "rate_limited"),
    (60.1, "rate_limited_minutes"),
    (3600.0, "rate_limited_minutes"),
    (3600.1, "rate_limited_hours"),
    (float("inf"), "rate_limited_hours"),
]


@pytest.mark.parametrize(("wait", "name"), WAITS)
def test_how_long_to_wait_is_said_roughly(wait: float | None, name: str) -> None:
    assert error_text("rate_limited", wait) is TEXTS[name]
    assert end_text("error", "rate_limited", wait) is TEXTS[name]
    assert TEXTS[name].kind == "rate_limit"
    assert error_text("transient", wait) is TEXTS["transient"]


@pytest.mark.parametrize(
    ("kind", "word", "code", "retryable"),
    [
        ("refused", "refusal", "INVALID_REQUEST", False),
        ("too_large", "context_length", "INVALID_REQUEST", False),
        ("misconfigured", "unknown", "UNAVAILABLE", False),
        ("needs_login", "unknown", "UNAVAILABLE", False),
        ("transient", "unknown", "UNAVAILABLE", True),
        ("died", "unknown", "UNAVAILABLE", True),
        ("failed", "unknown", "UNAVAILABLE", True),
        ("unavailable", "unknown", "UNAVAILABLE", True),
        ("restart", "unknown", "UNAVAILABLE", True),
    ],
)
def test_clients_learn_a_code_and_a_word(kind: str, word: str, code: str, retryable: bool) -> None:
    found = error_text(kind)
    assert (found.kind, found.code, found.retryable) == (word, code, retryable)


@given(st.text(), st.text(), st.none() | st.floats())
def test_nothing_else_is_ever_said(end: str, kind: str, wait: float | None) -> None:
    found = end_text(end, kind, wait)
    assert isinstance(found, ErrorText)
    assert found in TEXTS.values()
    assert error_text(kind) is TEXTS.get(kind, TEXTS["failed"])
