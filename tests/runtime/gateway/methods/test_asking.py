"""Who stands behind a change: in the request to the supervisor, and in the gateway's own log."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from ipc.errors import RemoteError
from runtime.gateway.clients.method_table import import_all
from runtime.gateway.http.method_calls import CALLER
from runtime.gateway.methods.asking import BY_HTTP, add_note, claimed, person_behind, session_named
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
        (line,) = [each for each in lines if each["event"] == "change requested by a person"]
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
        assert not [each for each in lines if each["event"] == "change requested by a person"]


async def test_what_the_gateway_changes_itself_is_noted_at_the_supervisor() -> None:
    async with gateway_rig() as rig:
        rig.answers["channels.note"] = {"ok": True}
        client = await rig.client()
        (connected,) = [each for each in rig.parts.hub.clients if each.role == "operator"]
        add_note(rig.parts, connected, KEY, "a person was blocked")
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


# Methods that change nothing which an operator looks for later, and those that enter it themselves.
CONVERSATION = "what is said is in the transcript, and in the journal"
SUPERVISED = "the supervisor carries it out and enters it"
NOTED = "it enters it with its account"
LIVE = "it is over with its connection"
ENTERED_ELSEWHERE = {
    **dict.fromkeys(
        ("chat.send", "chat.abort", "chat.inject", "send", "poll", "agent"), CONVERSATION
    ),
    **dict.fromkeys(("message.action", "sessions.create", "sessions.send"), CONVERSATION),
    **dict.fromkeys(("sessions.abort", "agent.wait", "wake", "local.say"), CONVERSATION),
    **dict.fromkeys(("channels.start", "channels.stop", "channels.restart"), SUPERVISED),
    **dict.fromkeys(("channels.start.unknown", "channels.reset", "channels.drain"), SUPERVISED),
    **dict.fromkeys(("channels.login", "channels.login.answer", "web.login.start"), SUPERVISED),
    **dict.fromkeys(("config.set", "config.apply", "config.patch", "secrets.reload"), SUPERVISED),
    **dict.fromkeys(("gateway.restart", "gateway.restart.request", "shutdown"), SUPERVISED),
    **dict.fromkeys(("channels.logout", "deadletters.retry", "deadletters.discard"), NOTED),
    **dict.fromkeys(("channels.pairing.approve", "channels.pairing.dismiss"), NOTED),
    **dict.fromkeys(("channels.pairing.block", "channels.pairing.unblock"), NOTED),
    **dict.fromkeys(("agents.attach", "agents.detach", "agents.turn.events"), LIVE),
    **dict.fromkeys(("agents.turn.end", "node.invoke", "system-event"), LIVE),
    **dict.fromkeys(("node.pair.request", "node.pair.verify"), "it asks, and changes nothing"),
    **dict.fromkeys(("device.pair.list", "node.pair.list"), "it reads"),
    **dict.fromkeys(("channels.pairing.list", "config.validate", "web.login.wait"), "it reads"),
}


def test_whatever_an_operator_changes_is_entered_into_a_history() -> None:
    writes = {
        name
        for name, each in import_all().items()
        if each.scope not in (None, "operator.read") and "operator" in each.roles
    }
    entered = {name for name in writes if hasattr(import_all()[name].function, "__wrapped__")}
    assert writes - entered == set(ENTERED_ELSEWHERE)
    assert entered & set(ENTERED_ELSEWHERE) == set()


async def test_what_the_gateway_changes_of_no_account_is_noted_in_the_name_of_its_operator() -> (
    None
):
    async with gateway_rig() as rig:
        rig.answers["channels.note"] = {"ok": True}
        key = Key()
        client = await paired(rig, key)
        await client.call("device.pair.rename", {"deviceId": key.id, "label": "Ada's laptop"})
        asked = await rig.asked.get()
        assert asked["params"] == {"text": f'device {key.id[:8]} was named "Ada\'s laptop"'}
        assert f"device {key.id[:8]}" in asked["by"]
        await client.call("set-heartbeats", {"enabled": False})
        assert (await rig.asked.get())["params"] == {"text": "heartbeats were switched off"}


async def test_what_was_refused_is_in_no_history() -> None:
    async with gateway_rig() as rig:
        client = await rig.client()
        with pytest.raises(RemoteError, match="unknown deviceId"):
            await client.call("device.pair.rename", {"deviceId": "none", "label": "x"})
        assert rig.asked.empty()


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("agent:main:main", "session agent:main:main"),
        ("agent:main:irc:libera:direct:ada", "session agent:main:irc:libera:direct:…"),
        ("agent:main:telegram:bot:group:-100:topic:7", "session agent:main:telegram:bot:group:…"),
        ("agent:main:openai-user:ada@example.org", "session agent:main:openai-user:…"),
        ("x" * 200, f"session {'x' * 80}…"),
    ],
)
def test_no_person_stays_in_the_history_by_the_name_of_a_session(key: str, shown: str) -> None:
    assert session_named(key) == shown
