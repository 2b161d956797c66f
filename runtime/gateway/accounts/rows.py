"""Keeps the rows of all accounts and agents as last reported by the supervisor. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ipc.errors import RemoteError
from ipc.frames.bootstrap import ChannelInfo
from ipc.frames.status import AccountStatus, is_same_status
from ipc.frames.words import AGENT, ALIVE, INVALID_REQUEST, NOT_LINKED, Phase, agent_key, is_agent
from ipc.metrics import Series

LINKING = (Phase.STARTING, "linking")  # phase and cause
WAITS_FOR_LOGIN = {LINKING, (Phase.FAILED, "needs_login")}
TALKING = frozenset({Phase.RUNNING, Phase.STOPPING})  # may hand messages in


def is_linking(row: AccountStatus) -> bool:
    """Return whether an account has started and waits for a person to log it in."""
    return (row.phase, row.cause) == LINKING


class Accounts:
    """Rows by key and channels by id. ``version`` grows with every change that is published.

    ``rows`` are those of accounts, ``agents`` those of agents, which are none. ``revision`` is that
    of the configuration which they follow.
    """

    def __init__(self, channels: Iterable[ChannelInfo], revision: str = "") -> None:
        self.revision = revision
        self.rows: dict[str, AccountStatus] = {}
        self.agents: dict[str, AccountStatus] = {}
        self.channels: dict[str, ChannelInfo] = {}
        self.series: list[Series] = []  # the supervisor's own figures
        self.version = 0
        self.set_channels(channels)

    def set_channels(self, channels: Iterable[ChannelInfo]) -> None:
        """Replace the list of channels, in their order."""
        self.channels = {channel.id: channel for channel in channels}

    def set_revision(self, revision: str) -> bool:
        """Set the revision of the configuration; return whether it has changed."""
        if revision == self.revision:
            return False
        self.revision = revision
        return True

    def set_series(self, series: list[Series]) -> None:
        """Replace the supervisor's own figures."""
        self.series = series

    def row(self, key: str) -> AccountStatus | None:
        """Return the row of an account or an agent."""
        return self._rows_of(key).get(key)

    def every_row(self) -> dict[str, AccountStatus]:
        """Return the rows of all accounts and agents by key."""
        return self.rows | self.agents

    def all_keys(self) -> list[str]:
        """Return the keys of all accounts and agents."""
        return [*self.rows, *self.agents]

    def _rows_of(self, key: str) -> dict[str, AccountStatus]:
        return self.agents if is_agent(key) else self.rows

    def apply(self, key: str, row: AccountStatus) -> bool:
        """Set the row of an account or agent; return whether more than figures has changed."""
        rows = self._rows_of(key)
        before, rows[key] = rows.get(key), row
        if before is not None and is_same_status(before, row):
            return False
        self.version += rows is self.rows
        return True

    def apply_figures(self, rows: Mapping[str, AccountStatus]) -> None:
        """Set rows in which only figures have changed, without a new version."""
        for key, row in rows.items():
            self._rows_of(key)[key] = row

    def remove(self, key: str) -> bool:
        """Remove an account or an agent; return whether it existed."""
        rows = self._rows_of(key)
        if rows.pop(key, None) is None:
            return False
        self.version += rows is self.rows
        return True

    def of_channel(self, channel: str) -> list[AccountStatus]:
        """Return the accounts of a channel in the order of the configuration."""
        order = self.channels[channel].accounts if channel in self.channels else []
        place = {account: number for number, account in enumerate(order)}
        found = [row for row in self.rows.values() if row.channel == channel]
        return sorted(found, key=lambda row: place.get(row.account_id, len(place)))

    def may_talk(self, key: str, incarnation: int) -> bool:
        """Return whether this incarnation is reported ready, so that its messages count."""
        row = self.row(key)
        return row is not None and row.incarnation == incarnation and row.phase in TALKING

    def accepts_http(self, key: str) -> bool:
        """Return whether an account takes HTTP requests: it is running or waits for a login."""
        row = self.rows.get(key)
        return row is not None and row.ingress and (row.phase == Phase.RUNNING or is_linking(row))

    def is_past(self, key: str, incarnation: int) -> bool:
        """Return whether this incarnation is reported as ended."""
        row = self.row(key)
        if row is None:
            return False
        return incarnation < row.incarnation or (
            incarnation == row.incarnation and row.phase not in ALIVE
        )

    def require_linked(self, key: str) -> None:
        """Raise ``RemoteError`` if an account waits for a person to log it in."""
        row = self.rows.get(key)
        if row is not None and (row.phase, row.cause) in WAITS_FOR_LOGIN:
            text = f"{key} waits for a login"
            raise RemoteError(NOT_LINKED, f"{text}; {row.todo}" if row.todo else text)

    def resolve_worker(self, verb: str, channel: str, account: str | None) -> str:
        """Return the key for ``channel`` and ``account`` as ``resolve`` does, or of an agent."""
        if channel != AGENT or account is None:
            return self.resolve(verb, channel, account)
        key = agent_key(account)
        if key not in self.agents:
            known = [row.account_id for row in self.agents.values()]
            raise _unknown(f"unknown agent {account!r}", account, known, "agents list")
        return key

    def abilities(self, key: str) -> dict[str, Any]:
        """Return the abilities of an account's channel."""
        channel = self.channels.get(key.partition(":")[0])
        return {} if channel is None else channel.can

    def default_account(self, channel: str) -> str | None:
        """Return the id of the default account of a channel."""
        found = self.channels.get(channel)
        return None if found is None else found.default_account

    def label(self, key: str) -> str:
        """Return the display name of an account's channel."""
        channel = key.partition(":")[0]
        return self.channels[channel].label if channel in self.channels else channel

    def only_channel(self) -> str:
        """Return the only channel; raises ``RemoteError`` if there is none or several."""
        if len(self.channels) != 1:
            known = ", ".join(self.channels) or "none"
            raise RemoteError(INVALID_REQUEST, f"channel is required; configured: {known}")
        return next(iter(self.channels))

    def unknown_channel(self, text: str, channel: str) -> RemoteError:
        """Return the error ``text`` about a channel that does not exist; it names those that do."""
        return _unknown(text, channel, list(self.channels))

    def resolve(self, verb: str, channel: str, account: str | None) -> str:
        """Return the account key for ``channel`` and ``account``; ``None``: the default one."""
        info = self.channels.get(channel)
        if info is None:
            raise self.unknown_channel(f"invalid {verb} channel {channel[:128]!r}", channel)
        account = account or info.default_account
        if not account:
            account = next((row.account_id for row in self.of_channel(channel)), "")
        key = f"{channel}:{account}"
        if key not in self.rows:
            known = [row.account_id for row in self.of_channel(channel)]
            raise _unknown(f"unknown {channel} account {account!r}", account, known)
        return key


def _unknown(
    text: str, name: str, known: Sequence[str], listed_by: str = "channels list"
) -> RemoteError:
    """Return the error ``text`` about an unknown name, with the nearest and all ``known`` ones."""
    from runtime.config.wording import known_names  # late: only what is wrong needs it

    return RemoteError(INVALID_REQUEST, f"{text}{known_names(name, known, listed_by)}"[:500])
