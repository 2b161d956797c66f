"""Which job is meant by what was typed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ops.actions.cron import LISTED, job_id
from ops.exits import ExitCode, OperatorError
from tests.support.commandline import trunkline
from tests.support.fakeserver import Refusal, fake_gateway

JOBS: list[dict[str, Any]] = [
    {"id": "j1", "name": "standup"},
    {"id": "j2", "name": "tea"},
    {"id": "j3", "name": "tea"},
]


def test_a_name_that_one_job_has_means_that_job() -> None:
    assert job_id("standup", JOBS) == "j1"


@pytest.mark.parametrize(
    ("name", "jobs", "said"),
    [
        ("tea", JOBS, "2 jobs are called 'tea'; take an id: j2, j3"),
        ("stadnup", JOBS, r"unknown job 'stadnup' \(did you mean standup\?\); known: standup, "),
        ("x", [], "unknown job 'x'; known: none"),
        ("x", JOBS * LISTED, "there are 30, see `trunkline cron list --all`"),
    ],
)
def test_an_unknown_or_ambiguous_job_is_refused(
    name: str, jobs: list[dict[str, Any]], said: str
) -> None:
    with pytest.raises(OperatorError, match=said):
        job_id(name, jobs)


@pytest.mark.parametrize("method", ["run", "runs", "remove"])
@pytest.mark.parametrize("name", ["standup", "stadnup"])
async def test_each_command_takes_a_name(state: Path, method: str, name: str) -> None:
    def answer(params: Any) -> Any:
        if params["id"] != "j1":
            raise Refusal("INVALID_REQUEST", "gone", {"code": "CRON_JOB_NOT_FOUND"})
        return {"ok": True, "runId": "r", "entries": []}

    answers: dict[str, Any] = {f"cron.{method}": answer, "cron.list": {"jobs": JOBS}}
    verb = "rm" if method == "remove" else method
    async with fake_gateway(**answers) as fake:
        result = await trunkline(state, "cron", verb, name, "--url", fake.url, "--token", "secret")
    if name == "standup":
        assert result.code == ExitCode.OK, result
        assert fake.asked[-1][1]["id"] == "j1"
    else:
        result.complains(ExitCode.ERROR, "unknown job 'stadnup'", "did you mean standup?")


@pytest.mark.parametrize(
    ("given", "warned"),
    [
        (["--channel", "irc"], "no account irc"),
        (["--channel", "local", "--account", "x"], "no account local:x"),
        (["--channel", "local"], ""),
        ([], ""),
    ],
)
async def test_an_answer_that_has_nowhere_to_go_is_warned_of(
    state: Path, given: list[str], warned: str
) -> None:
    job = {"id": "j1", "name": "x", "state": {}}
    accounts = {"channelAccounts": {"local": [{"accountId": "demo"}]}}
    answers: dict[str, Any] = {"cron.add": job, "channels.status": accounts}
    async with fake_gateway(**answers) as fake:
        every = ["--name", "x", "--every", "1h", "--message", "go", *given]
        if given:
            every += ["--to", "a"]
        result = await trunkline(
            state, "cron", "add", *every, "--url", fake.url, "--token", "secret"
        )
    assert result.code == ExitCode.OK, result
    assert warned in result.err
    assert bool(result.err) == bool(warned)
