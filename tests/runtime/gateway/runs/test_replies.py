"""What a run leaves behind: the message to its chat, and the record of its end."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from runtime.gateway.journal.conversations import Session
from runtime.gateway.journal.runs import ReplyTarget, Run, RunOrigin, RunRequest
from runtime.gateway.runs.lifecycle import End
from runtime.gateway.runs.live import LiveRun
from runtime.gateway.runs.replies import Speaking, ended_of, turn_of
from workers.agent import Final, HistoryItem, TurnOutcome, Usage
from workers.messages import Attachment, Chat, Sender

SESSION = Session("agent:echo:main", "echo", usage={"input": 1})
TARGET = ReplyTarget("irc:libera", "ada", "t1")


def live(outcome: TurnOutcome | None = None, *, kind: str = "direct", **more: Any) -> LiveRun:
    """A run that was begun, with this end of its turn."""
    request = RunRequest("hello", chat=Chat("ada", kind))  # type: ignore[arg-type]
    fields: dict[str, Any] = {"reply": TARGET, "started": 5, "at": 4} | more
    origin = RunOrigin("irc:libera", "ada", "t1", "m1", "ada")
    made = LiveRun("irc:libera", Run("r", SESSION.key, "echo", origin, request=request, **fields))
    made.outcome = outcome
    return made


def said(text: str | None, **more: Any) -> TurnOutcome:
    return TurnOutcome("final", Final(text, **more))


def told(run: LiveRun, end: End, **speaking: Any) -> str | None:
    """Return what the chat of a run gets."""
    message = ended_of(run, end, Speaking(**speaking), SESSION, 9)[1]
    return None if message is None else message.text


def test_an_answer_goes_to_the_chat_of_its_message_under_the_key_of_the_run() -> None:
    outcome = said("**hi**", usage=Usage(3, 4), model="m")
    ended, message = ended_of(live(outcome), End("final"), Speaking("openai"), SESSION, 9)
    assert message is not None
    assert (message.to, message.thread, message.key) == ("ada", "t1", "run:r")
    assert (message.text, message.markup) == ("**hi**", "markdown")
    assert (ended.state, ended.answer, ended.at) == ("final", "**hi**", 9)
    assert [(each.role, each.text) for each in ended.entries] == [
        ("user", "hello"),
        ("assistant", "**hi**"),
    ]
    assert ended.changed is not None
    assert (ended.changed.runs, ended.changed.messages) == (1, 2)
    assert ended.changed.usage == {"input": 4, "output": 4}
    assert (ended.changed.account, ended.changed.to) == ("irc:libera", "ada")


@pytest.mark.parametrize(("kind", "name"), [("group", "Ada"), ("direct", "")])
def test_in_a_group_the_transcript_has_the_name_of_who_asked(kind: str, name: str) -> None:
    run = live(said("hi"), kind=kind)
    run.request = replace(run.request, sender=Sender("1", "Ada"))
    assert [
        each.name for each in ended_of(run, End("final"), Speaking(), SESSION, 9)[0].entries
    ] == [
        name,
        "",
    ]


@pytest.mark.parametrize(("reason", "kept"), [("stop", True), ("new", False), ("reset", False)])
def test_a_conversation_that_begins_anew_knows_nothing_of_what_that_has_ended(
    reason: str, kept: bool
) -> None:
    run = live()
    run.partial.append("half an ans")
    run.reason = reason
    ended = ended_of(run, End("aborted"), Speaking(), SESSION, 9)[0]
    assert (bool(ended.entries), ended.changed is not None) == (kept, kept)


@pytest.mark.parametrize(
    ("text", "kind", "silent", "expected"),
    [
        ("NO_REPLY", "group", True, None),
        ("NO_REPLY", "group", False, "The agent had nothing to say to this."),
        ("NO_REPLY", "direct", True, "The agent had nothing to say to this."),
        ("", "direct", False, None),
        ("hi\nNO_REPLY", "group", True, "hi"),
    ],
)
def test_silence_is_only_where_it_is_allowed(
    text: str, kind: str, silent: bool, expected: str | None
) -> None:
    assert told(live(said(text), kind=kind), End("final"), silent_groups=silent) == expected


@pytest.mark.parametrize("kind", ["direct", "group"])
@pytest.mark.parametrize(
    ("agent", "expected"),
    [("openai", "The agent had nothing to say to this."), ("command", None), ("echo", None)],
)
def test_a_model_that_says_nothing_does_not_keep_silent(
    agent: str, expected: str | None, kind: str
) -> None:
    run = live(said("", stop_reason="length"), kind=kind)
    assert told(run, End("final"), kind=agent, silent_groups=True) == expected
    run.run = replace(run.run, origin=replace(run.run.origin, client="cron"))
    assert told(run, End("final"), kind=agent) is None  # nobody in the chat has asked


def test_tags_are_obeyed_and_left_out() -> None:
    message = ended_of(
        live(said("[[reply_to_current]] yes")), End("final"), Speaking(), SESSION, 9
    )[1]
    assert message is not None
    assert (message.text, message.reply_to) == ("yes", "m1")


def test_what_an_echo_repeats_is_no_markdown() -> None:
    message = ended_of(live(said("*hi*")), End("final"), Speaking("echo"), SESSION, 9)[1]
    assert message is not None
    assert message.markup == "plain"


def test_files_go_along_and_need_no_text() -> None:
    outcome = said("", attachments=[Attachment("media:1")])
    message = ended_of(live(outcome), End("final"), Speaking(), SESSION, 9)[1]
    assert message is not None
    assert message.attachments == [Attachment("media:1")]


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (End("error", "refused"), "The agent declined to answer this."),
        (End("timeout"), "The answer took too long and was given up. Please try again."),
        (End("aborted"), None),
        (End("expired"), None),
    ],
)
def test_other_ends_are_one_sentence_or_silence(end: End, expected: str | None) -> None:
    ended, message = ended_of(live(), end, Speaking(), SESSION, 9)
    assert (message and message.text) == expected
    roles = [each.role for each in ended.entries]
    assert roles == (["user", "notice"] if expected else ["user"])


@pytest.mark.parametrize(("client", "kept"), [("", True), ("cron", False)])
def test_what_a_person_wrote_too_long_ago_is_known_and_is_no_news(client: str, kept: bool) -> None:
    run = live(started=0)
    run.run = replace(run.run, origin=replace(run.run.origin, client=client))
    ended, message = ended_of(run, End("expired"), Speaking(), SESSION, 9)
    assert message is None
    assert [(each.role, each.text, each.at) for each in ended.entries] == (
        [("user", "hello", 4)] if kept else []
    )
    assert (ended.changed and ended.changed.updated) == (4 if kept else None)


def test_without_a_chat_the_record_alone_has_the_answer() -> None:
    ended, message = ended_of(live(said("hi"), reply=None), End("final"), Speaking(), SESSION, 9)
    assert (message, ended.answer) == (None, "hi")


def test_the_pieces_are_the_answer_where_the_end_has_none() -> None:
    run = live(said(None))
    for piece in ("one ", "two"):
        run.partial.append(piece)
    assert told(run, End("final")) == "one two"


def test_a_turn_has_what_its_caller_gives_beside_the_message() -> None:
    fields = {"instructions": "be short", "history": [{"role": "user", "text": "heard", "at": 1}]}
    run = live().run
    request = RunRequest("hello", fields=fields)
    turn = turn_of(run, request, [HistoryItem("user", "before", 0)], {"media": True}, 77)
    assert (turn.run, turn.text, turn.deadline, turn.instructions) == ("r", "hello", 77, "be short")
    assert [each.text for each in turn.history] == ["before", "heard"]
    assert (turn.account, turn.abilities) == ("irc:libera", {"media": True})
