"""What a server announces about itself."""

from __future__ import annotations

import pytest

from workers.channels.irc.features import Features


def test_the_announced_features_replace_the_defaults() -> None:
    features = Features().updated(["CASEMAPPING=ascii", "NETWORK=Net", "BOT=B"])
    assert features.fold("A[") == "a["
    assert (features.network, features.bot_mode) == ("Net", "B")
    assert features.channel_types == Features().channel_types


def test_what_is_unknown_or_empty_changes_nothing() -> None:
    assert Features().updated(["EXCEPTS", "X=", "NETWORK=", "=x", ""]) == Features()


def test_a_later_line_adds_to_an_earlier_one() -> None:
    features = Features().updated(["NETWORK=Net"]).updated(["CHANTYPES=#"])
    assert (features.network, features.channel_types) == ("Net", "#")


def test_a_later_line_may_take_one_back_and_a_value_may_hold_spaces() -> None:
    features = Features().updated(["NETWORK=My\\x20Net", "CASEMAPPING=ascii", "BOT=B"])
    assert features.network == "My Net"
    back = features.updated(["-NETWORK", "-CASEMAPPING", "-BOT", "-X"])
    assert back == Features()


@pytest.mark.parametrize("mode", [":x", "B x", "BC", "1", "\0"])
def test_a_mode_is_one_letter(mode: str) -> None:
    assert Features().updated([f"BOT={mode}"]).bot_mode is None


def test_the_server_decides_what_a_channel_is() -> None:
    features = Features().updated(["CHANTYPES=#&", "STATUSMSG=&@+"])
    assert features.room_of("#a") == "#a"
    assert features.room_of("@#a") == "#a"
    assert features.room_of("&a") == "&a"
    assert features.room_of("+a") is None
    assert features.room_of("nick") is None
    assert features.room_of("") is None
    assert Features().room_of("@#a") is None
