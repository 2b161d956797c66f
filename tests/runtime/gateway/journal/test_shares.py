"""What belongs into one commit, and how much each record counts."""

from __future__ import annotations

import pytest

from runtime.gateway.journal.conversations import Session, SessionChanged, TranscriptEntry
from runtime.gateway.journal.outgoing import Queued
from runtime.gateway.journal.records import Answered, Left, Marked, Record
from runtime.gateway.journal.runs import RunEnded
from runtime.gateway.journal.shares import BATCH_BYTES, SHARE_BYTES, Share, size_of
from tests.support.journals import KEY, arrived, outgoing

OTHER = "irc:oftc"
HALF = "x" * (SHARE_BYTES // 2 - 1000)
WHOLE = "x" * SHARE_BYTES


@pytest.mark.parametrize(
    ("records", "taken"),
    [
        ([arrived(1, HALF), arrived(2, HALF), arrived(3, HALF)], [0, 1]),
        ([arrived(1, WHOLE), arrived(2, "small")], [0]),  # one always, however large
        ([arrived(1, "small"), arrived(2, WHOLE), arrived(3, "small")], [0]),  # none overtakes
        ([arrived(1, WHOLE), arrived(2, "a"), Marked(KEY, b"2"), Left(KEY)], [0]),
        ([arrived(1, WHOLE), arrived(2, WHOLE), arrived(1, "a", key=OTHER)], [0, 2]),
        (
            [
                arrived(1, WHOLE),
                arrived(2, "a"),
                Answered(KEY, (1, 0)),
                Queued(KEY, outgoing("k")),
                SessionChanged(KEY, Session("agent:echo:main", "echo")),
            ],
            [0, 2, 3, 4],
        ),
    ],
    ids=["a share", "large", "order", "positions", "others", "decisions"],
)
def test_an_account_s_worker_has_its_share_of_a_commit(
    records: list[Record], taken: list[int]
) -> None:
    share = Share([*enumerate(records)])
    assert share.numbers == taken
    assert share.records == [records[number] for number in taken]
    assert share.size_bytes == sum(map(size_of, share.records))
    rest = [number for number in range(len(records)) if number not in taken]
    while share.later:
        assert [number for number, _ in share.later] == rest
        share = Share(share.later)
        assert share.numbers == rest[: len(share.numbers)]
        rest = rest[len(share.numbers) :]
    assert not rest


@pytest.mark.parametrize(("accounts", "each"), [(1, 1), (2, 3), (3, 8)])
def test_where_several_accounts_have_much_each_has_more(accounts: int, each: int) -> None:
    keys = [f"irc:a{number}" for number in range(accounts)]
    flood = [arrived(first, WHOLE, key=key) for first in range(1, 11) for key in keys]
    share = Share([*enumerate([*flood, arrived(1, "calm")])])
    taken = [record.key for record in share.records]
    assert [taken.count(key) for key in keys] == [each] * accounts
    assert taken[-1] == KEY
    assert len(share.later) == accounts * (10 - each)


def test_beyond_a_whole_batch_each_account_has_its_one_share_all_the_same() -> None:
    keys = [f"irc:a{number}" for number in range(40)]
    flood = [arrived(first, WHOLE, key=key) for key in keys for first in range(1, 7)]
    share = Share([*enumerate([*flood, arrived(1, "calm")])])
    taken = [record.key for record in share.records]
    assert min(taken.count(key) for key in keys) == 1
    assert BATCH_BYTES < share.size_bytes < 2 * BATCH_BYTES
    assert taken[-1] == KEY


def test_many_long_ends_of_runs_are_several_commits_in_order() -> None:
    text = "\N{GRINNING FACE}" * (BATCH_BYTES // 16)  # four bytes each
    said = [TranscriptEntry("assistant", text)]
    ends = [RunEnded(KEY, f"r{n}", "s", "final", 1, text, entries=said) for n in range(12)]
    records: list[Record] = [*ends, arrived(1, "a"), Marked(KEY, b"2"), Queued(KEY, outgoing("k"))]
    assert size_of(ends[0]) > BATCH_BYTES // 2
    share, commits = Share([*enumerate(records)]), []
    while True:
        assert share.size_bytes < 2.5 * BATCH_BYTES
        commits.append(share.numbers)
        if not share.later:
            break
        share = Share(share.later)
    assert commits[:6] == [[2 * n, 2 * n + 1] for n in range(6)]
    assert [number for commit in commits for number in commit] == [*range(15)]


def test_payloads_and_cursors_count_against_the_bounds() -> None:
    small = size_of(arrived(1, "a"))
    assert size_of(arrived(1, "a", cursor=b"x" * 1000)) == small + 1000
    assert size_of(Marked(KEY, b"1")) > 0
