"""What a gateway knows of accounts and their events: rows, rings and a journal, without links."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

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
from runtime.gateway.journal.records import Record
from tests.support.gateway_rig import row


@dataclass
class KnownAccounts:
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
        self.accounts.apply(key, msgspec.convert(reported, AccountStatus))
        self.intake.configure(key)

    async def store(self, *records: Record) -> None:
        for record in records:
            self.journal.append(record)
        await self.journal.close()
