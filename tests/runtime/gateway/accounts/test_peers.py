"""Workers that have proved their identity, and calls that wait for them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ipc.errors import RemoteError
from ipc.frames.bootstrap import ChannelInfo
from ipc.frames.data import (
    Answer,
    DataHello,
)
from ipc.frames.status import AccountStatus
from ipc.identity.peer import PeerProof
from runtime.gateway.accounts.peers import Peer, Peers
from runtime.gateway.accounts.rows import Accounts
from tests.support.gateway_rig import SECRET, gateway_rig, row
from tests.support.messages import KEY
from tests.support.until import PATIENCE


async def test_a_send_right_after_the_start_waits_for_the_account() -> None:
    async with gateway_rig(row(KEY), row("irc:oftc", "backoff")) as rig:
        client = await rig.client()
        params = {"channel": "irc", "accountId": "libera", "to": "x", "message": "hi"}
        asked = client.call("send", params | {"idempotencyKey": "k"})
        assert rig.tasks is not None
        sent = rig.tasks.create_task(asked)
        with pytest.raises(RemoteError, match="not running"):  # no wait for what does not come
            await client.call("send", params | {"accountId": "oftc", "idempotencyKey": "k2"})
        assert not sent.done()
        worker = await rig.worker(KEY, ready=False)  # it may be asked as soon as it is welcome
        worker.on_call = lambda call: Answer(call.id, True, b'{"id":"1","chat":"x","ts":1}')
        async with asyncio.timeout(PATIENCE):
            assert (await sent)["messageId"] == "1"


PROOF = PeerProof(SECRET)
LIBERA = ChannelInfo("irc", "IRC", "IRC", "number", "libera", ["libera"])


def peers_of(*rows: AccountStatus) -> tuple[Accounts, Peers]:
    accounts = Accounts([LIBERA])
    for each in rows:
        accounts.apply(each.account, each)
    return accounts, Peers(accounts, PROOF)


def status(phase: str, incarnation: int = 1, **more: Any) -> AccountStatus:
    return AccountStatus(KEY, "irc", "libera", phase=phase, incarnation=incarnation, **more)


def enter(peers: Peers, incarnation: int = 1) -> Peer:
    return peers.ensure(f"{KEY}#{incarnation}".encode(), KEY, incarnation)


async def test_a_peer_is_entered_once_and_welcome_by_its_key() -> None:
    _, peers = peers_of(status("running"))
    peer = enter(peers)
    assert enter(peers) is peer
    assert peers.by_key == {}
    peers.welcome(peer)
    assert await peers.wait_for(KEY) is peer


async def test_while_an_account_is_replaced_the_newer_peer_keeps_the_key() -> None:
    _, peers = peers_of(status("running", 2))
    old, new = enter(peers, 1), enter(peers, 2)
    peers.welcome(old)
    peers.welcome(new)
    assert peers.of_account(KEY) == [old, new]
    peers.forget(old)
    assert peers.by_key == {KEY: new}
    peers.forget(new)
    assert (peers.by_id, peers.by_key) == ({}, {})


async def test_a_peer_has_ended_with_its_incarnation_or_its_account() -> None:
    accounts, peers = peers_of(status("running"))
    peer = enter(peers)
    assert peers.may_talk(peer)
    assert not peers.has_ended(peer)
    accounts.apply(KEY, status("starting", 2))
    assert peers.has_ended(peer)
    assert not peers.may_talk(peer)
    accounts.remove(KEY)
    assert peers.has_ended(enter(peers, 3))


def test_a_hello_proves_the_incarnation_that_it_names() -> None:
    _, peers = peers_of()
    token = PROOF.token(KEY, 1)
    assert peers.accepts(f"{KEY}#1".encode(), DataHello(KEY, 1, token, 1))
    assert not peers.accepts(f"{KEY}#2".encode(), DataHello(KEY, 2, token, 1))
    assert not peers.accepts(b"irc:oftc#1", DataHello(KEY, 1, token, 1))


@pytest.mark.parametrize(
    ("known", "why"),
    [
        (None, "irc:libera is not known"),
        (status("stopped", cause="held"), "irc:libera is not running (stopped: held)"),
        (status("backoff", last_error="killed"), "irc:libera is not running (backoff: killed)"),
        (status("starting"), "irc:libera is not running (starting)"),
    ],
)
async def test_an_account_that_is_not_there_is_named_with_the_reason(
    known: AccountStatus | None, why: str
) -> None:
    _, peers = peers_of(*([] if known is None else [known]))
    with pytest.raises(RemoteError) as absent:
        await peers.wait_for(KEY)
    assert (absent.value.message, absent.value.retryable) == (why, True)


async def test_a_running_account_is_waited_for_and_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("runtime.gateway.accounts.peers.MEET_SECONDS", 0.01)
    _, peers = peers_of(status("running"))
    with pytest.raises(RemoteError, match="is not connected yet"):
        await peers.wait_for(KEY)


async def test_history_is_waited_for_until_the_peer_owes_none() -> None:
    accounts, peers = peers_of(status("running"))
    peer = enter(peers)
    peer.wanted = 3
    peers.welcome(peer)
    waiting = asyncio.ensure_future(peers.wait_for_history([KEY], 5))
    await asyncio.sleep(0)
    assert not waiting.done()
    peer.wanted = 0
    peers.on_change()
    await waiting
    peer.wanted = 3
    accounts.apply(KEY, status("stopped"))
    await peers.wait_for_history([KEY], 5)  # what is not running owes nothing
