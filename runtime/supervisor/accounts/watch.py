"""Checks all accounts regularly (silence, health, memory); limits the rate of patches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from weakref import WeakKeyDictionary

from ipc.heartbeat import Verdict
from runtime.supervisor.accounts.account import Account
from runtime.supervisor.accounts.control_link import ControlLink
from runtime.supervisor.accounts.health import HealthCheck


class AccountWatch:
    """Checks every account with each ``check``.

    ``accounts()`` returns all accounts by key, ``beat()`` the beat interval in seconds,
    ``gateway_up()`` whether the gateway is connected. ``on_change(account)`` is called when a row
    has changed.
    """

    def __init__(
        self,
        accounts: Callable[[], Mapping[str, Account]],
        *,
        beat: Callable[[], float],
        gateway_up: Callable[[], bool],
        on_change: Callable[[Account], None],
    ) -> None:
        self._accounts = accounts
        self._beat = beat
        self._gateway_up = gateway_up
        self._on_change = on_change
        self._health: WeakKeyDictionary[Account, HealthCheck] = WeakKeyDictionary()
        self._reported: set[str] = set()  # accounts whose patch was reported since the last check
        self._patched: set[str] = set()  # those of which another one waits for the next check

    def check(self, link: ControlLink) -> None:
        """Check every account; read pending frames first, so that our own delay does not count."""
        link.drain_now()
        now = asyncio.get_running_loop().time()
        for account in list(self._accounts().values()):
            link.send_interval(account, self._beat())
            link.send_gateway_up(account, self._gateway_up())
            if account.check(now) is Verdict.ASK:
                link.ping(account)
                self._on_change(account)
            self._health_of(account, link).check(now)
        patched, self._patched, self._reported = self._patched, set(), set()
        for key in patched:
            if key in self._accounts():
                self._on_change(self._accounts()[key])

    def on_patch(self, account: Account) -> None:
        """Report a plugin's status patch at once, and further ones together at the next check.

        So a plugin that reports without end does not occupy the supervisor.
        """
        if account.key in self._reported:
            self._patched.add(account.key)
        else:
            self._reported.add(account.key)
            self._on_change(account)

    @property
    def warnings(self) -> list[str]:
        """Warnings for accounts whose memory cannot be measured, one sentence each."""
        return [
            f"the memory of {account.key} cannot be measured: nothing replaces it above its limit"
            for account in self._accounts().values()
            if account in self._health and self._health[account].unweighed
        ]

    def _health_of(self, account: Account, link: ControlLink) -> HealthCheck:
        if account not in self._health:
            self._health[account] = HealthCheck(account, ask=link.request_share)
        return self._health[account]
