"""Writes docs/metrics.md from a live ``/metrics``: ``python -m tests.metrics_reference``."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import msgspec
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from runtime.gateway.access_policy.admit import AdmissionOutcome
from runtime.gateway.http.metrics import Metrics
from runtime.supervisor import status
from tests.support.gateway_rig import gateway_rig, row
from tests.support.parts_rig import PartsRig
from tests.support.short_directory import ShortDirectory

KEY = "irc:libera"
# What has no sample in a gateway that has just begun, and why it has none.
EMPTY = {"trunkline_channel_import_seconds": "channel", "trunkline_channel_zygote_up": "channel"}
HEAD = """# Metrics

What `/metrics` and `trunkline metrics` show, as they are in the code: written by
`python -m tests.metrics_reference`, compared by a test. Counters begin at zero with their process.
All series of what is configured are there from the start, but for those that only a running process
has (memory, CPU, lag), and for decisions that were never made (`trunkline_admission_total`).
`ops/dashboards/` has a board for Grafana, of the fleet and of one account, and rules for alerts.

| name | kind | labels | what it says |
|---|---|---|---|
"""


async def live_families() -> dict[str, Metric]:
    """Return all families of a gateway with an account and an agent, and of its supervisor."""
    said: dict[str, Any] = {"plugin": {"lastEventAt": 1}, "next_try_at": 1, "loop_lag_ms": 1.0}
    said |= {"rss_bytes": 1, "cpu_percent": 1.0, "fds": 1}
    async with gateway_rig(row(KEY, **said), row("agent:main", **said)) as rig:
        with ShortDirectory() as place:
            supervisor = PartsRig(place)
            own = msgspec.to_builtins(status.metrics(supervisor.parts))
            supervisor.close()
        await rig.report(metrics=own)
        rig.parts.gatekeeper.counts[KEY][AdmissionOutcome.DROP, "blocked"] += 1
        text = (await Metrics(rig.parts).text()).decode()
    return {family.name: family for family in text_string_to_metric_families(text)}


def written_name(family: Metric) -> str:
    """Return the name under which a family is asked for; of a histogram without its endings."""
    return f"{family.name}_total" if family.type == "counter" else str(family.name)


def page(families: dict[str, Metric]) -> str:
    """Return docs/metrics.md."""
    lines = []
    for name in sorted(families):
        family = families[name]
        labels = sorted({label for sample in family.samples for label in sample.labels})
        shown = ", ".join(f"`{label}`" for label in labels or EMPTY.get(name, "").split())
        lines.append(
            f"| `{written_name(family)}` | {family.type} | {shown} | {family.documentation} |"
        )
    return HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page(asyncio.run(live_families())))
