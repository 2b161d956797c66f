"""``openclaw cron`` and ``openclaw system`` against our gateway."""

from __future__ import annotations

import pytest

from tests.interop.openclaw import Answer, Openclaw

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def good(answer: Answer) -> Answer:
    assert answer.code == 0, answer
    return answer


async def test_a_job_is_added_listed_run_and_removed(openclaw: Openclaw) -> None:
    flags = openclaw.flags
    added = good(
        await openclaw.run(
            *("cron", "add", "--name", "hourly", "--every", "1h", "--message", "report"),
            *("--session", "isolated", "--no-deliver", "--json", *flags),
        )
    ).json
    assert (added["name"], added["schedule"]["everyMs"]) == ("hourly", 3_600_000)
    listed = good(await openclaw.run("cron", "list", *flags)).out
    assert "hourly" in listed
    assert good(await openclaw.run("cron", "status", "--json", *flags)).json["jobs"] == 1
    run = good(await openclaw.run("cron", "run", added["id"], *flags)).json
    assert (run["ok"], run["enqueued"]) == (True, True)
    runs = good(await openclaw.run("cron", "runs", "--id", added["id"], *flags)).json
    assert all(each["jobId"] == added["id"] for each in runs["entries"])
    off = good(await openclaw.run("cron", "disable", added["id"], *flags)).json
    assert off["enabled"] is False
    assert good(await openclaw.run("cron", "rm", added["id"], "--json", *flags)).json["ok"] is True
    gone = await openclaw.run("cron", "rm", added["id"], *flags)
    assert gone.code != 0
    assert "Automation not found" in gone.err


async def test_an_event_wakes_an_agent(openclaw: Openclaw) -> None:
    event = ("system", "event", "--text", "rain", "--mode", "now")
    good(await openclaw.run(*event, *openclaw.flags))
    good(await openclaw.run("system", "heartbeat", "disable", *openclaw.flags))
    good(await openclaw.run("system", "heartbeat", "enable", *openclaw.flags))
    good(await openclaw.run("system", "heartbeat", "last", *openclaw.flags))
