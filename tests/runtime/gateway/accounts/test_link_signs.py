"""For how long a running account has given no sign on the data link."""

from __future__ import annotations

from ipc.frames.bootstrap import ChannelInfo
from ipc.frames.status import AccountStatus
from ipc.identity.peer import PeerProof
from runtime.gateway.accounts.link_signs import LinkSigns
from runtime.gateway.accounts.peers import Peer, Peers
from runtime.gateway.accounts.rows import Accounts

KEY = "irc:libera"


class SignsRig:
    """One account and its peer, at times that the test chooses."""

    def __init__(self, phase: str = "running", incarnation: int = 1) -> None:
        channel = ChannelInfo("irc", "IRC", "IRC", "number", "libera", ["libera"])
        self.accounts = Accounts([channel])
        self.peers = Peers(self.accounts, PeerProof(b"secret"))
        self.now = 100.0
        self.signs = LinkSigns(self.accounts, self.peers, lambda: self.now)
        self.row(phase, incarnation)

    def row(self, phase: str, incarnation: int = 1) -> None:
        self.accounts.apply(
            KEY, AccountStatus(KEY, "irc", "libera", phase=phase, incarnation=incarnation)
        )

    def peer(self, incarnation: int = 1) -> Peer:
        peer = self.peers.ensure(f"{KEY}#{incarnation}".encode(), KEY, incarnation)
        self.peers.welcome(peer)
        return peer

    def after(self, seconds: float) -> float | None:
        self.now += seconds
        return self.signs.silent().get(KEY)


async def test_a_running_account_that_never_came_is_silent_since_it_is_known() -> None:
    rig = SignsRig()
    assert [rig.after(seconds) for seconds in (0, 2, 2, 6)] == [None, None, 4, 10]


async def test_hellos_and_messages_are_signs() -> None:
    rig = SignsRig()
    peer = rig.peer()
    assert rig.after(0) is None
    assert rig.after(5) == 5
    peer.hellos += 1
    assert rig.after(5) is None
    peer.seen += 1
    assert rig.after(5) is None
    assert rig.after(5) == 5


async def test_what_is_not_running_need_not_be_there() -> None:
    rig = SignsRig("backoff")
    assert [rig.after(10), rig.after(10)] == [None, None]
    rig.row("running")
    assert rig.after(10) is None
    rig.row("running", 2)  # another incarnation begins anew
    assert rig.after(10) is None


async def test_the_peer_of_an_earlier_incarnation_is_no_sign() -> None:
    rig = SignsRig(incarnation=2)
    old = rig.peer(1)
    assert rig.after(0) is None
    old.hellos += 1
    assert rig.after(5) == 5


async def test_it_looks_once_a_second_however_often_it_is_asked() -> None:
    rig = SignsRig()
    peer = rig.peer()
    rig.after(0)
    assert rig.after(5) == 5
    peer.hellos += 1
    assert rig.after(0.5) == 5
    assert rig.after(0.5) is None
