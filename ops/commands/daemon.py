"""``trunkline status``: the supervisor, the gateway and all accounts at a glance."""

from __future__ import annotations

import time
from typing import Any

import typer

from ops.commands.options import Json, Keys, Token, Url, command_app
from ops.connect.target import here
from ops.output.stdout import show_json

app = command_app()


@app.command()
def status(
    context: typer.Context,
    keys: Keys = None,
    json: Json = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Show the supervisor, the gateway and all accounts."""
    from ops.connect import supervisor as clients
    from ops.connect.selection import chosen
    from ops.output.show import show_accounts

    found = clients.run(_status(here(context), url, token))
    found["accounts"] = chosen(found["accounts"], keys or [])
    if json:
        show_json(found)
        return
    _show_head(found)
    show_accounts(found["accounts"])


async def _status(places: Any, url: str | None, token: str | None) -> dict[str, Any]:
    from ops.connect.account_api import reach

    async with reach(places, url, token) as runtime:
        return await runtime.status()


def _show_head(found: dict[str, Any]) -> None:
    from ops.output.text import clean, duration, mebibytes

    now = time.time()
    supervisor, gateway = found.get("supervisor"), found["gateway"]
    if supervisor:
        print(
            f"supervisor  pid {supervisor['pid']}  up "
            f"{duration(now - supervisor['startedAt'] / 1000)}"
            f"  {mebibytes(supervisor.get('rssBytes'))}  {clean(supervisor['stateDir'])}"
        )
    details = [f"pid {gateway['pid']}" if gateway.get("pid") else "", gateway.get("url") or ""]
    if gateway.get("outages"):
        details.append(f"{gateway['outages']} outages")
    if gateway.get("phase") != "running" and gateway.get("lastError"):
        details.append(gateway["lastError"])
    print(f"gateway     {gateway['phase']}  {clean('  '.join(filter(None, details)))}".rstrip())
    for warning in (supervisor or {}).get("warnings", []):
        print(f"warning     {clean(warning)}")
    print()
