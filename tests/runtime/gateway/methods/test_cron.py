"""``cron.*`` over real sockets, against what was recorded of OpenClaw."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ipc.frames.data import Call
from tests.support.gateway_rig import gateway_rig
from tests.support.handshakes import greeted
from tests.support.rawclient import RawClient
from tests.support.rig_agent import delivered, held_agent
from tests.support.until import until

HOUR = 3_600_000
JOB = {
    "name": "hourly",
    "schedule": {"kind": "every", "everyMs": HOUR},
    "sessionTarget": "isolated",
    "wakeMode": "now",
    "payload": {"kind": "agentTurn", "message": "report"},
    "delivery": {"mode": "none"},
}


async def added(client: RawClient, **more: Any) -> Any:
    """Add a job; return the answer's payload."""
    answer = await client.call("cron.add", JOB | more)
    assert answer["ok"], answer
    return answer["payload"]


async def finished(client: RawClient) -> Any:
    """Return the next event of a run that has ended."""
    while True:
        told = (await client.event("cron"))["payload"]
        if told["action"] == "finished":
            return told


async def test_a_job_is_added_listed_changed_and_removed() -> None:
    async with gateway_rig(agents="echo") as rig:
        client, watcher = await greeted(rig), await greeted(rig)
        job = await added(client)
        told = (await watcher.event("cron"))["payload"]
        assert (told["action"], told["jobId"]) == ("added", job["id"])
        assert told["nextRunAtMs"] == job["state"]["nextRunAtMs"] == job["createdAtMs"] + HOUR
        assert job["deliveryPreview"] == {"label": "not requested", "detail": "not requested"}
        listed = (await client.call("cron.list", {"limit": 1}))["payload"]
        assert [each["id"] for each in listed["jobs"]] == [job["id"]]
        assert listed["jobs"][0]["effectiveAgentId"] == "echo"
        assert (listed["total"], listed["hasMore"], listed["nextOffset"]) == (1, False, None)
        assert (await client.call("cron.get", {"id": job["id"]}))["payload"]["name"] == "hourly"
        patch = {"id": job["id"], "patch": {"enabled": False}}
        assert (await client.call("cron.update", patch))["payload"]["enabled"] is False
        assert (await client.call("cron.list", {}))["payload"]["jobs"] == []
        status = (await client.call("cron.status"))["payload"]
        assert (status["enabled"], status["jobs"], status["nextWakeAtMs"]) == (True, 1, None)
        gone = (await client.call("cron.remove", {"jobId": job["id"]}))["payload"]
        assert gone == {"ok": True, "removed": True}
        again = await client.call("cron.remove", {"id": job["id"]})
        assert again["error"]["details"] == {"code": "CRON_JOB_NOT_FOUND", "jobId": job["id"]}


async def test_a_job_that_is_run_has_its_turn_and_is_in_the_log() -> None:
    async with gateway_rig(agents="echo") as rig:
        agent = await held_agent(rig)
        client, watcher = await greeted(rig), await greeted(rig)
        job = await added(client)
        run = (await client.call("cron.run", {"id": job["id"], "mode": "force"}))["payload"]
        assert (run["ok"], run["enqueued"]) == (True, True)
        busy = (await client.call("cron.run", {"id": job["id"]}))["payload"]
        assert (busy["ran"], busy["reason"]) == (False, "already-running")
        await until(lambda: agent.asked)
        (asked,) = agent.asked
        assert (asked["text"], asked["run"]) == ("report", run["runId"])
        assert asked["session"].startswith(f"agent:echo:cron:{job['id']}:run:")
        assert "Nobody is present" in asked["instructions"]
        agent.answers("all is well")
        told = await finished(watcher)
        assert (told["status"], told["summary"]) == ("ok", "all is well")
        runs = (await client.call("cron.runs", {"id": job["id"]}))["payload"]
        (entry,) = runs["entries"]
        assert (entry["runId"], entry["completionStatus"]) == (run["runId"], "succeeded")
        assert entry["deliveryStatus"] == "not-requested"
        kept = (await client.call("cron.get", {"id": job["id"]}))["payload"]
        assert (kept["lastRunStatus"], "runningAtMs" in kept["state"]) == ("ok", False)
        assert kept["state"]["nextRunAtMs"] == job["state"]["nextRunAtMs"]


async def test_an_answer_is_said_in_the_chat_and_a_missing_one_fails_the_run() -> None:
    async with gateway_rig(agents="echo") as rig:
        agent = await held_agent(rig)
        account = await rig.worker("irc:libera", journal="on")
        said: list[Any] = []

        def deliver(call: Call) -> Any:
            said.append(msgspec.json.decode(call.params))
            return delivered(call)

        account.on_call = deliver
        client, watcher = await greeted(rig), await greeted(rig)
        lost = await added(client, delivery={"mode": "announce"})
        assert "fail-closed" in lost["deliveryPreview"]["detail"]
        await client.call("cron.run", {"id": lost["id"]})
        told = await finished(watcher)
        assert (told["status"], told["error"]) == (
            "error",
            "last: nobody has written to agent:echo:main in a chat yet",
        )
        where = {"mode": "announce", "channel": "irc", "to": "ada"}
        job = await added(client, delivery=where)
        assert job["deliveryPreview"] == {"label": "announce -> irc:ada", "detail": "explicit"}
        await client.call("cron.run", {"id": job["id"]})
        await until(lambda: agent.asked)
        agent.answers("news")
        told = await finished(watcher)
        assert (told["status"], told["delivered"]) == ("ok", True), told["error"]
        assert [(each["message"]["to"], each["message"]["text"]) for each in said] == [
            ("ada", "news")
        ]


TARGETS: list[tuple[dict[str, Any], str]] = [
    ({"channel": "nochan", "to": "ada"}, "unknown channel: nochan; known: irc"),
    ({"channel": "irc", "to": "ada", "accountId": "none"}, "account 'none'; known: libera"),
    ({"channel": "irc"}, "requires target"),
    ({"accountId": "libera"}, "accountId needs channel and to"),
    ({"channel": "last", "accountId": "none"}, "accountId needs channel and to"),
    ({"channel": "irc", "to": "ada"}, ""),
    ({"channel": "last"}, ""),
    ({}, ""),
]


@pytest.mark.parametrize(("target", "refused"), TARGETS)
async def test_a_chat_that_no_account_reaches_is_refused(
    target: dict[str, Any], refused: str
) -> None:
    async with gateway_rig(agents="echo") as rig:
        await rig.worker("irc:libera")
        client = await greeted(rig)
        announce = {"mode": "announce"} | target
        job = await added(client)
        calls: list[tuple[str, dict[str, Any]]] = [
            ("cron.add", JOB | {"delivery": announce}),
            ("cron.add", JOB | {"failureAlert": target}),
            ("cron.update", {"id": job["id"], "patch": {"delivery": announce}}),
            ("cron.update", {"id": job["id"], "patch": {"failureAlert": target}}),
        ]
        for method, params in calls:
            answer = await client.call(method, params)
            assert answer["ok"] is not bool(refused), answer
            assert refused in answer.get("error", {}).get("message", "")
        later = {"delivery": announce | {"bestEffort": True}}
        assert (await client.call("cron.add", JOB | later))["ok"]
        # What concerns something else can be changed although its account has gone.
        await rig.report(removed=["irc:libera"])
        patch = {"id": job["id"], "patch": {"enabled": False}}
        assert (await client.call("cron.update", patch))["ok"]


async def test_a_job_that_is_removed_while_it_runs_ends() -> None:
    async with gateway_rig(agents="echo") as rig:
        agent = await held_agent(rig)
        client, watcher = await greeted(rig), await greeted(rig)
        job = await added(client)
        run = (await client.call("cron.run", {"id": job["id"]}))["payload"]["runId"]
        await until(lambda: agent.asked)
        await client.call("cron.remove", {"id": job["id"]})
        assert (await finished(watcher))["error"] == "Cron job removed by operator."
        await until(lambda: rig.parts.runs.live(run) is None)
        entries = (await client.call("cron.runs", {"scope": "all"}))["payload"]["entries"]
        assert [each["status"] for each in entries] == ["error"]


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"name": None}, "name"),
        ({"schedule": {"kind": "cron", "expr": "nonsense"}}, "exactly five, six, or seven"),
        ({"sessionTarget": "main"}, 'main cron jobs require payload.kind="systemEvent"'),
        ({"agentId": "nobody"}, "cron job agent is unavailable: nobody"),
        ({"bogus": 1}, "unexpected property 'bogus'"),
    ],
)
async def test_what_is_no_job_is_refused_in_openclaws_words(
    params: dict[str, Any], text: str
) -> None:
    async with gateway_rig(agents="echo") as rig:
        answer = await (await greeted(rig)).call("cron.add", JOB | params)
        assert text in answer["error"]["message"]


async def test_long_texts_make_short_pages_and_have_a_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with gateway_rig(agents="echo") as rig:
        client = await greeted(rig)
        turn, event = (
            {"payload": {"kind": "agentTurn", "message": "x" * 60}},
            {"payload": {"kind": "systemEvent", "text": "x" * 60}, "sessionTarget": "main"},
        )
        monkeypatch.setattr("runtime.gateway.methods.cron.MAX_PAGE", 120)
        monkeypatch.setattr("runtime.gateway.methods.cron.MAX_TEXTS", 180)
        ids = [(await added(client, name=str(n), **turn))["id"] for n in range(2)]
        ids.append((await added(client, name="2", **event))["id"])
        refused = await client.call("cron.add", JOB)
        assert "would have 186 characters; allowed: 180" in refused["error"]["message"]
        longer = {"id": ids[0], "patch": {"payload": {"kind": "agentTurn", "message": "x" * 61}}}
        assert "would have 181" in (await client.call("cron.update", longer))["error"]["message"]
        named = {"id": ids[0], "patch": {"name": "00"}}
        assert (await client.call("cron.update", named))["ok"]
        found: list[str] = []
        offset: int | None = 0
        while offset is not None:
            params = {"sortBy": "name", "offset": offset}
            page = (await client.call("cron.list", params))["payload"]
            found += [each["id"] for each in page["jobs"]]
            assert len(page["jobs"]) <= 2
            offset = page["nextOffset"]
        assert found == ids
        monkeypatch.setattr("runtime.gateway.methods.cron.MAX_PAGE", 1)
        page = (await client.call("cron.list", {}))["payload"]
        assert (len(page["jobs"]), page["hasMore"]) == (1, True)


async def test_no_more_jobs_are_kept_than_configured() -> None:
    async with gateway_rig(agents="echo") as rig:
        await rig.report(cron={"maxJobs": 1})
        client = await greeted(rig)
        await added(client)
        answer = await client.call("cron.add", JOB)
        assert "cron.maxJobs" in answer["error"]["message"]
