"""Which clients are cut off when all of them together have left too much unread."""

from __future__ import annotations

import pytest

from ipc.websocket.unread import UnreadOutput

MOST = 1000


class Played:
    """A client; ``behind`` is the time since when, ``size`` what waits for it."""

    def __init__(self, name: str, behind: float, size: int) -> None:
        self.name, self.behind, self.size = name, behind, size
        self.cut = False
        self.unread: UnreadOutput

    @property
    def buffered_bytes(self) -> int:
        return 0 if self.cut else self.size

    def cut_off(self) -> None:
        self.unread.on_cut_off(self)
        self.cut = True


class Playing:
    """A bound for played clients, and a clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.freed: list[int] = []
        self.unread = UnreadOutput(MOST, lambda: self.now, self.freed.append)


@pytest.mark.parametrize(
    ("clients", "cut"),
    [
        ({"a": (0, 400), "b": (0, 600)}, ""),
        ({"a": (0, 400), "b": (0, 601)}, "b"),  # the one that holds most
        ({"b": (0, 601), "a": (0, 400)}, "b"),
        ({"a": (0, 1001)}, "a"),
        ({"a": (9, 500), "b": (0, 550)}, "a"),  # of two that are alike, the one behind for longer
        ({"a": (9, 100), "b": (0, 950)}, "ab"),  # it goes first, and that is not enough
        ({"a": (9, 150), "b": (0, 870)}, "a"),
        ({"a": (5, 300), "b": (5, 300), "c": (5, 300), "d": (5, 300)}, "cd"),  # some room is made
        ({"a": (5, 0), "b": (0, 1001)}, "b"),  # who has read all is spared
    ],
)
def test_who_is_cut_off(clients: dict[str, tuple[float, int]], cut: str) -> None:
    playing = Playing()
    played = [Played(name, -behind, size) for name, (behind, size) in clients.items()]
    for each in played:
        whole, each.size = each.size, 0
        playing.now, each.unread = each.behind, playing.unread
        playing.unread.on_behind(each)
        each.size = whole
    playing.now = 0.0
    playing.unread.on_growth(MOST + 1)
    assert "".join(sorted(each.name for each in played if each.cut)) == cut
    assert sorted(playing.freed) == sorted(each.size for each in played if each.cut)
    assert playing.unread.slow == len(cut)
    assert playing.unread.size_bytes == sum(each.size for each in played if not each.cut)
    assert [each in playing.unread for each in played] == [not each.cut for each in played]


def test_what_waits_is_summed_up_only_where_it_may_be_too_much() -> None:
    playing = Playing()

    class Counted(Played):
        asked = 0

        @property
        def buffered_bytes(self) -> int:
            self.asked += 1
            return super().buffered_bytes

    client = Counted("a", 0, 10)
    playing.unread.on_behind(client)
    for _ in range(98):
        playing.unread.on_growth(10)
    assert client.asked == 1
    playing.unread.on_growth(11)
    assert (client.asked, client.cut) == (2, False), "it reads: 10 bytes wait"
    playing.unread.on_growth(MOST - 10)
    assert client.asked == 2
    client.size, client.unread = MOST + 1, playing.unread
    playing.unread.on_growth(1)
    assert client.cut


def test_who_has_read_or_is_gone_is_counted_no_more() -> None:
    playing = Playing()
    client, other = Played("a", 0, 900), Played("b", 0, 90)
    playing.unread.on_behind(client)
    playing.unread.on_behind(client)
    assert playing.unread.size_bytes == 900
    playing.unread.on_caught_up(client)
    playing.unread.on_caught_up(client)
    playing.unread.on_behind(other)
    playing.unread.on_growth(900)
    assert not other.cut
