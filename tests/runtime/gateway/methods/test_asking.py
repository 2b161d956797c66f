"""Who stands behind a change: in the request to the supervisor, and in the gateway's own log."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from runtime.gateway.http.method_calls import CALLER
from runtime.gateway.methods.asking import BY_HTTP, claimed, note, person_behind
from runtime.gateway.presence import shown_name
from tests.support.devices import Key, paired
from tests.support.gateway_rig import gateway_rig, row

KEY = "irc:libera"
STOPPED = {"results": [{"account": KEY, "ok": True, "outcome": "stopped", "stopped": True}]}


async def test_a_stop_is_asked_for_in_the_name_of_whoever_wants_it() -> None:
    async with gateway_rig() as rig:
        await rig.report(row(KEY))
        rig.answers["channels.stop"] = STOPPED
        client = await rig.client()
        with capture_logs() as lines:
            await client.call("channels.stop", {"channel": "irc", "reason": "night"})
        asked = await rig.asked.get()
        assert asked["by"].startswith('"gateway-client" (at 127.0.0.1')
        (line,) = [each for each in lines if each["event"] == "asked for by a person"]
        assert (line["change"], line["by"]) == ("channels.stop", asked["by"])
        assert (line["accounts"], line["reason"]) == ([KEY], "night")


async def test_what_only_reads_is_asked_for_in_nobodys_name() -> None:
    async with gateway_rig() as rig:
        await rig.report(row(KEY))
        rig.answers["channels.events"] = {"events": []}
        client = await rig.client()
        with capture_logs() as lines:
            await client.call("channels.events", {"account": KEY})
        assert "by" not in await rig.asked.get()
        assert not [each for each in lines if each["event"] == "asked for by a person"]


async def test_what_the_gateway_changes_itself_is_noted_at_the_supervisor() -> None:
    async with gateway_rig() as rig:
        rig.answers["channels.note"] = {"ok": True}
        client = await rig.client()
        (connected,) = [each for each in rig.parts.hub.clients if each.role == "operator"]
        note(rig.parts, connected, KEY, "a person was blocked")
        asked = await rig.asked.get()
        assert asked["params"] == {"account": KEY, "text": "a person was blocked"}
        assert asked["by"] == person_behind(rig.parts, connected)
        await client.close()


async def test_a_device_is_called_what_operators_call_it() -> None:
    async with gateway_rig() as rig:
        assert person_behind(rig.parts, CALLER) == BY_HTTP
        key = Key()
        client = await paired(rig, key)
        (connected,) = [each for each in rig.parts.hub.clients if each.device == key.id]
        named, device = shown_name(connected), key.id[:8]
        assert person_behind(rig.parts, connected) == f'"{named}" (device {device}, at 127.0.0.1)'
        rig.parts.devices.rename(key.id, "Ada's laptop")
        assert person_behind(rig.parts, connected) == (
            f'Ada\'s laptop ("{named}", device {device}, at 127.0.0.1)'
        )
        await client.close()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Console in Chrome", '"Console in Chrome"'),
        ("the command line, user root" + " " * 400, '"the command line, user root"'),
        ("Ada (device 1, at ::1)" + "\u3164" * 300, '"Ada (device 1, at ::1)"'),
        ('Ada" (device 1)', '"Ada\' (device 1)"'),
        ("a\u202eb\nc\x1b[31m\u00a0 d", '"a b c [31m d"'),
        ("x" * 400, '"' + "x" * 39 + '…"'),
        ("", '""'),
    ],
)
def test_what_a_client_calls_itself_is_quoted_and_short(name: str, shown: str) -> None:
    assert claimed(name) == shown
