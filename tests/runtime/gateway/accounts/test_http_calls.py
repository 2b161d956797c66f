"""HTTP requests to accounts that wait for answers, and the places that they hold."""

from __future__ import annotations

import asyncio

import pytest

from ipc.errors import CallTimeout, PeerGone, RemoteError
from ipc.frames.data import FromGateway, HttpAnswer, HttpCall, Welcome, decode_from_gateway
from ipc.identity.peer import PeerProof
from runtime.config.http_model import IngressConfig
from runtime.gateway.accounts.http_calls import HttpCalls, IngressBody, IngressRequest
from runtime.gateway.accounts.peers import Peer, Peers
from runtime.gateway.accounts.rows import Accounts

KEY = "webhook:ci"
REQUEST = IngressRequest(KEY, "POST", "hook", "", [], "192.0.2.1")


class Sender:
    """The data link's end: what was sent, and whether there is room."""

    def __init__(self) -> None:
        self.sent: list[HttpCall] = []
        self.before: list[FromGateway] = []
        self.room = True
        self.there = True

    def __call__(self, id: bytes, body: bytes) -> bool:
        if not self.there:
            raise PeerGone(id.decode(), maybe_executed=False)
        *before, call = decode_from_gateway(body)
        assert before == self.before
        assert isinstance(call, HttpCall)
        self.sent.append(call)
        return self.room


def made(seconds: float = 10.0) -> tuple[HttpCalls, Sender, Peer]:
    peers = Peers(Accounts([]), PeerProof(b"secret"))
    calls, sender = HttpCalls(peers), Sender()
    calls.attach(sender, lambda peer: sender.before)
    calls.bounds.configure(IngressConfig(within_seconds=seconds))
    peer = peers.ensure(b"webhook:ci#1", KEY, 1)
    peers.welcome(peer)
    return calls, sender, peer


def asked(calls: HttpCalls, peer: Peer) -> asyncio.Task[HttpAnswer]:
    place = calls.bounds.admit(KEY, 0, 0.0)

    async def ask() -> HttpAnswer:
        try:
            place.reserve(4)
            return await calls.call(peer, REQUEST, IngressBody(b"body"), place)
        finally:
            place.release()

    return asyncio.create_task(ask())


async def test_what_goes_before_a_request_goes_with_it() -> None:
    calls, sender, peer = made()
    sender.before = [Welcome("boot-1", 0, early=True)]
    asking = asked(calls, peer)
    await asyncio.sleep(0)
    assert calls.on_answer(peer, HttpAnswer(sender.sent[0].id, 200, [], b""))
    assert (await asking).status == 200


async def test_an_answer_settles_its_request() -> None:
    calls, sender, peer = made()
    assert await calls.wait_for_peer(KEY) is peer
    asking = asked(calls, peer)
    await asyncio.sleep(0)
    (call,) = sender.sent
    assert (call.payload, call.seconds, call.path) == (b"body", 10.0, "hook")
    assert calls.memory_bytes == 4 * 4
    assert len(calls) == 1
    answer = HttpAnswer(call.id, 200, [], b"ok")
    assert not calls.on_answer(None, answer)
    assert not calls.on_answer(Peer(b"webhook:ci#2", KEY, 2), answer)
    assert calls.on_answer(peer, answer)
    assert await asking == answer
    assert (len(calls), calls.bounds.in_flight) == (0, 0)
    await calls.finish(0)


@pytest.mark.parametrize(("room", "there"), [(False, True), (True, False)])
async def test_what_cannot_be_sent_fails_at_once(room: bool, there: bool) -> None:
    calls, sender, peer = made()
    sender.room, sender.there = room, there
    with pytest.raises(RemoteError):
        await asked(calls, peer)
    assert calls.bounds.in_flight == 0


async def test_requests_to_a_peer_that_is_gone_fail() -> None:
    calls, _, peer = made()
    asking = asked(calls, peer)
    await asyncio.sleep(0)
    calls.forget(peer)
    with pytest.raises(PeerGone):
        await asking


@pytest.mark.virtual_time
@pytest.mark.parametrize("how", ["late answer", "peer gone", "gateway ends", "never"])
async def test_the_place_of_an_overdue_request_is_held_until_its_worker_is_done(how: str) -> None:
    calls, sender, peer = made()
    with pytest.raises(CallTimeout):
        await asked(calls, peer)
    assert (calls.bounds.in_flight, calls.bounds.memory.held) == (1, 4)
    match how:
        case "late answer":
            assert not calls.on_answer(peer, HttpAnswer(sender.sent[0].id, 200, [], b""))
        case "peer gone":
            calls.forget(peer)
        case "gateway ends":
            calls.fail_all()
        case "never":
            await asyncio.sleep(61)
    assert (calls.bounds.in_flight, calls.bounds.memory.held) == (0, 0)


@pytest.mark.virtual_time
async def test_the_end_waits_for_requests_but_not_for_ever() -> None:
    calls, sender, peer = made()
    loop = asyncio.get_running_loop()
    asking = asked(calls, peer)
    await asyncio.sleep(0)
    begun = loop.time()
    await calls.finish(1.5)
    assert loop.time() - begun == pytest.approx(1.5, abs=0.1)
    loop.call_later(0.5, calls.on_answer, peer, HttpAnswer(sender.sent[0].id, 200, [], b""))
    await calls.finish(1.5)
    assert (await asking).status == 200
    assert loop.time() - begun == pytest.approx(2.0, abs=0.1)
