"""``channels.pairing.*`` and ``channels.why``, over real sockets and a real file."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ipc.errors import RemoteError
from ipc.frames.data import Answer, Call
from ipc.websocket.client import Client
from runtime.config.sessions import BindingConfig, BindingMatch, CommandsConfig, PeerMatch
from runtime.gateway.methods.people import GUESSES
from runtime.gateway.runs.reception import ConversationsConfig
from tests.support.gateway_rig import (
    INBOUND_ADDRESSED,
    GatewayRig,
    Worker,
    gateway_rig,
    payload,
    row,
    single,
)
from tests.support.rig_agent import echo_agent
from tests.support.until import PATIENCE, until

KEY = "irc:libera"
PAIRING = {KEY: {"dm": "pairing", "group": "allowlist"}}


class Outside:
    """An account with a journal, and what people on its network have got from it."""

    def __init__(self, rig: GatewayRig, worker: Worker) -> None:
        self._rig, self._worker = rig, worker
        self.sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._seq = 0
        worker.on_call = self._on_call

    def _on_call(self, call: Call) -> Answer:
        message = msgspec.json.decode(call.params)["message"]
        self.sent.put_nowait(message)
        sent = [{"id": "m", "chat": message["to"], "ts": 5}]
        return Answer(call.id, True, msgspec.json.encode({"sent": sent}))

    def say(self, sender: str, *, verified: bool = True) -> None:
        self._seq += 1
        who = {"id": sender, "name": sender.title(), "verified": verified}
        body = payload(KEY, self._seq, sender=who, chat={"id": sender, "kind": "direct"})
        self._worker.send(single(self._seq, INBOUND_ADDRESSED, body))

    async def got(self) -> str:
        async with asyncio.timeout(PATIENCE):
            return str((await self.sent.get())["text"])

    async def code(self) -> str:
        return (await self.got()).split("pairing approve irc ")[1][:8]


async def outside(rig: GatewayRig) -> Outside:
    rig.parts.agents.configure({"default": "echo"})
    worker = await rig.worker(KEY, journal="on", wanted=True)
    await echo_agent(rig)
    await rig.report(row(KEY, journal="on", wanted=True), access=PAIRING)
    return Outside(rig, worker)


async def requests(client: Client) -> list[dict[str, Any]]:
    return list((await client.call("channels.pairing.list", {}))["requests"])


async def test_a_stranger_is_answered_once_the_owner_has_approved(tmp_path: Path) -> None:
    async with gateway_rig(state_dir=tmp_path) as rig:
        people = await outside(rig)
        client = await rig.client()
        people.say("ada")
        code = await people.code()
        (request,) = await requests(client)
        assert (request["channel"], request["accountId"]) == ("irc", "libera")
        assert (request["senderId"], request["metadata"]) == ("ada", {"name": "Ada"})
        assert code not in str(await client.call("channels.pairing.list", {}))
        assert (await client.call("attention", {}))["pairing"] == 1
        people.say("ada")
        await until(lambda: rig.parts.gatekeeper.figures(KEY).get("drop") == {"waits": 1})
        answer = await client.call("channels.pairing.approve", {"channel": "irc", "code": code})
        assert (answer["senderId"], answer["account"]) == ("ada", KEY)
        assert answer["notification"] == "not-requested"
        people.say("ada")
        assert await people.got() == "echo: text 3"
        assert await requests(client) == []
        assert (await client.call("attention", {}))["pairing"] == 0
        (known,) = (await client.call("channels.pairing.list", {"channel": "irc"}))["people"]
        assert (known["senderId"], known["state"]) == ("ada", "allowed")
        await client.call(
            "channels.pairing.block", {"channel": "irc", "accountId": "libera", "senderId": "ada"}
        )
        why = {"channel": "irc", "accountId": "libera", "senderId": "ada"}
        cases = (await client.call("channels.why", why))["cases"]
        assert {case["reason"] for case in cases} == {"blocked"}
        await client.call(
            "channels.pairing.unblock", {"channel": "irc", "accountId": "libera", "senderId": "ada"}
        )
        people.say("ada")
        assert len(await people.code()) == 8


async def test_a_request_is_approved_by_its_id_and_the_person_told(tmp_path: Path) -> None:
    async with gateway_rig(state_dir=tmp_path) as rig:
        people = await outside(rig)
        client = await rig.client()
        people.say("ada")
        await people.code()
        (request,) = await requests(client)
        wanted = {"channel": "irc", "accountId": "libera", "requestId": request["requestId"]}
        answer = await client.call("channels.pairing.approve", wanted | {"notify": True})
        assert answer["notification"] == "queued"
        assert "approved you" in await people.got()
        with pytest.raises(RemoteError, match="no longer exists"):
            await client.call("channels.pairing.approve", wanted)


def patches(rig: GatewayRig) -> list[dict[str, Any]]:
    """Return the changes of the configuration that the supervisor was asked for."""
    asked = [rig.asked.get_nowait() for _ in range(rig.asked.qsize())]
    return [each["params"] for each in asked if each["method"] == "config.patch"]


async def test_the_first_who_is_approved_is_an_owner_where_that_is_asked(tmp_path: Path) -> None:
    async with gateway_rig(state_dir=tmp_path) as rig:
        people = await outside(rig)
        client = await rig.client()
        wanted = {"channel": "irc", "bootstrapCommandOwner": True}
        rig.answers["config.get"] = {"hash": "h1"}
        rig.answers["config.patch"] = {"hash": "h2"}
        people.say("ada")
        code = await people.code()
        approver = await rig.client(scopes=["operator.pairing"])
        with pytest.raises(RemoteError, match=r"operator\.admin"):
            await approver.call("channels.pairing.approve", wanted | {"code": code})
        answer = await client.call("channels.pairing.approve", wanted | {"code": code})
        assert answer["commandOwnerBootstrap"] == "configured"
        (patch,) = patches(rig)
        assert patch["baseHash"] == "h1"
        assert msgspec.json.decode(patch["raw"]) == {"commands": {"ownerAllowFrom": ["irc:ada"]}}
        rig.parts.reception.configure(
            ConversationsConfig(commands=CommandsConfig(owner_allow_from=["irc:ada"]))
        )
        people.say("bob")
        answer = await client.call(
            "channels.pairing.approve", wanted | {"code": await people.code()}
        )
        assert answer["commandOwnerBootstrap"] == "already-configured"


async def test_who_cannot_be_made_an_owner_is_approved_all_the_same(tmp_path: Path) -> None:
    async with gateway_rig(state_dir=tmp_path) as rig:
        people = await outside(rig)
        client = await rig.client()
        wanted = {"channel": "irc", "bootstrapCommandOwner": True, "unverified": True}
        away = {"code": "UNAVAILABLE", "message": "the file is away"}
        rig.answers["config.get"] = {"ok": False, "error": away}
        for name, verified in (("ada", True), ("bob", False)):
            people.say(name, verified=verified)
            code = await people.code()
            answer = await client.call("channels.pairing.approve", wanted | {"code": code})
            assert answer["commandOwnerBootstrap"] == "unavailable"
            people.say(name, verified=verified)
            assert "echo: " in await people.got()
        assert patches(rig) == []


async def test_who_is_dismissed_may_ask_again(tmp_path: Path) -> None:
    async with gateway_rig(state_dir=tmp_path) as rig:
        people = await outside(rig)
        client = await rig.client()
        people.say("ada")
        code = await people.code()
        (request,) = await requests(client)
        wanted = {"channel": "irc", "accountId": "libera", "requestId": request["requestId"]}
        answer = await client.call("channels.pairing.dismiss", wanted)
        assert answer == {"requestId": request["requestId"], "senderId": "ada"}
        with pytest.raises(RemoteError, match="no longer exists"):
            await client.call("channels.pairing.dismiss", wanted)
        people.say("ada")
        assert await people.code() != code


async def test_a_name_that_anybody_can_use_is_admitted_only_on_purpose(tmp_path: Path) -> None:
    async with gateway_rig(state_dir=tmp_path) as rig:
        people = await outside(rig)
        client = await rig.client()
        people.say("ada", verified=False)
        code = await people.code()
        with pytest.raises(RemoteError, match=r"does not vouch for ada.*--unverified"):
            await client.call("channels.pairing.approve", {"code": code})
        await client.call("channels.pairing.approve", {"code": code, "unverified": True})
        people.say("ada", verified=False)
        assert await people.got() == "echo: text 2"


async def test_nobody_is_called_unknown_before_the_journal_is_open(tmp_path: Path) -> None:
    async with gateway_rig(state_dir=tmp_path) as rig:
        people = await outside(rig)
        client = await rig.client()
        people.say("ada")
        await client.call("channels.pairing.approve", {"code": await people.code()})
    journal = tmp_path / "journal.db"
    journal.rename(tmp_path / "kept")
    journal.mkdir()  # it cannot be opened
    async with gateway_rig(row(KEY, journal="on"), state_dir=tmp_path, agents="echo") as rig:
        await rig.report(row(KEY, journal="on"), access=PAIRING)
        client = await rig.client()
        who = {"channel": "irc", "accountId": "libera", "senderId": "ada"}
        asked = [("channels.why", who), ("channels.pairing.list", {})]
        for method, params in [*asked, ("channels.pairing.block", who)]:
            with pytest.raises(RemoteError, match="is not open yet: ") as refused:
                await client.call(method, params)
            assert refused.value.retryable
        journal.rmdir()
        (tmp_path / "kept").rename(journal)
        await until(lambda: rig.parts.intake.fault is None)  # what was refused may be asked again
        answer = await client.call("channels.why", who)
        assert {case["reason"] for case in answer["cases"]} == {"paired", "unverified"}


async def test_it_is_said_of_a_stranger_that_no_code_is_sent_now(tmp_path: Path) -> None:
    async with gateway_rig(state_dir=tmp_path) as rig:
        people = await outside(rig)
        client = await rig.client()

        async def reasons(sender: str) -> set[tuple[str, str]]:
            asked = {"channel": "irc", "accountId": "libera", "senderId": sender}
            cases = (await client.call("channels.why", asked))["cases"]
            return {(case["outcome"], case["reason"]) for case in cases}

        assert await reasons("ada") == {("pair", "unknown-sender")}
        for name in ("ada", "bob", "cyd"):
            people.say(name)
            await people.code()
        assert await reasons("ada") == {("drop", "waits")}
        assert await reasons("dan") == {("drop", "full")}


async def test_codes_are_not_guessed(tmp_path: Path) -> None:
    async with gateway_rig(state_dir=tmp_path) as rig:
        people = await outside(rig)
        client, other = await rig.client(), await rig.client()
        people.say("ada")
        code = await people.code()
        for _ in range(GUESSES):
            with pytest.raises(RemoteError, match="no open request"):
                await client.call("channels.pairing.approve", {"code": "AAAA2222"})
        with pytest.raises(RemoteError, match="too many wrong codes"):
            await client.call("channels.pairing.approve", {"code": code})
        assert (await other.call("channels.pairing.approve", {"code": code}))["senderId"] == "ada"


@pytest.mark.parametrize(
    ("method", "params", "words"),
    [
        ("channels.pairing.list", {"channel": "nochan"}, "unknown pairing channel: nochan"),
        ("channels.pairing.approve", {}, "one of requestId and code"),
        ("channels.pairing.approve", {"code": "A", "requestId": "B"}, "one of requestId and code"),
        ("channels.pairing.approve", {"code": "A", "accountId": "x"}, "needs a channel"),
        ("channels.pairing.approve", {"requestId": "B"}, "no longer exists"),
        ("channels.pairing.unblock", {"channel": "irc", "senderId": "x"}, "no journal"),
        ("channels.why", {"channel": "irc", "accountId": "none", "senderId": "x"}, "unknown irc"),
    ],
)
async def test_what_cannot_be_done_is_one_sentence(
    method: str, params: dict[str, Any], words: str
) -> None:
    async with gateway_rig() as rig:
        await rig.worker(KEY)
        client = await rig.client()
        with pytest.raises(RemoteError, match=words):
            await client.call(method, params)


async def test_status_and_metrics_say_who_was_not_answered(tmp_path: Path) -> None:
    async with gateway_rig(state_dir=tmp_path) as rig:
        people = await outside(rig)
        client = await rig.client()
        people.say("ada")
        await people.code()
        answer = await client.call("channels.status", {})
        (shot,) = answer["channelAccounts"]["irc"]
        assert (shot["dmPolicy"], shot["groupPolicy"]) == ("pairing", "allowlist")
        assert shot["admission"] == {"pair": {"unknown-sender": 1}}
        (issue,) = answer["statusIssues"]
        assert "no message in a group is answered" in issue["message"]
        assert issue["kind"] == "config"


async def test_it_is_said_which_agent_is_asked_or_that_none_is(tmp_path: Path) -> None:
    async with gateway_rig(state_dir=tmp_path, agents="echo") as rig:
        await outside(rig)
        client = await rig.client()
        await rig.report(row(KEY, journal="on", wanted=True), access={KEY: {"dm": "open"}})
        why = {"channel": "irc", "accountId": "libera", "senderId": "ada"}
        case = (await client.call("channels.why", why))["cases"][0]
        assert (case["outcome"], case["agent"], case["routedBy"]) == (
            "run",
            "echo",
            "agents.default",
        )
        match = BindingMatch(channel="irc", account_id="*")
        nobody = ConversationsConfig(bindings=[BindingConfig("none", match)])
        rig.parts.reception.configure(nobody)
        case = (await client.call("channels.why", why))["cases"][0]
        assert (case["outcome"], case["reason"], case["configured"]) == (
            "drop",
            "no-agent",
            "bindings[0]",
        )
        assert case["bindings"] == ["bindings[0] (none) counts: no agent answers by its channel"]


async def test_a_thread_or_topic_may_have_an_agent_of_its_own(tmp_path: Path) -> None:
    async with gateway_rig(state_dir=tmp_path, agents="echo") as rig:
        await outside(rig)
        client = await rig.client()
        await rig.report(row(KEY, journal="on", wanted=True), access={KEY: {"group": "open"}})
        match = BindingMatch("irc", account_id="*", peer=PeerMatch("group", "#room"), thread="5")
        rig.parts.reception.configure(ConversationsConfig(bindings=[BindingConfig("none", match)]))
        why = {"channel": "irc", "accountId": "libera", "senderId": "ada", "chat": "#room"}
        found = await client.call("channels.why", why | {"thread": "5"})
        assert (found["chat"], found["thread"]) == ("#room", "5")
        assert found["cases"][0]["configured"] == "bindings[0]"
        for more in ({}, {"thread": "6"}):
            (said,) = (await client.call("channels.why", why | more))["cases"][0]["bindings"][:1]
            assert "does not match: thread is 5, the message is in" in said


async def test_in_a_group_it_is_said_whether_it_takes_a_mention(tmp_path: Path) -> None:
    async with gateway_rig(state_dir=tmp_path) as rig:
        await outside(rig)
        client = await rig.client()
        rules = {KEY: {"dm": "pairing", "group": "allowlist", "groups": {"#room": {}}}}
        await rig.report(row(KEY, journal="on", wanted=True), access=rules)
        why = {"channel": "irc", "accountId": "libera", "senderId": "ada", "chat": "#room"}
        cases = (await client.call("channels.why", why))["cases"]
        assert [(case["addressed"], case["outcome"]) for case in cases] == [
            (True, "run"),
            (False, "context"),
        ] * 2
        other = await client.call("channels.why", why | {"chat": "#other"})
        assert {case["reason"] for case in other["cases"]} == {"group-not-listed"}
