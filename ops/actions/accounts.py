"""Starts, stops, restarts, resets and drains accounts, and reports the outcome of each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ipc.frames.words import command_for
from ops.actions.wait import Goal, PhaseWaiter
from ops.connect.account_api import Verb, connected_account_api
from ops.connect.target import RuntimeTarget
from ops.exits import ExitCode, OperatorError
from ops.output.progress import ProgressLine
from ops.output.show import show_json
from ops.output.text import clean

Row = dict[str, Any]
MARGIN = 10.0  # seconds beyond the timeout: stops are bounded by the supervisor itself


@dataclass(frozen=True, slots=True)
class Order:
    """A verb, the accounts it is for, and whether to wait for its effect.

    ``targets`` are keys, channel names or ``*``; ``None`` means all accounts whose hold is
    unknown, which can only be started. ``timeout`` is in seconds.
    """

    verb: Verb
    targets: list[str] | None
    reason: str | None = None
    wait: bool = False
    timeout: float = 30.0

    @property
    def goal(self) -> Goal:
        """The phase that the accounts should reach."""
        return Goal.STOPPED if self.verb in ("stop", "drain") else Goal.RUNNING


def carry_out(target: RuntimeTarget, order: Order) -> list[Row]:
    """Carry out ``order`` and return a row for each account.

    Raises ``OperatorError``, exit 4, if it waits for the effect and that does not come in time.
    """
    return asyncio.run(_carry_out(target, order))


def read_status(target: RuntimeTarget) -> Row:
    """Return the rows ``supervisor``, ``gateway``, ``accounts`` and ``agents`` of a runtime."""
    return asyncio.run(_read_status(target))


def show_outcome(order: Order, rows: Sequence[Row], *, as_json: bool) -> None:
    """Print the outcome of ``order`` for each account.

    Raises ``OperatorError`` when it failed for some: exit 4 when all of those are still
    stopping, else 1.
    """
    if as_json:
        show_json({"results": rows})
    else:
        for row in rows:
            if row["ok"]:
                print(f"{clean(row['account'])}  {_outcome(order, row)}")
    late = [row for row in rows if row.get("stopped") is False]
    bad = [row for row in rows if not row["ok"] or row.get("persisted") is False]
    if bad:
        code = ExitCode.TIMEOUT if late == bad else ExitCode.ERROR
        raise OperatorError("\n".join(_complaint(row) for row in bad), code)


async def _carry_out(target: RuntimeTarget, order: Order) -> list[Row]:
    with ProgressLine(order.goal) as progress:
        return await _carry_out_with(target, order, progress)


async def _carry_out_with(target: RuntimeTarget, order: Order, progress: ProgressLine) -> list[Row]:
    waiter = PhaseWaiter(order.goal, progress.show)
    async with connected_account_api(target, on_event=waiter.on_event) as api:
        margin = 0.0 if order.verb == "drain" else MARGIN  # the request has its own time limit
        within = order.timeout + margin
        if order.targets is None:
            rows = await api.start_unknown(within)
        else:
            rows = await api.control(order.verb, order.targets, order.reason, within)
        done = [row["account"] for row in rows if row["ok"]]
        if order.wait and done:
            # a restart counts only when another process than the one before runs
            waiter.beyond = {
                row["account"]: row["incarnation"] for row in rows if "incarnation" in row
            }
            await waiter.wait(api, done, order.timeout)
    return rows


async def _read_status(target: RuntimeTarget) -> Row:
    async with connected_account_api(target) as api:
        return await api.status()


def _outcome(order: Order, row: Row) -> str:
    if row.get("outcome") == "skipped":
        return "runs already"
    note = f" ({clean(row['note'])})" if row.get("note") else ""
    if order.verb == "stop":
        return f"stopped{note}"
    if order.verb == "drain":
        done = "drained and stopped" if row.get("drained") else "stopped before it was drained"
        return f"{done}{note}"
    if order.verb == "reset":
        return "failures forgotten"
    return "running" if order.wait else "starting"


def _complaint(row: Row) -> str:
    if row.get("stopped") is False:
        look = command_for(row["account"], "describe")
        return f"{row['account']}: still stopping; `{look}` shows it"
    key = row["account"]
    if row.get("persisted") is False and row["ok"]:
        why = row.get("error") or "done, but it could not be saved to disk"
        return f"{key}: {why}; `trunkline doctor` finds out why"
    why = str(row.get("error") or row.get("reason") or row.get("outcome") or "refused")
    return why if why.startswith(f"{key} ") else f"{key}: {why}"
