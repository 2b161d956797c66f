"""What an operator does now and then: drain accounts, read secrets anew, restart from afar."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ipc.frames.control import Rechecked
from ipc.frames.requests import DrainParams, NoParams, RestartParams
from ipc.frames.words import Phase
from runtime.supervisor.accounts.account import Account
from runtime.supervisor.api.table import method, select
from runtime.supervisor.lifecycle import Restart

if TYPE_CHECKING:
    from runtime.supervisor.supervisor import Supervisor

RECHECK_SECONDS = 15.0  # a password store may take its time; who asks waits 20


@method("channels.drain", DrainParams)
async def _drain(supervisor: Supervisor, params: DrainParams) -> Any:
    """Stop accounts once what is in flight is done; they are held, as after a stop."""
    chosen = select(supervisor, params.accounts)
    seconds = params.timeout_ms / 1000
    drained = await asyncio.gather(*(_drained(supervisor, each, seconds) for each in chosen))
    keys = [account.key for account in chosen]
    answer = await supervisor.dispatch("channels.stop", {"accounts": keys, "reason": params.reason})
    for row, done in zip(answer["results"], drained, strict=True):
        row["drained"] = done
    return answer


async def _drained(supervisor: Supervisor, account: Account, seconds: float) -> bool:
    if account.phase is not Phase.RUNNING:
        return True
    return await supervisor.drain(account, seconds)


@method("secrets.reload", NoParams)
async def _secrets(supervisor: Supervisor, params: NoParams) -> Any:
    """Replace the accounts whose secrets are others now: a worker reads them at its birth.

    Each compares for itself, so that the supervisor sees none. Where one cannot be read the
    account goes on with what it has.
    """
    chosen = [
        account
        for account in supervisor.accounts.values()
        if account.phase in (Phase.RUNNING, Phase.STARTING) and _refers(account.spec.config)
    ]
    answers = await asyncio.gather(*(_recheck(supervisor, account) for account in chosen))
    replaced, warnings = [], []
    for account, answer in zip(chosen, answers, strict=True):
        if account.phase not in (Phase.RUNNING, Phase.STARTING):
            continue  # it has ended meanwhile: the next one reads them
        if answer is None or answer.changed:
            account.child.post(Restart())
            replaced.append(account.key)
        elif answer.problem:
            warnings.append({"account": account.key, "message": answer.problem})
    found: dict[str, Any] = {"ok": True, "warningCount": len(warnings), "restarted": replaced}
    return found | ({"warnings": warnings} if warnings else {})


async def _recheck(supervisor: Supervisor, account: Account) -> Rechecked | None:
    """Return ``None`` for one that cannot say: it is replaced to be sure."""
    if account.phase is not Phase.RUNNING:
        return None
    return await supervisor.recheck(account, RECHECK_SECONDS)


def _refers(value: Any) -> bool:
    if isinstance(value, dict):
        return set(value) == {"source", "id"} or any(map(_refers, value.values()))
    return isinstance(value, list) and any(map(_refers, value))


@method("gateway.restart.request", RestartParams)
async def _request(supervisor: Supervisor, params: RestartParams) -> Any:
    """Restart the gateway soon: who asks through it gets this answer before."""
    loop = asyncio.get_running_loop()
    loop.call_later(params.delay_ms / 1000, supervisor.front.restart)
    restart = {"ok": True, "delayMs": params.delay_ms, "reason": params.reason or "requested"}
    return {"ok": True, "status": "scheduled", "restart": restart}
