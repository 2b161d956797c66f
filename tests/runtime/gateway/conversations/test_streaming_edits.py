"""When the preview of an answer is edited while the agent still writes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.gateway.conversations.streaming_edits import EditDecision, EditRules, PreviewEdits

RULES = EditRules(every_ms=1000, growth=10, patience=3, limit=50)


def long(count: int) -> str:
    """Return a text of so many characters, which begins with a sentence."""
    return f"A. {'a' * (count - 3)}"


def preview(text: str = "", begun: int = 0) -> PreviewEdits:
    found = PreviewEdits(RULES, begun)
    found.set_text(text)
    return found


def shown(text: str, at: int = 0) -> PreviewEdits:
    """Return a preview that shows ``text`` since ``at``."""
    found = preview(text)
    assert found.next_edit(at, idle=True).text == text
    found.on_success(at)
    return found


def test_the_first_preview_is_a_message_of_its_own() -> None:
    found = preview("word0. word1")
    assert found.next_edit(0, idle=True) == EditDecision("word0. word1", "first", new=True)
    assert found.next_edit(0, idle=True) == EditDecision(None, "under way")


def test_it_does_not_begin_with_half_a_word_unless_that_lasts() -> None:
    found = preview("word", begun=500)
    assert found.next_edit(500, idle=True) == EditDecision(None, "too little", 3500)
    assert found.next_edit(3499, idle=True).text is None
    assert found.next_edit(3500, idle=True) == EditDecision("word", "slow", new=True)


@pytest.mark.parametrize(
    ("text", "begins"),
    [
        ("one two three four", False),
        ("one two. three four", True),
        ("one.two.three four", False),
        ('one "two." three four', True),
        ("one two three four:\n", True),
        ("一二三四五六七八九十。", True),
        ("is 3.5 more than three", False),
    ],
)
def test_it_begins_with_a_sentence(text: str, begins: bool) -> None:
    decision = preview(text).next_edit(0, idle=True)
    assert decision.reason == ("first" if begins else "no sentence")


def test_what_an_earlier_gateway_has_begun_is_edited() -> None:
    found = PreviewEdits(RULES, 0, shown=True)
    found.set_text("no sentence as yet")
    assert found.next_edit(0, idle=True) == EditDecision("no sentence as yet", "grown")


def test_who_lets_others_go_first_is_not_given_up() -> None:
    found = preview("word0. word1")
    for now in range(9):
        assert found.next_edit(now, idle=True).text is not None
        found.on_failure(now, 0, counts=False)
    found.give_up()
    assert found.next_edit(99, idle=True).reason == "given up"


def test_no_preview_of_nothing() -> None:
    assert preview().next_edit(9999, idle=True) == EditDecision(None, "nothing new")
    assert PreviewEdits(RULES, 0).next_edit(9999, idle=True) == EditDecision(None, "nothing new")
    assert shown("word0. word1").next_edit(9999, idle=True) == EditDecision(None, "nothing new")


def test_edits_keep_their_distance() -> None:
    found = shown("word0. word1", at=100)
    found.set_text("word0. word1 word2 word3")
    assert found.next_edit(1099, idle=True) == EditDecision(None, "too soon", 1100)
    assert found.next_edit(1100, idle=True) == EditDecision("word0. word1 word2 word3", "grown")


@pytest.mark.parametrize(
    ("text", "later", "reason"),
    [
        (long(19), 1000, "too little"),
        (long(20), 1000, "grown"),
        (long(19), 2999, "too little"),
        (long(19), 3000, "slow"),
        ("b" * 9, 1000, "grown"),
        (long(9), 1000, "grown"),
    ],
)
def test_an_edit_is_worth_it_when_the_text_has_grown_or_is_another(
    text: str, later: int, reason: str
) -> None:
    found = shown(long(10))
    found.set_text(text)
    decision = found.next_edit(later, idle=True)
    assert decision.reason == reason
    assert decision.text == (None if reason == "too little" else text)
    assert decision.at == (3000 if reason == "too little" else None)
    assert not decision.new


def test_a_long_text_must_grow_by_a_tenth() -> None:
    found = PreviewEdits(EditRules(growth=10), 0)
    found.set_text(long(200))
    found.next_edit(0, idle=True)
    found.on_success(0)
    found.set_text(long(219))
    assert found.next_edit(1000, idle=True).reason == "too little"
    found.set_text(long(220))
    assert found.next_edit(1000, idle=True).reason == "grown"


def test_what_waits_to_be_sent_goes_before_a_preview() -> None:
    found = preview("word0. word1")
    assert found.next_edit(200, idle=False) == EditDecision(None, "others wait", 1200)
    assert found.next_edit(1200, idle=True).text == "word0. word1"


def test_a_preview_shows_no_more_than_one_message_takes() -> None:
    found = preview(long(60))
    assert found.next_edit(0, idle=True).text == long(49) + "…"
    found.on_success(0)
    found.set_text(long(99))
    assert found.next_edit(9999, idle=True) == EditDecision(None, "nothing new")
    exact = preview(long(50))
    assert exact.next_edit(0, idle=True).text == long(50)


@pytest.mark.parametrize(("asked", "after"), [(None, 1000), (5000, 5000), (-1, 0), (0, 0)])
def test_an_edit_that_fails_is_tried_again_when_it_may(asked: int | None, after: int) -> None:
    found = preview("word0. word1")
    found.next_edit(0, idle=True)
    found.on_failure(0, asked)
    if after:
        assert found.next_edit(after - 1, idle=True) == EditDecision(None, "too soon", after)
    decision = found.next_edit(after, idle=True)
    assert (decision.text, decision.new) == ("word0. word1", True)
    assert decision.reason == ("slow" if after == 5000 else "first")


def test_previews_that_keep_failing_are_given_up_and_the_final_text_is_not() -> None:
    found = preview("word0. word1")
    for _ in range(2):
        found.next_edit(0, idle=True)
        found.on_failure(0, 0)
    found.next_edit(0, idle=True)
    found.on_success(0)
    found.set_text("word0. word1 word2 word3")
    for now in (1000, 2000, 3000):
        assert found.next_edit(now, idle=True).reason == ("grown" if now < 3000 else "slow")
        found.on_failure(now)
    assert found.next_edit(99_999, idle=True) == EditDecision(None, "given up")
    assert found.finish("all") == EditDecision("all", "final", final=True)


def test_the_final_text_always_goes_out() -> None:
    assert preview().finish("all") == EditDecision("all", "final", new=True, final=True)
    assert shown("word0. word1").finish("word0. word1").text == "word0. word1"
    under_way = preview("word0. word1")
    under_way.next_edit(0, idle=True)
    assert not under_way.finish("all").new
    under_way.on_failure(0)
    assert under_way.finish("all").new
    assert not shown("word0. word1").finish("b" * 99).new


@given(
    st.lists(
        st.tuples(st.integers(0, 1500), st.integers(0, 30), st.booleans(), st.sampled_from("dddf")),
        max_size=40,
    )
)
def test_edits_are_never_too_many_and_never_wait_for_nothing(
    steps: list[tuple[int, int, bool, str]],
) -> None:
    found, now, text = PreviewEdits(RULES, 0), 0, ""
    last: int | None = None
    for wait, grows, idle, end in steps:
        now, text = now + wait, text + ". " * grows
        found.set_text(text)
        decision = found.next_edit(now, idle=idle)
        if decision.text is None:
            assert decision.reason in ("nothing new", "given up") or decision.at is not None
            assert decision.at is None or decision.at > now
            continue
        assert idle
        assert last is None or now - last >= RULES.every_ms
        assert len(decision.text) <= RULES.limit
        last = now
        if end == "d":
            found.on_success(now)
        else:
            found.on_failure(now)
    assert found.finish(text).text == text
