"""Which peers a bound socket knows, and when it forgets them."""

from __future__ import annotations

import pytest

from ipc.identity.peer import PeerProof
from ipc.zeromq.routing_ids import INCARNATIONS, RoutingIds

PROOF = PeerProof(b"secret-of-this-boot")
KEY = "irc:libera"


def learnt(*peers: tuple[str, int]) -> RoutingIds:
    found = RoutingIds()
    for key, incarnation in peers:
        found.add(PROOF.credentials(key, incarnation))
    return found


def known(ids: RoutingIds) -> list[str]:
    assert {name: number for number, name in ids.names.items()} == ids.ids
    return [name.decode() for name in ids.ids]


def test_a_peer_is_found_by_its_id_and_by_its_name() -> None:
    ids = learnt((KEY, 1), (KEY, 1))
    routing_id = PROOF.credentials(KEY, 1).routing_id
    assert ids.names == {routing_id: b"irc:libera#1"}
    assert ids.ids == {b"irc:libera#1": routing_id}


def test_of_each_key_only_the_last_incarnations_are_known() -> None:
    ids = learnt(*((key, number) for number in range(1, 30) for key in (KEY, "irc:oftc")))
    assert len(ids) == 2
    assert len(known(ids)) == 2 * INCARNATIONS
    assert known(ids)[-2:] == ["irc:libera#29", "irc:oftc#29"]


@pytest.mark.parametrize(
    ("last", "left"),
    [
        (3, ["irc:oftc#1"]),
        (9, ["irc:oftc#1"]),
        (2, ["irc:libera#3", "irc:oftc#1"]),  # it has come back already
        (0, ["irc:libera#1", "irc:libera#2", "irc:libera#3", "irc:oftc#1"]),
    ],
)
def test_an_account_that_is_no_more_is_forgotten(last: int, left: list[str]) -> None:
    ids = learnt((KEY, 1), (KEY, 2), (KEY, 3), ("irc:oftc", 1))
    ids.forget(KEY, last)
    ids.forget("irc:never", last)
    assert known(ids) == left
    assert len(ids) == len({name.partition("#")[0] for name in left})


def test_one_that_has_come_back_is_limited_as_before() -> None:
    ids = learnt((KEY, 1), (KEY, 2))
    ids.forget(KEY, 1)
    for number in range(3, 30):
        ids.add(PROOF.credentials(KEY, number))
    assert known(ids) == [f"{KEY}#{number}" for number in range(30 - INCARNATIONS, 30)]
