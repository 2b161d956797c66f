"""The rows of every status, as they stand in reports, events and ``status --json``."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from ipc.frames.status import (
    PLUGIN_FIELDS,
    PLUGIN_FIGURES,
    RESTART_REASONS,
    ROW_FIGURES,
    AccountStatus,
    GatewayStatus,
    Hold,
    Status,
    SupervisorStatus,
    is_same_status,
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


FIGURES: dict[str, Any] = {
    "rss_bytes": 1,
    "cpu_percent": 2.0,
    "fds": 3,
    "loop_lag_ms": 4.0,
    "queued": 5,
    "messages_in": 6,
    "messages_out": 7,
    "dropped": {"full": 8},
    "log_dropped": 9,
    "media_bytes": 10,
    "plugin": {"connected": True, "lastInboundAt": 11},
}


def test_rows_that_differ_in_figures_alone_have_the_same_status() -> None:
    before = msgspec.structs.replace(ROW, plugin={"connected": True, "lastEventAt": 1})
    assert {*FIGURES} == {*ROW_FIGURES, "plugin"}
    assert is_same_status(before, msgspec.structs.replace(before, **FIGURES))


@pytest.mark.parametrize(
    "more",
    [
        {"phase": "backoff"},
        {"cause": "held"},
        {"health": "degraded: silent"},
        {"last_error": "killed"},
        {"incarnation": 2},
        {"hold": None},
        {"draining": True},
        {"todo": "log in"},
        {"next_try_at": 1},
        {"plugin": {"connected": False}},
        {"plugin": {}},
        {"plugin": {"connected": True, "lastError": "refused"}},
    ],
)
def test_everything_else_is_a_change_of_the_status(more: dict[str, Any]) -> None:
    before = msgspec.structs.replace(ROW, plugin={"connected": True})
    assert not is_same_status(before, msgspec.structs.replace(before, **(FIGURES | more)))


def test_no_word_stands_twice_and_a_plugin_owns_none_of_the_supervisor_s_fields() -> None:
    assert len(set(RESTART_REASONS)) == len(RESTART_REASONS)
    assert PLUGIN_FIGURES < PLUGIN_FIELDS
    assert PLUGIN_FIELDS.isdisjoint({"phase", "wanted", "pid", "incarnation", "hold", "health"})
