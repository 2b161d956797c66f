"""``trunkline metrics``: what ``/metrics`` says, and the supervisor's part while it cannot."""

from __future__ import annotations

import sys
import urllib.error
import urllib.request
from typing import Any

import typer

from ops.commands.options import Json, command_app
from ops.connect.target import here
from ops.output.stdout import show_json

WITHIN = 5.0  # seconds for the gateway to answer

app = command_app()


@app.command()
def metrics(context: typer.Context, json: Json = False) -> None:
    """Print all figures as text for Prometheus; without a gateway those of the supervisor.

    With --json a list of samples: name, labels, value.
    """
    from ops.connect import supervisor as clients

    async def ask() -> tuple[dict[str, Any], str]:
        async with clients.supervisor(here(context)) as client:
            status = await client.call("supervisor.status", {}, timeout=10.0)
            figures = await client.call("metrics", {}, timeout=10.0)
        return status["gateway"], figures["text"]

    row, own = clients.run(ask())
    text = _of_gateway(row) or own
    if json:
        from ops.output.samples import samples

        show_json({"metrics": samples(text)})
    else:
        sys.stdout.write(text)


def _of_gateway(row: dict[str, Any]) -> str | None:
    """Return what our own gateway says, ``None`` when it cannot be asked."""
    url = str(row.get("url") or "")
    if not row.get("connected") or row.get("kind") != "own" or not url.startswith("ws://"):
        return None
    address = f"http://{url.removeprefix('ws://')}/metrics"
    try:
        with urllib.request.urlopen(address, timeout=WITHIN) as answer:
            text: str = answer.read().decode()
            return text
    except (urllib.error.URLError, OSError, ValueError):
        return None
