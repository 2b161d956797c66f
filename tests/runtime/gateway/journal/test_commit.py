"""Which steps a record becomes, and that a step of a run does not carry what is large."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runtime.gateway.journal import schema
from runtime.gateway.journal.commit import Commit
from runtime.gateway.journal.conversations import EntriesAdded, SessionChanged, SessionDeleted
from runtime.gateway.journal.outgoing import Attempt, Queued
from runtime.gateway.journal.people import PeopleChanged, Person
from runtime.gateway.journal.records import Answered, Arrived, Marked, Record
from runtime.gateway.journal.runs import (
    RunEnded,
    RunMerged,
    RunPostponed,
    RunQueued,
    RunSeen,
    RunStarted,
)
from tests.support.conversations import TALK, asked, said, talk
from tests.support.journals import KEY, arrived, outgoing

RUN = RunQueued(KEY, asked("r", "x" * 5000))


def steps(*records: Record) -> list[tuple[int, int]]:
    """Return the kind of each step that records become, and its bytes beside the JSON."""
    work = Commit({}, 1, 0)
    repeated: dict[str, set[str]] = {}
    for record in records:
        work.add(record, record.ids if isinstance(record, Arrived) else [], repeated)
    bodies, text = work.arguments()
    rows: list[list[Any]] = json.loads(text)
    assert sum(row[8] for row in rows) == len(bodies)
    return [(row[0], row[8]) for row in rows]


@pytest.mark.parametrize(
    ("record", "kinds"),
    [
        (arrived(1, "a", "b"), [schema.PACK, schema.IDS]),
        (Marked(KEY, b"7"), []),
        (Queued(KEY, outgoing("k")), [schema.QUEUED]),
        (Attempt(KEY, "k", 1, 1, 1, 1), [schema.CHANGED]),
        (PeopleChanged(KEY, [Person("ada")]), [schema.PERSON]),
        (
            Answered(KEY, (1, 1), [outgoing("k")], [Person("ada")], [asked("r")]),
            [schema.QUEUED, schema.RUN, schema.PERSON],
        ),
        (RUN, [schema.RUN]),
        (RunStarted(KEY, "r", 1, 1), [schema.RUN_CHANGED]),
        (RunPostponed(KEY, "r", 9), [schema.RUN_CHANGED]),
        (RunSeen(KEY, "r", 1), [schema.RUN_CHANGED]),
        (RunMerged(KEY, "r", "q", 1), [schema.RUN_CHANGED]),
        (
            RunEnded(
                KEY, "r", TALK, "final", 1, "a", None, "", "", [outgoing("k")], said("a", "b")
            ),
            [schema.RUN_CHANGED, schema.QUEUED, schema.ENTRY, schema.ENTRY],
        ),
        (EntriesAdded(KEY, TALK, said("a"), talk()), [schema.ENTRY, schema.SESSION]),
        (SessionChanged(KEY, talk()), [schema.SESSION]),
        (SessionDeleted(KEY, TALK), [schema.SESSION_GONE]),
    ],
    ids=lambda each: type(each).__name__,
)
def test_a_record_becomes_steps_and_its_account_is_the_last(
    record: Record, kinds: list[int]
) -> None:
    assert [kind for kind, _ in steps(record)] == [*kinds, schema.PLACE]


def test_frames_of_an_account_that_follow_each_other_become_one_row() -> None:
    other = [arrived(1, "a", key="irc:oftc"), arrived(2, "b", key="irc:oftc")]
    found = steps(arrived(1, "a"), other[0], arrived(2, "b", "c"), other[1], arrived(4, "d"))
    assert [kind for kind, _ in found].count(schema.PACK) == 2
    assert [kind for kind, _ in found].count(schema.IDS) == 2


def test_frames_after_a_repeated_one_have_a_row_of_their_own() -> None:
    found = steps(arrived(1, "a"), arrived(2, "a", "b"))
    assert [kind for kind, _ in found] == [schema.PACK, schema.PACK, schema.IDS, schema.PLACE]


def test_a_step_of_a_run_carries_only_what_it_adds() -> None:
    found = steps(RUN, RunStarted(KEY, "r", 1, 1), RunSeen(KEY, "r", 1, True, "more"))
    assert found[0][1] > 5000
    assert [size for _, size in found[1:]] == [0, 4, 0]
