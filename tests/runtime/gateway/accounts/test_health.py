"""The answers about all accounts, made from rows, for both protocols."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ipc.frames.bootstrap import ChannelInfo
from ipc.frames.status import AccountStatus, GatewayStatus
from runtime.gateway.accounts.health import Health, snapshot
from runtime.gateway.accounts.rows import Accounts

IRC = ChannelInfo("irc", "IRC", "IRC network", "number", "libera", ["libera", "oftc"])
EMPTY = ChannelInfo("empty", "Empty", "Empty", "circle", "", [])


def status(account: str, phase: str = "running", **more: Any) -> AccountStatus:
    return AccountStatus(f"irc:{account}", "irc", account, phase=phase, incarnation=3, **more)


def health(*rows: AccountStatus) -> Health:
    accounts = Accounts([IRC, EMPTY])
    for row in rows:
        accounts.apply(row.account, row)
    return Health(accounts, "1.2.3", lambda: "ops")


@pytest.mark.parametrize(
    ("phase", "running", "pending", "lifecycle"),
    [
        ("stopped", False, False, "stopped"),
        ("starting", False, False, "starting"),
        ("running", True, False, "ready"),
        ("stopping", False, False, "stopped"),
        ("backoff", False, True, "recovering"),
        ("failed", False, False, "blocked"),
    ],
)
def test_a_phase_is_shown_in_the_words_of_the_protocol(
    phase: str, running: bool, pending: bool, lifecycle: str
) -> None:
    shot = snapshot(status("libera", phase), 4)
    assert (shot["running"], shot["connected"]) == (running, running)
    assert shot["restartPending"] is pending
    assert shot["lifecycle"] == lifecycle
    assert (shot["phase"], shot["incarnation"]) == (phase, 3)
    assert "lifecycle" not in snapshot(status("libera", phase), 3)


def test_what_a_plugin_reports_is_shown_and_nothing_else_of_it() -> None:
    row = status("libera", plugin={"connected": False, "linked": True, "secret": "x"})
    shot = snapshot(row, 4)
    assert (shot["connected"], shot["linked"]) == (False, True)
    assert "secret" not in shot
    assert (
        snapshot(status("libera", "stopped", plugin={"connected": True}), 4)["connected"] is False
    )


@pytest.mark.parametrize(
    ("plugins", "link"),
    [
        ([{}, {}], None),
        ([{}, {"linked": True}], {"accountId": "oftc", "linked": True}),
        ([{"linked": False}, {"linked": True}], {"accountId": "libera", "linked": False}),
    ],
)
def test_the_first_account_that_knows_is_the_one_that_is_linked(
    plugins: list[dict[str, Any]], link: dict[str, Any] | None
) -> None:
    rows = [
        status(name, plugin=each) for name, each in zip(("libera", "oftc"), plugins, strict=True)
    ]
    shown = msgspec.json.decode(health(*rows).payload(4))
    assert shown.get("linkChannel") == (link and {"id": "irc", "label": "IRC"} | link)


def test_an_error_of_the_process_goes_before_one_of_the_plugin() -> None:
    plugin = {"lastError": "from the plugin"}
    assert snapshot(status("libera", plugin=plugin), 4)["lastError"] == "from the plugin"
    shot = snapshot(status("libera", plugin=plugin, last_error="killed"), 4)
    assert shot["lastError"] == "killed"


def test_a_probe_is_shown_with_its_time() -> None:
    shot = snapshot(status("libera"), 4, {"ok": True})
    assert shot["probe"] == {"ok": True}
    assert isinstance(shot["lastProbeAt"], int)
    assert "probe" not in snapshot(status("libera"), 4)


def test_channels_status_lists_all_channels_or_one() -> None:
    made = health(status("oftc", "backoff", last_error="killed"), status("libera"))
    answer = made.channels_status(4, None, {})
    assert answer["channelOrder"] == ["irc", "empty"]
    accounts = answer["channelAccounts"]["irc"]
    assert [shot["accountId"] for shot in accounts] == ["libera", "oftc"]
    assert made.channels_status(4, "empty", {})["channelOrder"] == ["empty"]


def test_status_has_a_line_and_a_row_for_each_account() -> None:
    made = health(status("libera"), status("oftc", "stopped", cause="held"))
    answer = made.status()
    assert answer["channelSummary"] == ["irc:libera: running", "irc:oftc: stopped (held)"]
    assert [row.account for row in answer["accounts"]] == ["irc:libera", "irc:oftc"]
    assert answer["gateway"] is None
    made.set_gateway(GatewayStatus())
    assert made.status()["gateway"] == GatewayStatus()


def test_the_event_health_is_encoded_once_until_an_account_changes() -> None:
    accounts = Accounts([IRC])
    accounts.apply("irc:libera", status("libera"))
    made = Health(accounts, "1.2.3", lambda: "ops")
    first = made.payload(4)
    assert made.payload(4) is first
    assert made.size == len(bytes(first))
    accounts.apply("irc:libera", status("libera", "stopping"))
    shown = msgspec.json.decode(bytes(made.payload(4)))
    assert shown["channels"]["irc"]["accounts"]["libera"]["running"] is False
