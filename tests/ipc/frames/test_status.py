"""The rows of every status, as they stand in reports, events and ``status --json``."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from ipc.frames.status import (
    PLUGIN_FIELDS,
    RESTART_REASONS,
    AccountStatus,
    GatewayStatus,
    Hold,
    Status,
    SupervisorStatus,
)
from ipc.frames.words import Phase

ROW = AccountStatus("irc:libera", "irc", "libera", phase=Phase.RUNNING, hold=Hold(5, "moving"))


def test_a_row_has_every_key_in_camel_case() -> None:
    row: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(ROW))
    assert {
        key: row[key] for key in ("account", "accountId", "phase", "lastError", "rssBytes")
    } == {
        "account": "irc:libera",
        "accountId": "libera",
        "phase": "running",
        "lastError": None,
        "rssBytes": None,
    }
    assert row["hold"] == {"at": 5, "reason": "moving"}
    assert all(re.fullmatch("[a-z]+([A-Z][a-z]+)*", key) for key in row)


def test_a_hold_without_a_reason_has_no_such_key() -> None:
    assert msgspec.json.encode(Hold(5)) == b'{"at":5}'


def test_a_status_survives_the_wire_and_unknown_keys_are_ignored() -> None:
    supervisor = SupervisorStatus(1, "1.2", 3, 4, "/state", "/etc/x", "r")
    status = Status(supervisor, GatewayStatus(port=18789), [ROW])
    text = msgspec.json.encode(status)
    assert msgspec.json.decode(text, type=Status) == status
    more = msgspec.json.decode(text) | {"fleet": {}}
    assert msgspec.convert(more, Status) == status


def test_no_word_stands_twice_and_a_plugin_owns_none_of_the_supervisor_s_fields() -> None:
    assert len(set(RESTART_REASONS)) == len(RESTART_REASONS)
    assert PLUGIN_FIELDS.isdisjoint({"phase", "wanted", "pid", "incarnation", "hold", "health"})
