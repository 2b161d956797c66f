"""What a subscription begins after, for each state in which an account can be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from ipc.frames.status import AccountStatus
from ipc.identity.peer import PeerProof
from runtime.gateway.accounts.event_positions import EventPositions
from runtime.gateway.accounts.fanout import Fanout
from runtime.gateway.accounts.handover import Handover
from runtime.gateway.accounts.intake import Intake
from runtime.gateway.accounts.peers import Peers
from runtime.gateway.accounts.ring import Rings
from runtime.gateway.accounts.rows import Accounts
from runtime.gateway.journal.memory import MemoryJournal
from runtime.gateway.journal.records import Left, Record
from tests.support.gateway_rig import row
from tests.support.journals import arrived
from tests.support.messages import KEY


@dataclass
class Known:
    """What a gateway knows of accounts."""

    accounts: Accounts = field(default_factory=lambda: Accounts([]))
    rings: Rings = field(default_factory=lambda: Rings(10, 1000))
    journal: MemoryJournal = field(default_factory=MemoryJournal)

    def __post_init__(self) -> None:
        peers = Peers(self.accounts, PeerProof(b"secret"))
        handover = Handover(self.rings, Fanout(lambda: None))
        self.intake = Intake(
            peers, handover, lambda changed: self.journal, lambda *_: None, lambda key: None
        )
        self.positions = EventPositions(self.accounts, self.rings, self.intake)

    def configure(
        self, key: str, phase: str = "running", incarnation: int = 5, **more: Any
    ) -> None:
        reported = row(key, phase, incarnation, **more)
        self.accounts.learn(key, msgspec.convert(reported, AccountStatus))
        self.intake.configure(key)

    async def store(self, *records: Record) -> None:
        for record in records:
            self.journal.append(record)
        await self.journal.close()


@pytest.mark.parametrize(
    ("phase", "position"),
    [
        ("starting", (5, 0)),
        ("running", None),
        ("stopping", None),
        ("backoff", (6, 0)),
        ("stopped", (6, 0)),
        ("failed", (6, 0)),
    ],
)
async def test_an_account_that_was_not_heard_stands_where_its_row_says(
    phase: str, position: tuple[int, int] | None
) -> None:
    known = Known()
    known.configure(KEY, phase)
    assert known.positions.of(KEY) == position


async def test_an_account_without_a_journal_stands_where_its_ring_ends() -> None:
    known = Known()
    known.configure(KEY)
    known.rings.of(KEY).begin(5, 3, anew=True)
    assert known.positions.of(KEY) == (5, 3)
    known.rings.extend(KEY, 5, 4, [b"four", b"five"])
    assert known.positions.of(KEY) == (5, 5)


async def test_an_account_with_a_journal_stands_where_that_ends_also_when_it_is_gone() -> None:
    known = Known()
    known.configure(KEY, journal="on")
    assert known.positions.of(KEY) == (0, 0), "nothing was ever stored"
    known.rings.of(KEY).begin(5, 0, anew=False)
    assert known.positions.of(KEY) == (0, 0), "the incarnation that has begun may say nothing"
    await known.store(arrived(1, "a", "b", incarnation=4))
    assert known.positions.of(KEY) == (4, 2)
    known.accounts.remove(KEY)
    known.intake.configure(KEY)
    assert known.positions.of(KEY) == (4, 2)
    assert list(known.positions.known()) == [KEY]
    assert known.positions.of("irc:never") == (0, 0)


async def test_what_came_while_there_was_no_journal_counts() -> None:
    known = Known()
    known.configure(KEY, journal="on")
    await known.store(arrived(1, "a", incarnation=4), Left(KEY))
    known.rings.extend(KEY, 5, 7, [b"seven"])
    assert known.positions.of(KEY) == (5, 7)


async def test_while_the_journal_is_not_open_nothing_is_known() -> None:
    known = Known()
    known.journal.ready = False
    known.configure(KEY, journal="on")
    assert known.positions.of(KEY) is None
    assert not known.positions.complete
    known.journal.ready = True
    assert known.positions.complete


async def test_a_cursor_beyond_the_journal_is_noticed_where_the_journal_is_whole() -> None:
    known = Known()
    known.configure(KEY, journal="on")
    assert not known.positions.is_beyond(KEY, (4, 3)), "it has nothing to compare with"
    await known.store(arrived(1, "a", "b", incarnation=4))
    assert not known.positions.is_beyond(KEY, (4, 2))
    assert known.positions.is_beyond(KEY, (4, 3))
    await known.store(Left(KEY))
    assert not known.positions.is_beyond(KEY, (4, 3))
