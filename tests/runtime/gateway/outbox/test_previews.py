"""By which messages of the platform previews are shown."""

from __future__ import annotations

from msgspec.structs import replace

from runtime.gateway.outbox.previews import (
    MAX_KNOWN,
    ShownPreviews,
    answer_key,
    answered_run,
    preview_key,
)
from tests.support.journals import outgoing
from workers.messages import Sent


def test_a_row_takes_the_place_of_the_message_that_its_preview_has_become() -> None:
    shown, key = ShownPreviews(), preview_key("r1")
    answer = replace(outgoing("run:r1").row, edits=key)
    assert key == "run:r1/preview"
    assert (shown.is_unknown(answer), shown.edited_by(answer)) == (True, "")
    shown.record(key, replace(outgoing(key).row, sent=[Sent("p1", "ada", 5)]))
    assert (shown.is_unknown(answer), shown.edited_by(answer)) == (False, "p1")


def test_the_key_of_an_answer_names_its_run() -> None:
    assert answer_key("irc:libera/1:2") == "run:irc:libera/1:2"
    assert answered_run(answer_key("irc:libera/1:2")) == "irc:libera/1:2"
    assert answered_run("of a client") is None


def test_a_preview_that_was_not_sent_has_no_place() -> None:
    shown = ShownPreviews()
    answer = replace(outgoing("a").row, edits="p")
    for found in (outgoing("p"), None):
        shown.record("p", found)
        assert (shown.is_unknown(answer), shown.edited_by(answer)) == (False, "")
    assert not shown.is_unknown(outgoing("b").row)


def test_what_was_long_ago_is_asked_of_the_journal_again() -> None:
    shown = ShownPreviews()
    for number in range(MAX_KNOWN + 1):
        shown.record(str(number), None)
    assert [shown.is_unknown(replace(outgoing("a").row, edits=key)) for key in ("0", "1")] == [
        True,
        False,
    ]
