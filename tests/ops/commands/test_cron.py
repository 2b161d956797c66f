"""``trunkline cron …``: what it asks, and what it shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.commandline import trunkline
from tests.support.fakeserver import fake_gateway

JOB: dict[str, Any] = {
    "id": "j1",
    "name": "standup",
    "enabled": True,
    "schedule": {"kind": "cron", "expr": "0 9 * * 1", "tz": "Europe/Berlin"},
    "state": {"nextRunAtMs": 1_800_000_000_000, "lastRunStatus": "ok"},
    "effectiveAgentId": "main",
}
MORE = {"deliveryPreviews": {"j1": {"label": "announce -> irc:ada"}}}
LISTED = {"jobs": [JOB]} | MORE
RUN = {"runAtMs": 1, "status": "error", "durationMs": 1500, "error": f"it\nbroke {'and ' * 50}so"}
ANSWERS: dict[str, Any] = {
    "cron.list": LISTED,
    "cron.add": JOB,
    "cron.run": {"ok": True, "ran": False, "reason": "not-due"},
    "cron.runs": {"entries": [RUN]},
    "cron.remove": {"ok": True, "removed": True},
}
TURN = {"kind": "agentTurn", "message": "go"}
EVENT = {"kind": "systemEvent", "text": "tea"}


async def asked(state: Path, *args: str) -> tuple[Any, str, int]:
    async with fake_gateway(**ANSWERS) as fake:
        result = await trunkline(state, "cron", *args, "--url", fake.url, "--token", "secret")
        questions = [each for each in fake.asked if each[0].startswith("cron.")]
        return (questions[-1] if questions else None), result.out + result.err, result.code


@pytest.mark.parametrize(
    ("args", "params"),
    [
        (
            ["--every", "15m", "--message", "go"],
            {
                "schedule": {"kind": "every", "everyMs": 900_000},
                "wakeMode": "now",
                "sessionTarget": "isolated",
                "payload": TURN,
            },
        ),
        (
            [
                "--cron",
                "0 9 * * 1",
                "--tz",
                "Europe/Berlin",
                "--system-event",
                "tea",
                "--next-heartbeat",
                "--agent",
                "main",
                "--catch-up",
                "none",
            ],
            {
                "schedule": {"kind": "cron", "expr": "0 9 * * 1", "tz": "Europe/Berlin"},
                "wakeMode": "next-heartbeat",
                "sessionTarget": "main",
                "payload": EVENT,
                "agentId": "main",
                "catchUp": "none",
            },
        ),
        (
            ["--at", "2030-01-01T00:00:00Z", "--message", "go", "--channel", "irc", "--to", "ada"],
            {
                "schedule": {"kind": "at", "at": "2030-01-01T00:00:00Z"},
                "wakeMode": "now",
                "sessionTarget": "isolated",
                "payload": TURN,
                "delivery": {"mode": "announce", "channel": "irc", "to": "ada"},
            },
        ),
    ],
)
async def test_add_asks_for_the_job(state: Path, args: list[str], params: dict[str, Any]) -> None:
    request, out, code = await asked(state, "add", "--name", "standup", *args)
    assert (code, request) == (0, ("cron.add", {"name": "standup"} | params))
    assert out.startswith("j1  next: 2027-01-15")


@pytest.mark.parametrize(
    ("args", "method", "words"),
    [
        (["list"], "cron.list", ["j1", "standup", "Europe/Berlin", "announce -> irc:ada", "main"]),
        (
            ["run", "j1", "--due"],
            "cron.run",
            ["not run (not-due): its time has not come; without --due it runs at once"],
        ),
        (["runs", "j1"], "cron.runs", ["error", "1.5 s", f"it broke {'and ' * 50}so"]),
        (["rm", "j1"], "cron.remove", ["removed"]),
    ],
)
async def test_what_is_answered_is_shown(
    state: Path, args: list[str], method: str, words: list[str]
) -> None:
    request, out, code = await asked(state, *args)
    assert (code, request[0]) == (0, method)
    assert [word for word in words if word not in out] == []


@pytest.mark.parametrize(
    ("schedule", "text"),
    [
        ({"kind": "every", "everyMs": 90_000}, " every 1m30s "),
        ({"kind": "every", "everyMs": 86_400_000}, " every 1d "),
        ({"kind": "every", "everyMs": 250}, " every 250ms "),
        ({"kind": "every", "everyMs": 90_061_500}, " every 1d1h1m1s500ms "),
        ({"kind": "at", "at": "2030-01-01T00:00:00Z"}, " at 2030-01-01 01:00:00 "),
    ],
)
async def test_a_schedule_is_shown_as_it_is_typed_and_in_the_time_of_the_host(
    state: Path, schedule: dict[str, Any], text: str
) -> None:
    async with fake_gateway(cron__list={"jobs": [JOB | {"schedule": schedule}]} | MORE) as fake:
        args = ("cron", "list", "--url", fake.url, "--token", "secret")
        result = await trunkline(state, *args, TZ="Europe/Berlin")
    assert text in result.out


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["--message", "go"], "one of --at, --every and --cron"),
        (["--every", "5m"], "one of --message and --system-event"),
        (["--every", "soon", "--message", "go"], "not a duration"),
        (["--every", "5m", "--tz", "UTC", "--message", "go"], "--tz is the zone of --cron"),
        (["--every", "5m", "--message", "go", "--to", "a", "--no-deliver"], "is enough"),
        (["--every", "5m", "--system-event", "x", "--to", "a"], "has no delivery"),
    ],
)
async def test_what_makes_no_job_is_said_without_asking(
    state: Path, args: list[str], text: str
) -> None:
    request, out, code = await asked(state, "add", "--name", "x", *args)
    assert (request, code) == (None, 2)
    assert text in out


async def test_the_list_has_all_jobs_of_a_gateway_that_answers_in_pages(state: Path) -> None:
    jobs = [JOB | {"id": f"j{number}"} for number in range(250)]

    def page(params: dict[str, Any]) -> dict[str, Any]:
        first = params["offset"]
        shown = jobs[first : first + min(params["limit"], 100)]  # long texts end a page early
        previews = {job["id"]: {"label": f"announce -> {job['id']}"} for job in shown}
        more = first + len(shown) < len(jobs)
        return {"jobs": shown, "deliveryPreviews": previews, "hasMore": more}

    answers: dict[str, Any] = {"cron.list": page}
    async with fake_gateway(**answers) as fake:
        where = ["--url", fake.url, "--token", "secret"]
        table = await trunkline(state, "cron", "list", *where)
        document = await trunkline(state, "cron", "list", "--all", "--json", *where)
    assert len(table.out.splitlines()) == 1 + len(jobs)
    assert table.out.splitlines()[-1].endswith("announce -> j249")
    assert [job["id"] for job in document.json["jobs"]] == [job["id"] for job in jobs]
    assert fake.asked[-1][1] == {"includeDisabled": True, "limit": 200, "offset": 200}


@pytest.mark.parametrize(
    ("args", "said"), [([], "--all shows disabled jobs, too\n"), (["--all"], ""), (["--json"], "")]
)
async def test_a_list_without_jobs_names_what_may_be_hidden(
    state: Path, args: list[str], said: str
) -> None:
    async with fake_gateway(cron__list={"jobs": [], "deliveryPreviews": {}}) as fake:
        where = ["--url", fake.url, "--token", "secret"]
        result = await trunkline(state, "cron", "list", *args, *where)
    assert (result.code, result.err) == (0, said)
    assert "--json" in args or result.out == "none\n"
