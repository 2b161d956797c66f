"""The state that all journals have in common."""

from __future__ import annotations

from runtime.gateway.journal.base import JournalBase
from runtime.gateway.journal.records import Place


class OneOfEach(JournalBase):
    """A journal that knows an account and an agent."""

    def __init__(self) -> None:
        super().__init__()
        self._places = {key: Place(key, 1) for key in ("irc:libera", "agent:main")}


def test_agents_are_no_accounts_but_have_records() -> None:
    journal = OneOfEach()
    assert list(journal.accounts()) == ["irc:libera"]
    assert set(journal.keys()) == {"irc:libera", "agent:main"}
    assert journal.place("agent:main") == Place("agent:main", 1)
    assert journal.place("irc:oftc") is None


def test_a_journal_that_begins_is_not_ready_and_has_no_fault() -> None:
    journal = JournalBase()
    assert not journal.ready
    assert (journal.fault, journal.repaired, journal.lost) == (None, None, set())
    assert (journal.waiting_bytes, journal.commits) == (0, 0)
