"""The real command line of OpenClaw against our gateway: it takes us for its own."""

from __future__ import annotations

import json

import pytest

from tests.interop.conftest import ROOM
from tests.interop.openclaw import Answer, Openclaw
from tests.support.irc_server import IrcServer, visitor

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


def good(answer: Answer) -> Answer:
    assert answer.code == 0, answer
    return answer


def refused(answer: Answer, words: str) -> None:
    assert answer.code != 0, answer
    assert words in answer.err, answer


async def test_gateway_call_health(openclaw: Openclaw) -> None:
    health = good(await openclaw.call("health", "--json")).json
    assert health["ok"] is True
    assert health["channels"]["irc"]["accounts"]["libera"]["connected"] is True


async def test_gateway_call_status(openclaw: Openclaw) -> None:
    status = good(await openclaw.call("status", "--json")).json
    assert status["channelSummary"] == ["local:desk: running", "irc:libera: running"]


async def test_gateway_call_system_presence(openclaw: Openclaw) -> None:
    rows = good(await openclaw.call("system-presence", "--json")).json
    assert (rows[0]["mode"], rows[0]["reason"]) == ("gateway", "self")


async def test_gateway_health(openclaw: Openclaw) -> None:
    said = good(await openclaw.run("gateway", "health", *openclaw.flags)).out
    assert "IRC: ok" in said


async def test_gateway_status_that_requires_an_answer(openclaw: Openclaw) -> None:
    answer = good(await openclaw.run("gateway", "status", "--require-rpc", *openclaw.flags))
    assert "Read probe: ok" in answer.out


async def test_gateway_probe(openclaw: Openclaw) -> None:
    probe = good(await openclaw.run("gateway", "probe", "--json", *openclaw.flags)).json
    ours = next(target for target in probe["targets"] if target["url"] == openclaw.url)
    assert ours["connect"]["ok"] is True
    # A probe has no device, so it may not read: OpenClaw 2026.9.6 says the same of its own gateway.
    assert (probe["ok"], probe["degraded"]) == (True, True)
    assert ours["connect"]["error"] == "missing scope: operator.read"
    assert ours["auth"]["scopes"] == []


async def test_channels_status_shows_both_accounts(openclaw: Openclaw) -> None:
    answer = await openclaw.run("channels", "status", "--json", env=openclaw.variables)
    accounts = good(answer).json["channelAccounts"]
    shown = {(channel, row["accountId"]) for channel in accounts for row in accounts[channel]}
    assert shown == {("local", "desk"), ("irc", "libera")}
    assert all(row["connected"] for rows in accounts.values() for row in rows)


async def test_logs(openclaw: Openclaw) -> None:
    lines = good(await openclaw.run("logs", "--json", *openclaw.flags)).out.splitlines()
    meta, *rows = [json.loads(line) for line in lines]
    assert meta["type"] == "meta"
    assert any('"up"' in row["raw"] for row in rows)


async def test_nodes_status(openclaw: Openclaw) -> None:
    said = good(await openclaw.run("nodes", "status", *openclaw.flags)).out
    assert "Connected: 0" in said


async def test_devices_list(openclaw: Openclaw) -> None:
    good(await openclaw.run("devices", "list", *openclaw.flags))


async def test_system_presence(openclaw: Openclaw) -> None:
    rows = good(await openclaw.run("system", "presence", "--json", *openclaw.flags)).json
    assert rows[0]["mode"] == "gateway"


async def test_a_message_arrives_on_the_irc_server(
    openclaw: Openclaw, irc_server: IrcServer
) -> None:
    words = ["--channel", "irc", "--target", ROOM, "--message", "from the real command line"]
    async with visitor(irc_server, "reader", ROOM) as reader:
        answer = await openclaw.run("message", "send", "--json", *words, env=openclaw.variables)
        assert good(answer).json["channel"] == "irc"
        line = await reader.expect("from the real command line")
    assert line.startswith(":trunkbot!")
    assert f"PRIVMSG {ROOM} " in line


async def test_a_wrong_token_is_refused_in_the_real_words(openclaw: Openclaw) -> None:
    words = ["--url", openclaw.url, "--token", "wrong"]
    answer = await openclaw.run("gateway", "call", "health", *words)
    refused(answer, "Gateway call failed: unauthorized: gateway token mismatch")


async def test_an_unknown_method_is_refused_in_the_real_words(openclaw: Openclaw) -> None:
    refused(await openclaw.call("no.such.method"), "unknown method: no.such.method")
