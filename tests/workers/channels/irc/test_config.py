"""What the configuration takes and refuses."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.workers.channels.irc.running_account import config
from workers.channels.irc import manifest
from workers.channels.irc.config import IrcConfig, room_and_key, secret_of_room
from workers.secrets import secret_part


def test_the_ports_follow_tls() -> None:
    assert config(tls=True).address[1] == 6697
    assert config(tls=False).address[1] == 6667
    assert config(tls=True, port=7000).address[1] == 7000


def test_the_example_is_valid() -> None:
    example = dict(manifest.example)
    example["sasl"] = {**example["sasl"], "password": "secret"}
    assert msgspec.convert(example, IrcConfig).sasl is not None


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"nick": "1bot"}, "nick '1bot' must start with"),
        ({"nick": "a b"}, "nick 'a b'"),
        (
            {"server": "irc.example.org 6667"},
            'write "irc.example.org", and 6667 into the field port',
        ),
        ({"server": "irc example org"}, "is not a host name: it has a space in it"),
        ({"server": "irc..example.org"}, "server 'irc..example.org' is not a host name"),
        ({"server": "irc://host"}, 'write only the host ("host")'),
        ({"server": "127.0.0.1:6667"}, 'write "127.0.0.1", and 6667 into the field port'),
        ({"server": "[::1]"}, 'write only the address ("::1")'),
        ({"server": ""}, "is not a host name"),
        ({"username": "a@b"}, "username must be one word, without spaces or any of @!"),
        ({"realname": "a\nQUIT"}, "realname must be one line"),
        ({"password": "a\rQUIT"}, "password must be one line"),
        ({"quitMessage": "a\nb"}, "quitMessage must be one line"),
        ({"sasl": {"user": "", "password": "x"}}, "sasl.user must not be empty"),
        ({"sasl": {"user": "a", "password": "x\0"}}, "sasl.password must not be empty"),
        ({"nickserv": {"password": "two words"}}, "nickserv.password must be one word"),
        ({"nickserv": {"password": "x", "account": "a b"}}, "nickserv.account must be one word"),
        ({"nickserv": {"password": "x", "service": ":N"}}, "nickserv.service must be one word"),
        ({"nickserv": {"password": "x", "onCollision": "kill"}}, "Invalid enum value 'kill'"),
        (
            {"nickserv": {"password": "x"}, "sasl": {"user": "a", "password": "x"}},
            "two ways to log in",
        ),
        ({"channels": ["room"]}, "channels: 'room' must start with one of"),
        ({"channels": ["#a", "#A"]}, "#A is listed twice"),
        ({"channels": ["#a key,key"]}, "the key of #a must be one word"),
        ({"channels": ["#a two words"]}, "the key of #a must be one word"),
        ({"port": 0}, ">= 1"),
        ({"port": 65536}, "<= 65535"),
        ({"floodRate": 0}, "> 0"),
        ({"floodBurst": 0}, ">= 1"),
        ({"pingSeconds": -1}, "> 0"),
        ({"tsl": True}, "unknown field `tsl`"),
    ],
)
def test_a_wrong_field_is_refused_with_the_reason(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(msgspec.ValidationError) as failure:
        config(**fields)
    assert words in str(failure.value)


@pytest.mark.parametrize("server", ["irc://bot:orca@host", "bot:orca@host", "host?pass=orca"])
def test_a_refused_server_is_shown_without_a_password(server: str) -> None:
    with pytest.raises(msgspec.ValidationError) as failure:
        config(server=server)
    assert "host" in str(failure.value)
    assert "orca" not in str(failure.value)


def test_a_key_stands_behind_a_space() -> None:
    assert room_and_key("#a") == ("#a", None)
    assert room_and_key(" #a  key ") == ("#a", "key")


@pytest.mark.parametrize(
    ("entry", "secret"),
    [
        ("#a", None),
        (" #a ", None),
        ("", None),
        ("#a key", "key"),
        ("#a a", "a"),
        (" #a \t two words ", "two words"),
        ("#a\tkey", "key"),
        ("#a,key", "key"),
        ("#a, key", "key"),
    ],
)
def test_all_behind_the_name_is_secret_right_or_wrong(entry: str, secret: str | None) -> None:
    assert secret_of_room(entry) == secret
    assert secret_part(manifest.secret_parts["channels"], entry) == (secret or "")


@pytest.mark.parametrize("entry", ["#a\tsesame", "#a,sesame", "a sesame", "#a sesame,b"])
def test_the_error_about_a_channel_does_not_hold_its_key(entry: str) -> None:
    with pytest.raises(msgspec.ValidationError) as failure:
        config(channels=[entry])
    assert "channels: " in str(failure.value)
    assert "sesame" not in str(failure.value)


def test_the_manifest_describes_an_account() -> None:
    assert manifest.describe({"server": "s", "nick": "n"}) == "n on s:6697"
    assert manifest.describe({"server": "s", "nick": "n", "tls": False}) == "n on s:6667 (no TLS)"
    assert manifest.describe({"server": "s", "nick": "n", "port": 1}) == "n on s:1"
    assert manifest.unconfigured({"server": "s"}) == "nick not set"


def test_all_that_is_wrong_is_told_at_once() -> None:
    wrong = {"server": "two words", "nick": "9lives", "channels": ["nohash", "#a", "#a"]}
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(wrong, IrcConfig)
    for word in ("server 'two words' is", "'9lives'", "'nohash'", "#a is listed twice"):
        assert word in str(caught.value)
