"""A configuration can be shown without its secrets."""

from __future__ import annotations

from typing import Any

from runtime.config.redact import REDACTED, hidden, redacted
from tests.runtime.config.example import known

VALUES: dict[str, Any] = {
    "gateway": {"port": 1, "auth": {"mode": "token", "token": "t1", "password": "t2"}},
    "channels": {
        "talk": {
            "server": "s",
            "password": "t3",
            "accounts": {
                "a": {
                    "name": "Al",
                    "password": {"source": "env", "id": "P"},
                    "login": {"user": "u", "password": "t4"},
                    "rooms": ["#x"],
                    "restart": {"jitter": 0},
                },
                "b": {"botToken": "t5", "server": "https://u:t6@host/x"},
                "c": "t7 in a wrong place",
            },
        },
        "odd": {"enabled": True, "anything": ["t8"], "accounts": {"x": {"y": {"z": "t9"}, "n": 5}}},
        "bad": "t10",
    },
}


def test_every_secret_is_hidden_and_everything_else_is_shown() -> None:
    assert redacted(VALUES, known(odd="not there")) == {
        "gateway": {"port": 1, "auth": {"mode": "token", "token": REDACTED, "password": REDACTED}},
        "channels": {
            "talk": {
                "server": "s",
                "password": REDACTED,
                "accounts": {
                    "a": {
                        "name": "Al",
                        "password": {"source": "env", "id": "P"},
                        "login": {"user": "u", "password": REDACTED},
                        "rooms": ["#x"],
                        "restart": {"jitter": 0},
                    },
                    "b": {"botToken": REDACTED, "server": f"https://{REDACTED}@host/x"},
                    "c": "t7 in a wrong place",
                },
            },
            "odd": {
                "enabled": True,
                "anything": [REDACTED],
                "accounts": {"x": {"y": {"z": REDACTED}, "n": 5}},
            },
            "bad": REDACTED,
        },
    }


def test_the_original_is_not_changed() -> None:
    redacted(VALUES, known())
    assert VALUES["gateway"]["auth"]["token"] == "t1"


def test_a_configuration_of_wrong_types_can_be_shown() -> None:
    values = {"gateway": "x", "channels": 5, "agents": None}
    assert redacted(values, known()) == values


def test_what_is_hidden_is_found_with_its_path() -> None:
    found = list(hidden(VALUES, redacted(VALUES, known(odd="no"))))
    assert {secret for _, secret, _ in found} == {
        *("t1", "t2", "t3", "t4", "t5", "t8", "t9", "t10"),
        "https://u:t6@host/x",
    }
    assert (("gateway", "auth", "token"), "t1", REDACTED) in found
    assert (("channels", "odd", "anything", 0), "t8", REDACTED) in found
