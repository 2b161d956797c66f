"""Prints the state of the supervisor and of the gateway."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from typing import Any

from ipc.frames.words import Phase
from ops.exits import ExitCode
from ops.output.commands import ending_with_step, for_runtime
from ops.output.paragraphs import filled
from ops.output.tables import lines_of
from ops.output.text import clean, duration, mebibytes

Row = Mapping[str, Any]
MARGIN = 15  # characters before the text of each line of `gateway status`


def show_daemon(status: Row) -> int:
    """Print the lines of ``trunkline status`` above the table of accounts; return their number."""
    supervisor, gateway = status.get("supervisor"), status["gateway"]
    lines = []
    if supervisor:
        lines.append(
            f"supervisor  pid {supervisor['pid']}  up "
            f"{duration(time.time() - supervisor['startedAt'] / 1000)}"
            f"  {mebibytes(supervisor.get('rssBytes'))}  {clean(supervisor['stateDir'])}"
        )
    details = [f"pid {gateway['pid']}" if gateway.get("pid") else "", gateway.get("url") or ""]
    if gateway.get("outages"):
        details.append(_outages(gateway))
    if gateway.get("phase") != Phase.RUNNING and gateway.get("lastError"):
        details.append(gateway["lastError"])
    told = clean("  ".join(filter(None, details)))
    lines.append(f"gateway     {gateway['phase']}  {told}".rstrip())
    warnings = (supervisor or {}).get("warnings", [])
    lines += [filled("warning     ", for_runtime(clean(each))) for each in warnings]
    text = "\n".join([*lines, ""])
    print(text)
    columns = shutil.get_terminal_size().columns
    return sum(lines_of(line, columns) for line in text.split("\n"))


def show_gateway(row: Row) -> None:
    """Print the gateway's status row on one line."""
    details = [
        row["phase"]
        + ("" if row.get("connected") or row["phase"] != Phase.RUNNING else ", no session"),
        f"pid {row['pid']}" if row.get("pid") else "",
        row.get("url") or "",
        _outages(row) if row.get("outages") else "",
        row.get("lastError") or "",
    ]
    print(clean("  ".join(filter(None, details))))


def _outages(gateway: Row) -> str:
    return f"{gateway['outages']} outage{'' if gateway['outages'] == 1 else 's'}"


def gateway_report_lines(report: Row) -> list[str]:
    """Return the lines of ``gateway status`` that follow the one about the process."""
    lines = [f"configuration  {report['config']['path']}"]
    if not report["config"]["exists"]:
        lines[0] += "  (does not exist)"
    lines.append(_probe_line(report))
    if report.get("rpc") and not report["rpc"]["ok"]:
        lines.append(f"rpc            failed: {report['rpc']['error']}")
    if report.get("lastErrorLine"):
        lines.append(f"last error     {report['lastErrorLine']}")
    for other in report["others"]:
        probe = other.get("probe")
        tail = "" if probe is None else ("  reachable" if probe["ok"] else "  unreachable")
        where = other["url"] or "port unknown"
        lines.append(
            f"warning        another gateway runs: {other['name']} pid {other['pid']} {where}{tail}"
        )
    return lines


def _probe_line(report: Row) -> str:
    probe = report["probe"]
    if probe is None:
        return f"probe          {report['target']}  not asked"
    if not probe["ok"]:
        why = ending_with_step(probe["error"], ExitCode.ERROR)
        return f"probe          {probe['url']}  unreachable: {for_runtime(why)}"
    version = probe.get("version") or "?"
    result = f"reachable in {probe['ms']:g} ms, version {version}, {probe['capability']}"
    return f"probe          {probe['url']}  {result}"
