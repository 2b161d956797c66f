"""What is special to conversations in memory; the rest is in ``test_conversations.py``."""

from __future__ import annotations

from runtime.gateway.journal.conversations import EntriesAdded
from runtime.gateway.journal.runs import RunSeen
from runtime.gateway.journal.transcripts import Conversations
from tests.support.conversations import TALK, asked, said
from tests.support.journals import KEY


def test_entries_are_numbered_over_all_sessions() -> None:
    kept = Conversations()
    assert kept.add(KEY, EntriesAdded(KEY, TALK, said("a", "b"))) == 1
    assert kept.add(KEY, EntriesAdded(KEY, "agent:echo:main", [])) == 0
    assert kept.add(KEY, EntriesAdded(KEY, "agent:echo:main", said("c"))) == 3
    assert kept.newest == 3


def test_a_step_of_an_unknown_run_changes_nothing() -> None:
    kept = Conversations()
    kept.add_runs(KEY, [asked("r")])
    kept.change("irc:oftc", RunSeen("irc:oftc", "r", 5))
    assert kept.open_runs(KEY) == [asked("r")]
    assert kept.open_runs("irc:oftc") == []
