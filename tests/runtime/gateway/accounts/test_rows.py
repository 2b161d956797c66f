"""The rows of accounts: what changes them, and what they say about incarnations."""

from __future__ import annotations

import pytest

from ipc.errors import RemoteError
from ipc.frames.bootstrap import ChannelInfo
from ipc.frames.status import AccountStatus
from runtime.gateway.accounts.rows import Accounts

IRC = ChannelInfo("irc", "IRC", "IRC network", "number", "libera", ["oftc", "libera"])
BARE = ChannelInfo("bare", "Bare", "Bare", "number", "", ["one"])


def status(key: str, phase: str = "running", incarnation: int = 5, **more: object) -> AccountStatus:
    channel, _, account = key.partition(":")
    return AccountStatus(key, channel, account, phase=phase, incarnation=incarnation, **more)  # type: ignore[arg-type]


def accounts(*rows: AccountStatus, channels: tuple[ChannelInfo, ...] = (IRC,)) -> Accounts:
    made = Accounts(channels)
    for row in rows:
        made.apply(row.account, row)
    return made


def test_only_a_row_that_differs_is_a_new_version() -> None:
    known = accounts(status("irc:libera"))
    assert known.version == 1
    assert not known.apply("irc:libera", status("irc:libera"))
    assert known.version == 1
    assert known.apply("irc:libera", status("irc:libera", "stopping"))
    assert known.version == 2


def test_figures_are_no_new_version() -> None:
    known = accounts(status("irc:libera"))
    known.apply_figures({"irc:libera": status("irc:libera", pid=7)})
    assert known.rows["irc:libera"].pid == 7
    assert known.version == 1


def test_an_account_is_removed_once() -> None:
    known = accounts(status("irc:libera"))
    assert known.remove("irc:libera")
    assert not known.remove("irc:libera")
    assert known.version == 2


def test_accounts_come_in_the_order_of_the_configuration_and_unknown_ones_last() -> None:
    known = accounts(status("irc:new"), status("irc:libera"), status("irc:oftc"))
    assert [row.account_id for row in known.of_channel("irc")] == ["oftc", "libera", "new"]


@pytest.mark.parametrize(
    ("phase", "asked", "talks", "past"),
    [
        ("starting", 5, False, False),
        ("running", 5, True, False),
        ("stopping", 5, True, False),
        ("stopped", 5, False, True),
        ("backoff", 5, False, True),
        ("failed", 5, False, True),
        ("running", 4, False, True),
        ("running", 6, False, False),
    ],
)
def test_an_incarnation_talks_while_it_is_reported_up(
    phase: str, asked: int, talks: bool, past: bool
) -> None:
    known = accounts(status("irc:libera", phase))
    assert known.may_talk("irc:libera", asked) is talks
    assert known.is_past("irc:libera", asked) is past


def test_nothing_is_known_of_an_account_without_a_row() -> None:
    assert not accounts().may_talk("irc:libera", 1)
    assert not accounts().is_past("irc:libera", 1)


def test_an_account_is_found_by_its_name_the_default_or_as_the_only_one() -> None:
    known = accounts(status("irc:libera"), status("bare:one"), channels=(IRC, BARE))
    assert known.resolve("send", "irc", None) == "irc:libera"
    assert known.resolve("send", "irc", "libera") == "irc:libera"
    assert known.resolve("send", "bare", None) == "bare:one"


@pytest.mark.parametrize(
    ("channel", "account", "message"),
    [
        ("telegram", None, "invalid send channel 'telegram'; known: irc, bare"),
        ("irc", "nope", "unknown irc account 'nope'; known: libera"),
        ("icr", None, "invalid send channel 'icr' (did you mean irc?); known: irc, bare"),
        ("irc", "libra", "unknown irc account 'libra' (did you mean libera?); known: libera"),
        ("bare", None, "unknown bare account ''; known: none"),
    ],
)
def test_a_refusal_names_what_is_known(channel: str, account: str | None, message: str) -> None:
    known = accounts(status("irc:libera"), channels=(IRC, BARE))
    with pytest.raises(RemoteError) as refused:
        known.resolve("send", channel, account)
    assert (refused.value.code, refused.value.message) == ("INVALID_REQUEST", message)


def test_the_channel_may_be_left_out_where_there_is_one() -> None:
    assert accounts().only_channel() == "irc"
    with pytest.raises(RemoteError, match="configured: irc, bare"):
        accounts(channels=(IRC, BARE)).only_channel()
    with pytest.raises(RemoteError, match="configured: none"):
        accounts(channels=()).only_channel()


def test_only_another_revision_is_news() -> None:
    known = Accounts([IRC], "r1")
    assert not known.set_revision("r1")
    assert known.set_revision("r2")
    assert known.revision == "r2"


def test_agents_are_known_beside_the_accounts_and_are_no_new_version_of_them() -> None:
    known = accounts(status("agent:main"), status("irc:libera"))
    assert (list(known.rows), list(known.agents)) == (["irc:libera"], ["agent:main"])
    assert known.version == 1
    assert known.may_talk("agent:main", 5)
    assert known.is_past("agent:main", 4)
    known.apply_figures({"agent:main": status("agent:main", pid=7)})
    row = known.row("agent:main")
    assert row is not None
    assert row.pid == 7
    assert known.all_keys() == ["irc:libera", "agent:main"]
    assert known.remove("agent:main")
    assert known.version == 1


@pytest.mark.parametrize(
    ("channel", "account", "said"),
    [
        ("agent", "x", "unknown agent 'x'; known: main"),
        ("agent", "mian", r"unknown agent 'mian' \(did you mean main\?\); known: main"),
        ("agent", None, "invalid v channel"),
    ],
)
def test_an_agent_is_meant_only_where_it_is_named(
    channel: str, account: str | None, said: str
) -> None:
    known = accounts(status("agent:main"), status("irc:libera"))
    assert known.resolve_worker("v", "agent", "main") == "agent:main"
    assert known.resolve_worker("v", "irc", None) == "irc:libera"
    with pytest.raises(RemoteError, match=said):
        known.resolve_worker("v", channel, account)
    with pytest.raises(RemoteError, match="invalid v channel"):
        known.resolve("v", "agent", "main")
