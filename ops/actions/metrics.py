"""Reads the metrics of a runtime in Prometheus' text format, and parses that format."""

from __future__ import annotations

import asyncio
import math
import urllib.error
import urllib.request
from typing import Any

from ops.connect.places import places_of
from ops.connect.supervisor import connected_supervisor
from ops.connect.target import RuntimeTarget
from runtime.config.places import Places

WITHIN = 5.0  # seconds for the gateway to answer


def read_metrics(target: RuntimeTarget) -> str:
    """Return the text of our own gateway's ``/metrics``; the supervisor's while that is down."""
    gateway, own = asyncio.run(_ask_supervisor(places_of(target)))
    return _of_gateway(gateway) or own


def samples(text: str) -> list[dict[str, Any]]:
    """Return the samples of a text in Prometheus' format: ``name``, ``labels`` and ``value``.

    A value that JSON cannot express becomes text: ``nan``, ``inf``. Raises ``ValueError`` for
    text in another format.
    """
    from prometheus_client.parser import text_string_to_metric_families

    return [
        {
            "name": sample.name,
            "labels": sample.labels,
            "value": sample.value if math.isfinite(sample.value) else str(sample.value),
        }
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]


async def _ask_supervisor(places: Places) -> tuple[dict[str, Any], str]:
    async with connected_supervisor(places) as client:
        status = await client.call("supervisor.status", {}, timeout=10.0)
        figures = await client.call("metrics", {}, timeout=10.0)
    return status["gateway"], figures["text"]


def _of_gateway(row: dict[str, Any]) -> str | None:
    """Return the text of our own gateway; ``None`` if it does not answer."""
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
