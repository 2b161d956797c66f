"""Channels: joining, losing, joining again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workers.channels.irc.running_account import config
from tests.workers.channels.irc.transcript import line, sent
from workers.channels.irc.features import Features
from workers.channels.irc.outputs import Warned
from workers.channels.irc.rooms import Rooms

ME = "tester"


def started(*channels: str, **fields: object) -> tuple[Rooms, list[str]]:
    settings = config(
        **{"rejoinSeconds": 5, "retrySeconds": 300, **fields}, channels=list(channels)
    )
    rooms = Rooms(settings)
    return rooms, sent(rooms.start(0.0, Features()))


def joined(*channels: str, at: float = 0.0) -> Rooms:
    rooms, _ = started(*channels)
    for channel in channels:
        rooms.receive(line(f":{ME}!u@h JOIN {channel}"), ME, at)
    return rooms


def test_keys_go_with_the_first_names() -> None:
    _, out = started("#a", "#b key", "#c")
    assert out == ["JOIN #b,#a,#c key"]


@given(st.lists(st.integers(1, 150), max_size=30), st.booleans())
def test_all_channels_are_joined_in_lines_that_fit(lengths: list[int], keyed: bool) -> None:
    key = " key" if keyed else ""
    names = [f"#{index}{'x' * length}" for index, length in enumerate(lengths)]
    _, out = started(*(name + key for name in names))
    assert all(len(one) < 480 for one in out)
    assert [name for one in out for name in one.split()[1].split(",")] == names


def test_rooms_are_settled_when_every_join_is_answered() -> None:
    rooms, _ = started("#a", "#b")
    rooms.receive(line(":tester!u@h JOIN :#A"), ME, 0.1)
    assert not rooms.settled
    rooms.receive(line(":s 474 tester #b :Cannot join channel (+b)"), ME, 0.1)
    assert rooms.settled
    assert rooms.detail()["#a"] == "joined"
    assert rooms.detail()["#b"].startswith("banned (474 Cannot join channel (+b))")


def test_without_channels_everything_is_settled() -> None:
    rooms, out = started()
    assert (out, rooms.settled, rooms.due) == ([], True, None)


@pytest.mark.parametrize("numeric", ["403", "405", "471", "473", "474", "475", "476", "477", "499"])
def test_a_decision_of_others_is_asked_again_slowly(numeric: str) -> None:
    rooms, _ = started("#a")
    out = rooms.receive(line(f":s {numeric} tester #a :no"), ME, 1.0)
    assert any(isinstance(one, Warned) for one in out)
    assert rooms.due == 301.0
    assert rooms.on_timer(300.0) == []
    assert sent(rooms.on_timer(301.0)) == ["JOIN #a"]
    assert not rooms.settled


def test_a_channel_is_joined_again_soon_after_a_netsplit() -> None:
    rooms, _ = started("#a")
    rooms.receive(line(":s 437 tester #a :temporarily unavailable"), ME, 1.0)
    assert rooms.due == 6.0


def test_a_kick_is_answered_after_a_while_that_grows() -> None:
    rooms, now, waits = joined("#a key"), 1.0, []
    for _ in range(8):
        rooms.receive(line(":op!o@h KICK #a tester :out"), ME, now)
        assert rooms.detail()["#a"].startswith("kicked by op: out")
        assert rooms.due is not None
        waits.append(rooms.due - now)
        now = rooms.due
        assert sent(rooms.on_timer(now)) == ["JOIN #a key"]
        rooms.receive(line(":tester!u@h JOIN #a"), ME, now)
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300]
    now += 301
    rooms.receive(line(":op!o@h KICK #a tester"), ME, now)
    assert rooms.due == now + 5  # it went well for long enough


def test_a_channel_is_joined_again_after_a_forced_part() -> None:
    rooms = joined("#a")
    rooms.receive(line(":tester!u@h PART #a :removed"), ME, 1.0)
    assert rooms.due == 6.0
    assert rooms.detail()["#a"].startswith("parted: removed")


def test_joins_and_parts_of_others_are_ignored() -> None:
    rooms = joined("#a")
    for text in (
        ":x!u@h JOIN #a",
        ":x!u@h PART #a",
        ":op!u@h KICK #a x :out",
        ":tester!u@h PART #unknown",
        ":s 332 tester #a :topic",
        ":s 404 tester #a :cannot send",
        ":x!u@h TOPIC #a :new",
    ):
        assert rooms.receive(line(text), ME, 1.0) == []
    assert rooms.detail() == {"#a": "joined"}


def test_an_invitation_to_a_configured_channel_is_followed() -> None:
    rooms, _ = started("#a")
    rooms.receive(line(":s 473 tester #a :invite only"), ME, 1.0)
    assert rooms.receive(line(":x!u@h INVITE tester #other"), ME, 2.0) == []
    assert sent(rooms.receive(line(":x!u@h INVITE tester :#a"), ME, 2.0)) == ["JOIN #a"]
    rooms.receive(line(":tester!u@h JOIN #a"), ME, 2.0)
    assert rooms.receive(line(":x!u@h INVITE tester :#a"), ME, 3.0) == []


def test_a_forward_shows_where_we_are() -> None:
    rooms, _ = started("#a")
    rooms.receive(line(":s 470 tester #a ##b :Forwarding to another channel"), ME, 1.0)
    rooms.receive(line(":tester!u@h JOIN ##b"), ME, 1.0)
    assert rooms.detail()["##b"] == "joined (not configured)"
    assert rooms.detail()["#a"].startswith("forwarded")
    rooms.receive(line(":op!u@h KICK ##b tester"), ME, 1.0)
    assert "##b" not in rooms.detail()


def test_a_join_without_an_answer_is_repeated() -> None:
    rooms, _ = started("#a")
    assert rooms.due == 60.0
    assert sent(rooms.on_timer(60.0)) == ["JOIN #a"]


def test_the_obstacle_to_sending_is_named() -> None:
    rooms, _ = started("#a")
    assert rooms.obstacle("#A") == "joining"
    assert rooms.obstacle("#elsewhere") is None
    rooms.receive(line(":tester!u@h JOIN #a"), ME, 1.0)
    assert rooms.obstacle("#a") is None
