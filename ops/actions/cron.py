"""Sends requests about scheduled jobs: about all, or one by its id or its unique name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from ipc.errors import RemoteError
from ops.actions.ask import ask_gateway
from ops.connect.target import RuntimeTarget
from ops.exits import OperatorError

NO_JOB = "CRON_JOB_NOT_FOUND"  # the code in the details of a refusal
PAGE = 200
LISTED = 10  # of many only how many there are


def ask_about_job(target: RuntimeTarget, method: str, params: Mapping[str, Any]) -> Any:
    """Call ``method`` with ``params`` whose ``id`` may be a job's name; return the answer.

    Raises ``OperatorError`` if no job, or more than one, has that name.
    """
    try:
        return ask_gateway(target, method, params)
    except RemoteError as error:
        if not (isinstance(error.details, dict) and error.details.get("code") == NO_JOB):
            raise
    # Only now: an id, which is the usual case, takes one question.
    found = job_id(str(params["id"]), list_jobs(target, disabled=True)["jobs"])
    return ask_gateway(target, method, {**params, "id": found})


def job_id(name: str, jobs: Sequence[Mapping[str, Any]]) -> str:
    """Return the id of the only job called ``name``; raises ``OperatorError`` otherwise."""
    ids = [str(job["id"]) for job in jobs if job["name"] == name]
    if len(ids) == 1:
        return ids[0]
    if ids:
        raise OperatorError(f"{len(ids)} jobs are called {name!r}; take an id: {', '.join(ids)}")
    known = [str(word) for job in jobs for word in (job["name"], job["id"])]
    near = get_close_matches(name, known, 1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    raise OperatorError(f"unknown job {name!r}{hint}; {_listed(jobs)}")


def _listed(jobs: Sequence[Mapping[str, Any]]) -> str:
    if len(jobs) > LISTED:
        return f"there are {len(jobs)}, see `trunkline cron list --all`"
    return f"known: {', '.join(str(job['name']) for job in jobs) or 'none'}"


def list_jobs(target: RuntimeTarget, *, disabled: bool) -> dict[str, Any]:
    """Return all jobs, those that are ``disabled`` if requested, as one answer of ``cron.list``."""
    jobs: list[Mapping[str, Any]] = []
    previews: dict[str, Any] = {}
    while True:
        params = {"includeDisabled": disabled, "limit": PAGE, "offset": len(jobs)}
        answer: dict[str, Any] = ask_gateway(target, "cron.list", params)
        jobs += answer["jobs"]
        previews |= answer.get("deliveryPreviews", {})
        if not (answer["jobs"] and answer.get("hasMore")):
            return answer | {"jobs": jobs, "deliveryPreviews": previews, "offset": 0}
