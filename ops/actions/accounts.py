"""Starting, stopping and restarting accounts, with an outcome for each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ops.actions.wait import Vigil
from ops.connect.account_api import Verb
from ops.exits import Exit, OperatorError
from ops.output.stdout import show_json
from ops.output.text import clean

if TYPE_CHECKING:
    from runtime.config.places import Places

Row = dict[str, Any]
MARGIN = 10.0  # seconds beyond the timeout: stops are bounded by the supervisor itself


@dataclass(frozen=True, slots=True)
class Order:
    """What an operator wants done. ``wait``: until it is so, at most ``timeout`` seconds."""

    verb: Verb
    targets: list[str]
    reason: str | None = None
    wait: bool = False
    timeout: float = 30.0

    @property
    def goal(self) -> str:
        """Return the phase that the accounts should reach."""
        return "stopped" if self.verb in ("stop", "drain") else "running"


async def carry_out(places: Places, order: Order, url: str | None, token: str | None) -> list[Row]:
    """Have it done, and wait where that is asked for; return one row for each account."""
    vigil = Vigil(order.goal)
    async with vigil.over(places, url, token) as runtime:
        margin = 0.0 if order.verb == "drain" else MARGIN  # it is told how long it may take
        rows = await runtime.act(order.verb, order.targets, order.reason, order.timeout + margin)
        done = [row["account"] for row in rows if row["ok"]]
        if order.wait and done:
            # a restart counts only when another process than the one before runs
            vigil.beyond = {
                row["account"]: row["incarnation"] for row in rows if "incarnation" in row
            }
            await vigil.until(runtime, done, order.timeout)
    return rows


def show_outcome(order: Order, rows: Sequence[Row], *, as_json: bool) -> None:
    """Print what came of it; raises ``OperatorError`` when something did not."""
    if as_json:
        show_json({"results": rows})
    else:
        for row in rows:
            if row["ok"]:
                print(f"{clean(row['account'])}  {_outcome(order, row)}")
    late = [row for row in rows if row.get("stopped") is False]
    bad = [row for row in rows if not row["ok"] or row.get("persisted") is False]
    if bad:
        code = Exit.TIMEOUT if late == bad else Exit.ERROR
        raise OperatorError("\n".join(_complaint(row) for row in bad), code)


def _outcome(order: Order, row: Row) -> str:
    if row.get("outcome") == "skipped":
        return "runs already"
    if order.verb == "stop":
        return f"stopped ({clean(row['note'])})" if row.get("note") else "stopped"
    if order.verb == "drain":
        return "drained and stopped" if row.get("drained") else "stopped before it was drained"
    if order.verb == "reset":
        return "failures forgotten"
    return "running" if order.wait else "starting"


def _complaint(row: Row) -> str:
    if row.get("stopped") is False:
        return f"{row['account']}: still stopping"
    why = row.get("error") or row.get("reason") or row.get("outcome") or "refused"
    if row.get("persisted") is False and row["ok"]:
        why = row.get("error") or "done, but it could not be remembered on disk"
    return f"{row['account']}: {why}"
