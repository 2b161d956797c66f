"""Which of the sockets that have proved nothing must give way."""

from __future__ import annotations

import pytest

from ipc.websocket.sockets import UnprovenSockets

HERE, THERE = "127.0.0.1", "203.0.113.7"


class PlayedSocket:
    """A socket that gives way unless it is busy."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.busy = False

    def close_if_idle(self) -> bool:
        return not self.busy


class Play:
    """Carries out steps: ``w`` a new socket, ``h`` it speaks HTTP, ``u`` it asks again.

    ``b`` makes it busy, ``r`` removes it. Behind the letter stands its number; those above 50
    come from elsewhere.
    """

    def __init__(self, preauth: int = 100, http: int = 100, total: int | None = None) -> None:
        self.sockets = UnprovenSockets(preauth, http, total)
        self.made: dict[int, PlayedSocket] = {}
        self.refused: list[int] = []

    def run(self, steps: str) -> None:
        for step in steps.split():
            what, number = step[0], int(step[1:])
            socket = self.made.setdefault(number, PlayedSocket(step[1:]))
            address, exempt = (THERE, False) if number > 50 else (HERE, True)
            accepted = True
            match what:
                case "w":
                    accepted = self.sockets.add(socket, address, exempt=exempt)
                case "h":
                    self.sockets.remove(socket)
                    socket.busy = True  # it has not begun
                    accepted = self.sockets.add_http(socket, address, exempt=exempt)
                    socket.busy = False
                case "u":
                    self.sockets.mark_used(socket)
                case "b":
                    socket.busy = True
                case _:
                    self.sockets.remove(socket)
            if not accepted:
                self.refused.append(number)


@pytest.mark.parametrize(
    ("limits", "steps", "left", "refused", "evicted"),
    [
        # In all: the HTTP connection that was idle for longest, then the oldest other one.
        ({"total": 2}, "w1 w2", 2, [], 0),
        ({"total": 2}, "w1 w2 w3", 2, [], 1),
        ({"total": 2}, "h1 h2 h3", 2, [], 1),
        ({"total": 2}, "h1 h2 u1 b2 h3", 2, [], 1),
        ({"total": 2}, "w1 h2 w3", 2, [], 1),
        ({"total": 2}, "h1 b1 h2 b2 h3", 3, [], 0),  # who is being answered stays
        ({"total": 2}, "h1 b1 h2 b2 w3", 2, [], 1),  # then a new one finds no room
        ({"total": 2}, "w1 w2 r1 w3", 2, [], 0),
        ({"total": None}, "w1 w2 w3 h4 h5", 5, [], 0),
        # HTTP of one address: its own idle ones, else the new one, which loopback may keep.
        ({"http": 2}, "h1 h2 h3", 2, [], 1),
        ({"http": 2}, "h1 h2 h51", 3, [], 0),
        ({"http": 2}, "h51 b51 h52 b52 h53", 2, [53], 0),
        ({"http": 2}, "h1 b1 h2 b2 h3", 3, [], 0),
        ({"http": 2}, "h51 h52 r51 h53", 2, [], 0),
        # WebSockets before their hello: loopback is exempt.
        ({"preauth": 1}, "w51 w52 w53", 2, [53], 0),
        ({"preauth": 1}, "w1 w2 w3", 3, [], 0),
        ({"preauth": 1}, "w51 w52 r51 w53", 2, [], 0),
        ({"preauth": 1}, "w51 w52 h51 w53", 3, [], 0),
        ({}, "r1 u1", 0, [], 0),
    ],
)
def test_each_bound(
    limits: dict[str, int], steps: str, left: int, refused: list[int], evicted: int
) -> None:
    play = Play(**limits)
    play.run(steps)
    assert (len(play.sockets), play.refused, play.sockets.evicted) == (left, refused, evicted)
    assert play.sockets.crowded == len(refused)


def test_the_one_that_was_idle_for_longest_goes_first() -> None:
    play = Play()
    play.run("w9 h1 h2 h3 u1 h4 b2")
    order = []
    for _ in range(4):
        # Which one was closed shows nowhere else.
        before = set(play.sockets._http) | set(play.sockets._waiting)
        assert play.sockets.evict()
        gone = before - set(play.sockets._http) - set(play.sockets._waiting)  # as above
        order += [each.name for each in gone if isinstance(each, PlayedSocket)]
    assert order == ["3", "1", "4", "9"]
    assert not play.sockets.evict()


def test_a_crowded_address_is_counted() -> None:
    play = Play(preauth=1)
    play.run("w51 w52")
    assert play.sockets.is_crowded(THERE)
    assert not play.sockets.is_crowded(HERE)
    assert play.sockets.crowded == 1
    play.run("r51 r52")
    assert not play.sockets._by_address  # a leak shows nowhere else
