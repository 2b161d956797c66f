"""What every journal keeps of runs, in memory or in a file, and what changes a run."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from runtime.gateway.journal.outgoing import Known, Queued
from runtime.gateway.journal.records import Answered
from runtime.gateway.journal.runs import (
    ANSWER_BYTES,
    NO_REQUEST,
    Recorded,
    RunEnded,
    RunMerged,
    RunPostponed,
    RunQueued,
    RunRecord,
    RunRequest,
    RunResult,
    RunSeen,
    RunStarted,
    changed_run,
    grown,
)
from tests.support.conversations import NOW, TALK, asked, said, talk
from tests.support.journals import KEY, KINDS, journal_of, open_messages, outgoing, store
from tests.support.short_directory import ShortDirectory
from workers.messages import Attachment

both = pytest.mark.parametrize("kind", KINDS)

OTHER = "agent:echo"  # the key of what clients ask
STEPS: list[RunQueued | RunRecord | Answered] = [
    RunQueued(KEY, asked("r", "again")),
    Answered(KEY, (1, 1), runs=[asked("r"), asked("q")]),
    RunStarted(KEY, "r", 7, 20),
    RunStarted(
        KEY, "r", 8, 30, 99, True, 1, ["q"], RunRequest("both", fields={"model": None, "x": [1]})
    ),
    RunSeen(KEY, "r", 1, True, "par\0t \N{SNOWMAN}"),
    RunSeen(KEY, "r", 2, preview="p1"),
    RunSeen(KEY, "r", 9, True, "\N{SNOWMAN}" * (ANSWER_BYTES // 3)),
    RunPostponed(KEY, "r", 35, True, 1, "transient"),
    RunMerged(KEY, "r", "q", NOW + 40),
    RunEnded(KEY, "r", TALK, "aborted", NOW + 50, entries=said("a"), changed=talk()),
    RunEnded(KEY, "r", TALK, "final", NOW + 60, "", RunResult({"input": 3}, "stop", "m")),
    RunEnded(KEY, "q", TALK, "error", NOW + 60, None, None, "refused", "401", [outgoing("k")]),
    RunStarted(KEY, "never queued", 1, 1),
]


@both
async def test_a_run_goes_from_its_queue_to_its_answer(kind: str, tmp_path: Path) -> None:
    async with journal_of(kind, tmp_path) as journal:
        run = asked("r1", at=5, mode="collect", digest="d")
        await store(journal, Answered(KEY, (1, 3), runs=[run]))
        place = journal.place(KEY)
        assert place is not None
        assert place.settled == (1, 3)  # the message and its run are one record
        assert await journal.open_runs(KEY) == [run]
        await store(journal, RunStarted(KEY, "r1", 9, 10))
        await store(
            journal, RunSeen(KEY, "r1", 2, True, "he", "p1"), RunSeen(KEY, "r1", 3, more="y")
        )
        running = replace(
            run,
            state="running",
            incarnation=9,
            started=10,
            events=3,
            seen=True,
            preview="p1",
            answer="hey",
        )
        assert await journal.open_runs(KEY) == [running]
        answer, entries = outgoing("a1", text="hey you"), said("hello", "hey you", run="r1")
        result = RunResult({"output": 2}, "stop", "model", [Attachment("media:x")])
        ended = RunEnded(
            KEY,
            "r1",
            TALK,
            "final",
            NOW + 20,
            "hey you",
            result,
            "",
            "",
            [answer],
            entries,
            talk(runs=1),
        )
        assert await store(journal, ended) == [Recorded({}, first=1)]
        done = replace(
            running,
            state="final",
            ended=NOW + 20,
            answer="hey you",
            request=NO_REQUEST,
            result=result,
        )
        assert await journal.run_of("r1") == done
        assert await journal.open_runs(KEY) == []
        assert await open_messages(journal, KEY) == [answer]
        assert await journal.session(TALK) == talk(runs=1)
        found = await journal.entries(TALK, 10)
        assert found == [replace(each, number=n) for n, each in enumerate(entries, 1)]


@both
async def test_an_id_is_known_as_long_as_its_run_and_each_account_has_its_own(
    kind: str, tmp_path: Path
) -> None:
    async with journal_of(kind, tmp_path) as journal:
        run, sent = asked("r1", at=5), outgoing("k1")
        (first,) = await store(journal, Answered(KEY, (1, 1), [sent], [], [run]))
        assert first is None
        again, beside, other = await store(
            journal,
            Answered(
                KEY, (1, 2), [outgoing("k1"), outgoing("k2")], [], [asked("r1", "x"), asked("r2")]
            ),
            RunQueued(OTHER, asked("r1", "mine", at=6)),
            Queued(OTHER, outgoing("k1")),
        )
        assert isinstance(again, Known)
        assert again == Recorded({"k1": sent.row}, {"r1": run})
        assert (beside, other) == (None, None)
        assert [each.id for each in await journal.open_runs(KEY)] == ["r1", "r2"]
        newest = await journal.run_of("r1")
        assert newest is not None
        assert newest.request.text == "mine"
        assert await journal.run_of("r3") is None
        assert await journal.open_runs("irc:oftc") == []


@both
async def test_a_run_may_be_born_as_one_that_has_ended(kind: str, tmp_path: Path) -> None:
    async with journal_of(kind, tmp_path) as journal:
        run = asked("r1", state="final", answer="New session.", at=NOW, ended=NOW)
        await store(journal, RunQueued(KEY, run))
        assert await journal.open_runs(KEY) == []
        assert await journal.run_of("r1") == replace(run, request=NO_REQUEST)


@settings(max_examples=12)  # each opens a file
@given(st.lists(st.sampled_from(STEPS), min_size=4, max_size=20))
def test_both_journals_keep_the_same_runs(steps: list[RunQueued | RunRecord | Answered]) -> None:
    async def kept(kind: str, directory: Path) -> object:
        async with journal_of(kind, directory) as journal:
            outcomes = await store(journal, RunQueued(KEY, asked("r", at=5)), *steps)
            return (
                outcomes,
                await journal.open_runs(KEY),
                [await journal.run_of(each) for each in "rq"],
                await journal.session(TALK),
                await journal.entries(TALK, 99),
                await open_messages(journal, KEY),
                journal.place(KEY),
            )

    results = []
    for kind in KINDS:
        with (
            ShortDirectory() as directory,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            results.append(runner.run(kept(kind, directory)))
    assert results[0] == results[1]


def test_an_answer_so_far_is_bounded_and_never_cut_within_a_letter() -> None:
    answer = ""
    for _ in range(3):
        answer = grown(answer, "\N{SNOWMAN}" * (ANSWER_BYTES // 6))
    assert ANSWER_BYTES - 3 < len(answer.encode()) <= ANSWER_BYTES
    assert set(answer) == {"\N{SNOWMAN}"}
    assert grown(answer, "x") == answer


def test_a_new_attempt_begins_without_what_the_last_one_showed() -> None:
    run = changed_run(asked("r"), RunStarted(KEY, "r", 3, 10))
    run = changed_run(run, RunSeen(KEY, "r", 4, True, "half an ans", "p1"))
    run = changed_run(run, RunPostponed(KEY, "r", 15, deaths=1))
    assert (run.state, run.next, run.answer) == ("queued", 15, "half an ans")
    run = changed_run(run, RunStarted(KEY, "r", 4, 20, deaths=1))
    assert (run.answer, run.events, run.seen, run.deaths) == ("", 0, False, 1)
    assert run.preview == "p1"  # the next answer edits that message
    assert run.request == asked("r").request


def test_what_ends_first_counts() -> None:
    run = changed_run(asked("r"), RunEnded(KEY, "r", TALK, "aborted", 5))
    assert changed_run(run, RunEnded(KEY, "r", TALK, "final", 6, "late")) == run
    assert changed_run(run, RunStarted(KEY, "r", 1, 7)) == run
