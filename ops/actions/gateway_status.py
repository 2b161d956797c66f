"""What ``gateway status`` knows: the process, apart from whether it can be reached, and by whom.

The supervisor says how the process is; a probe says whether a client gets in; the two may
differ, and both are shown with where they were looked for.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ipc.errors import ConnectionFailed, IpcError
from ops.connect import gateway as gateways
from ops.connect import supervisor as clients
from ops.exits import Exit, OperatorError

if TYPE_CHECKING:
    from ops.connect.address import Gateway
    from runtime.config.places import Places

PROBE_SECONDS = 5.0
NAMES = ("openclaw-gateway", "openclaw-gatewa", "gateway#")  # of processes; comm has 15 characters
Row = dict[str, Any]


async def report(
    places: Places, target: Gateway, *, local: bool, probed: bool, rpc: bool, deep: bool
) -> Row:
    """Return everything. ``local`` asks this host's supervisor too; raises exit 3 when neither
    it nor the gateway is there.
    """
    row: Row = {}
    supervisor: Row | None = None
    absent: OperatorError | None = None
    if local:
        try:
            row, supervisor = await _supervised(places)
        except OperatorError as error:
            absent = error
    found = await probe(target) if probed or rpc else None
    if absent is not None and not (found and found["ok"]):
        raise absent
    answer = {
        **row,
        "supervisor": supervisor,
        "config": {"path": str(places.config_path), "exists": places.config_path.exists()},
        "target": target.url,
        "probe": found,
    }
    if rpc:
        answer["rpc"] = await _rpc(target)
    answer["others"] = others(row.get("pid")) if local else []
    if deep:
        for other in answer["others"]:
            if other["url"]:
                other["probe"] = await probe(gateways.elsewhere(other["url"], None))
    return answer


async def _supervised(places: Places) -> tuple[Row, Row]:
    async with clients.supervisor(places) as client:
        status = await client.call("supervisor.status", {}, timeout=PROBE_SECONDS)
        row: Row = dict(status["gateway"])
        with suppress(IpcError):
            logs = await client.call("channels.logs", {"accounts": ["gateway"], "lines": 200})
            row["lastErrorLine"] = _last_error(logs["lines"])
    told = status["supervisor"]
    return row, {"pid": told["pid"], "version": told["version"]}


def _last_error(lines: list[Row]) -> str | None:
    for line in reversed(lines):
        if line.get("level") in ("error", "critical"):
            return str(line.get("event") or line.get("text"))
    return None


async def probe(target: Gateway) -> Row:
    """Connect and say hello; return whether that works, how long it took, and who answered."""
    began = time.monotonic()
    try:
        async with clients.gateway(target, timeout=PROBE_SECONDS) as client:
            server = client.hello.get("server") or {}
            auth = client.hello.get("auth") or {}
            found: Row = {"ok": True, "version": server.get("version")}
            found |= {"protocol": client.protocol, "capability": _capability(auth)}
    except (OperatorError, IpcError, ConnectionFailed) as error:
        found = {"ok": False, "error": str(error)}
    return {"url": target.url, **found, "ms": round((time.monotonic() - began) * 1000, 1)}


def _capability(auth: Row) -> str:
    """Say in one word what the connection may do."""
    scopes = set(auth.get("scopes") or ())
    for scope in ("admin", "write", "read"):
        if f"operator.{scope}" in scopes:
            return scope
    return "connected"


async def _rpc(target: Gateway) -> Row:
    try:
        async with clients.gateway(target, timeout=PROBE_SECONDS) as client:
            await client.call("status", {}, timeout=PROBE_SECONDS)
    except (OperatorError, IpcError) as error:
        return {"ok": False, "error": str(error)}
    return {"ok": True}


def others(own: int | None) -> list[Row]:
    """Return the gateways of other installations that run on this host, as far as we may look."""
    import psutil

    found = []
    for process in psutil.process_iter(["name"]):
        if process.pid == own or not str(process.info["name"]).startswith(NAMES):
            continue
        ports: list[int] = []
        with suppress(psutil.Error):
            listening = process.net_connections(kind="tcp")
            ports = sorted({each.laddr.port for each in listening if each.status == "LISTEN"})
        url = f"ws://127.0.0.1:{ports[0]}" if ports else None
        found.append({"pid": process.pid, "name": process.info["name"], "url": url})
    return found


def sentence(answer: Row) -> list[str]:
    """Return the lines for people that follow the one about the process."""
    lines = [f"configuration  {answer['config']['path']}"]
    if not answer["config"]["exists"]:
        lines[0] += "  (does not exist)"
    found = answer["probe"]
    if found is None:
        lines.append(f"probe          {answer['target']}  not asked")
    elif found["ok"]:
        version = found.get("version") or "?"
        what = f"reachable in {found['ms']:g} ms, version {version}, {found['capability']}"
        lines.append(f"probe          {found['url']}  {what}")
    else:
        lines.append(f"probe          {found['url']}  unreachable: {found['error']}")
    if answer.get("rpc") and not answer["rpc"]["ok"]:
        lines.append(f"rpc            failed: {answer['rpc']['error']}")
    if answer.get("lastErrorLine"):
        lines.append(f"last error     {answer['lastErrorLine']}")
    for other in answer["others"]:
        reached = other.get("probe")
        tail = "" if reached is None else ("  reachable" if reached["ok"] else "  unreachable")
        where = other["url"] or "port unknown"
        lines.append(
            f"warning        another gateway runs: {other['name']} pid {other['pid']} {where}{tail}"
        )
    return lines


def exit_code(answer: Row) -> Exit:
    """Return the exit code: what was required and failed is an error."""
    return Exit.ERROR if answer.get("rpc") and not answer["rpc"]["ok"] else Exit.OK
