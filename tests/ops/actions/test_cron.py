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


async def test_a_delivery_may_be_to_an_account_that_comes_later(state: Path) -> None:
    job = {"id": "j1", "name": "x", "state": {}}
    answers: dict[str, Any] = {"cron.add": job}
    words = ["cron", "add", "--name", "x", "--every", "1h", "--message", "go", "--best-effort"]
    async with fake_gateway(**answers) as fake:
        there = ["--url", fake.url, "--token", "secret"]
        refused = await trunkline(state, *words, *there)
        refused.complains(ExitCode.USAGE, "--best-effort is about --to or --webhook")
        assert (await trunkline(state, *words, "--to", "a", *there)).code == ExitCode.OK
        delivery = {"mode": "announce", "to": "a", "bestEffort": True}
        assert fake.asked[-1][1]["delivery"] == delivery
