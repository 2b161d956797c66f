"""Returns the supervisor's status, metrics and version; reloads and ends it."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from ipc import metrics
from ipc.frames.requests import ChangesParams, NoParams
from runtime.supervisor import status as describing
from runtime.supervisor.accounts.history import CHANGES, HistoryEntry
from runtime.supervisor.api.table import method
from runtime.supervisor.parts import Parts
from runtime.supervisor.reload import reread


@method("supervisor.status", NoParams)
async def status(parts: Parts, params: NoParams) -> Any:
    """Return everything that ``trunkline status`` shows."""
    return msgspec.to_builtins(describing.status(parts))


@method("supervisor.warnings", NoParams)
async def warnings(parts: Parts, params: NoParams) -> Any:
    """Answer with what an operator is warned of."""
    return {"warnings": describing.warnings(parts)}


@method("metrics", NoParams)
async def prometheus(parts: Parts, params: NoParams) -> Any:
    """Return all series as text for Prometheus; works without the gateway."""
    rows = [account.status() for account in parts.accounts.values()]
    agents = [agent.status() for agent in parts.agents.values()]
    own, now = describing.metrics(parts), time.time()
    series = [*own, *metrics.of_accounts(rows, now), *metrics.of_agents(agents, now)]
    return {"text": metrics.text(series)}


@method("config.reload", NoParams, changes=True)
async def reload(parts: Parts, params: NoParams) -> Any:
    """Read the configuration file and apply it."""
    return await reread(parts)


@method("shutdown", NoParams, changes=True)
async def shutdown(parts: Parts, params: NoParams) -> Any:
    """Begin the end of the supervisor and everything it runs."""
    parts.shutdown.request("requested by an operator")
    return {"ok": True, "pid": parts.about.pid}


@method("changes.list", ChangesParams)
async def list_changes(parts: Parts, params: ChangesParams) -> Any:
    """Answer with what operators have changed, the newest last."""
    found = parts.history.of(CHANGES)[-params.limit :]
    return {"changes": [_shown(each) for each in found]}


def _shown(change: HistoryEntry) -> dict[str, Any]:
    row = {"at": change.at, "text": change.text, "by": change.by}
    return row if change.times == 1 else row | {"times": change.times, "first": change.first}


@method("version", NoParams)
async def version(parts: Parts, params: NoParams) -> Any:
    """Return the version and the pid."""
    return {"version": parts.about.version, "pid": parts.about.pid}
