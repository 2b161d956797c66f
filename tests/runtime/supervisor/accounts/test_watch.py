"""The look at all accounts: silence, health, and plugins that talk without end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ipc.frames.words import Phase
from runtime.supervisor.accounts.account import Account
from runtime.supervisor.accounts.watch import AccountWatch
from tests.support.accounts import Stage, account_of, living, phase, spec_of, start
from tests.support.players import beat

pytestmark = pytest.mark.virtual_time


class NotedLink:
    """Stands for the control link: notes what it is to send."""

    def __init__(self) -> None:
        self.did: list[tuple[str, str]] = []
        self.told: list[tuple[str, bool]] = []
        self.drained = 0

    def drain_now(self) -> None:
        self.drained += 1

    def send_interval(self, account: Account, beat: float) -> None:
        self.did.append(("pace", f"{account.key} {beat:g}"))

    def send_gateway_up(self, account: Account, up: bool) -> None:
        self.told.append((account.key, up))

    def ping(self, account: Account) -> None:
        self.did.append(("ask", account.key))

    def request_share(self, account: Account) -> None:
        self.did.append(("weigh", account.key))


class WatchRig:
    """Accounts and their watch."""

    def __init__(self, *accounts: Account) -> None:
        self.accounts = {account.key: account for account in accounts}
        self.changed: list[str] = []
        self.link: Any = NotedLink()
        self.watch = AccountWatch(
            lambda: self.accounts,
            beat=lambda: 5.0,
            gateway_up=lambda: True,
            on_change=self._on_change,
        )

    def _on_change(self, account: Account) -> None:
        self.changed.append(account.key)


async def test_a_silent_worker_is_asked_after_everything_that_came_was_read() -> None:
    async with living(account_of(Stage(), spec_of("local:a"))) as account:
        await start(account)
        account.heartbeat.met = True
        account.on_frame(asyncio.get_running_loop().time())
        rig = WatchRig(account)
        rig.watch.check(rig.link)
        assert (rig.link.did, rig.changed) == ([("pace", "local:a 5")], [])
        assert rig.link.told == [("local:a", True)]
        await asyncio.sleep(15.0)
        rig.watch.check(rig.link)
        assert rig.link.did[-1] == ("ask", "local:a")
        assert (rig.changed, rig.link.drained) == (["local:a"], 2)
        await asyncio.sleep(15.0)
        rig.watch.check(rig.link)
        await phase(account, Phase.BACKOFF)


async def test_a_plugin_that_talks_without_end_is_told_once_between_two_looks() -> None:
    rig = WatchRig(*(account_of(Stage(), spec_of(key)) for key in ("local:a", "local:b")))
    talkative, quiet = rig.accounts.values()
    for _ in range(100):
        rig.watch.on_patch(talkative)
    rig.watch.on_patch(quiet)
    assert rig.changed == ["local:a", "local:b"]
    rig.watch.check(rig.link)
    assert rig.changed == ["local:a", "local:b", "local:a"]
    rig.watch.check(rig.link)
    assert len(rig.changed) == 3


async def test_what_an_account_said_that_is_gone_is_told_no_more() -> None:
    rig = WatchRig(account_of(Stage(), spec_of("local:a")))
    (account,) = rig.accounts.values()
    rig.watch.on_patch(account)
    rig.watch.on_patch(account)
    rig.accounts.clear()
    rig.watch.check(rig.link)
    assert rig.changed == ["local:a"]


async def test_an_account_whose_memory_cannot_be_measured_is_a_warning() -> None:
    async with living(account_of(Stage(), spec_of("local:a"))) as account:
        await start(account)
        rig = WatchRig(account)
        rig.watch.check(rig.link)
        account.on_beat(beat(rss_bytes=1 << 40), 1.0)
        rig.watch.check(rig.link)
        assert ("weigh", "local:a") in rig.link.did
        assert rig.watch.warnings == []
        account.heartbeat.set_share(0)
        rig.watch.check(rig.link)
        assert [text for text in rig.watch.warnings if "memory of local:a" in text]
