"""``trunkline wait``: until accounts are running, or stopped. By events, not by asking again."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from ops.commands.options import All, Json, Keys, Token, Url, command_app
from ops.connect.target import here
from ops.output.stdout import show_json

app = command_app()


class Goal(StrEnum):
    """What can be waited for."""

    RUNNING = "running"
    STOPPED = "stopped"


@app.command()
def wait(
    context: typer.Context,
    keys: Keys = None,
    goal: Annotated[
        str, typer.Option("--for", metavar="running|stopped", help="What to wait for.")
    ] = "running",
    timeout: Annotated[float, typer.Option(min=0.001, help="Seconds to wait.")] = 30.0,
    everything: All = False,
    json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Wait until accounts are running or stopped.

    Exits 4 when the time is over, and 1 as soon as an account has failed for good.
    """
    from ops.connect import supervisor as clients
    from ops.connect.selection import targets
    from ops.exits import UsageFailure

    if goal not in list(Goal):
        raise UsageFailure(f"--for takes running or stopped, not {goal!r}")
    wanted = targets(keys, everything)
    rows = clients.run(_wait(here(context), wanted, Goal(goal), timeout, url, token))
    if json:
        show_json({"accounts": rows})


async def _wait(
    places: Any, wanted: list[str], goal: Goal, timeout: float, url: str | None, token: str | None
) -> list[dict[str, Any]]:
    from ops.actions.wait import Vigil

    vigil = Vigil(goal)
    async with vigil.over(places, url, token) as runtime:
        return await vigil.until(runtime, wanted, timeout)
