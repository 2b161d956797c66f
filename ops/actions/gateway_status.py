"""Reports the state of a gateway: its process and, separately, whether it can be reached.

The supervisor knows the process; a probe shows whether a client can connect. The two may
differ, so a report has both, and where each was looked for.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ipc.errors import ConnectionFailed, IpcError
from ipc.websocket.reconnecting import ReconnectingClient
from ops.connect.gateway import GatewayAddress, address_at, address_of, connected_gateway
from ops.connect.places import places_of
from ops.connect.supervisor import connected_supervisor
from ops.connect.target import RuntimeTarget
from ops.exits import ExitCode, OperatorError
from runtime.config.places import Places
from runtime.supervisor.gateways.port import listening

PROBE_SECONDS = 5.0
NAMES = ("openclaw-gateway", "openclaw-gatewa", "gateway#")  # of processes; comm has 15 characters
QUESTIONS = ("health", "status", "system-presence", "config.get")  # those that a client asks first
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Checks:
    """The checks of a report: the connection, the answer to a call, other gateways."""

    probe: bool = True
    rpc: bool = False
    deep: bool = False


def gateway_report(target: RuntimeTarget, checks: Checks) -> Row:
    """Return a report about the gateway that ``target`` means.

    Raises ``OperatorError``, exit 3, if neither a supervisor nor the gateway answers.
    """
    return asyncio.run(_report(target, checks))


def exit_code(report: Row) -> ExitCode:
    """Return the exit code of a report: 1 if a required call failed."""
    return ExitCode.ERROR if report.get("rpc") and not report["rpc"]["ok"] else ExitCode.OK


def timed_answers(target: RuntimeTarget, timeout: float) -> tuple[GatewayAddress, Row]:
    """Send all ``QUESTIONS`` to the gateway at once; return its address and the response times.

    ``parts`` has for each question whether it was answered (``ok``), and ``ms``; the outer ``ok``
    is that of ``health``.
    """
    return asyncio.run(_timed_answers(target, timeout))


async def _report(target: RuntimeTarget, checks: Checks) -> Row:
    places, address = places_of(target), await address_of(target)
    row: Row = {}
    supervisor: Row | None = None
    absent: OperatorError | None = None
    if target.url is None:
        try:
            row, supervisor = await _ask_supervisor(places)
        except OperatorError as error:
            absent = error
    found = await _probe(address) if checks.probe or checks.rpc else None
    if absent is not None and not (found and found["ok"]):
        raise absent
    report = {
        **row,
        "supervisor": supervisor,
        "config": {"path": str(places.config_path), "exists": places.config_path.exists()},
        "target": address.url,
        "probe": found,
    }
    if checks.rpc:
        report["rpc"] = await _call_status(address)
    report["others"] = (
        _other_gateways(row.get("pid"), row.get("port")) if target.url is None else []
    )
    if checks.deep:
        for other in report["others"]:
            if other["url"]:
                other["probe"] = await _probe(address_at(other["url"], None))
    return report


async def _ask_supervisor(places: Places) -> tuple[Row, Row]:
    """Return the rows of the gateway and of the supervisor."""
    async with connected_supervisor(places) as client:
        status = await client.call("supervisor.status", {}, timeout=PROBE_SECONDS)
        row: Row = dict(status["gateway"])
        with suppress(IpcError):
            logs = await client.call("channels.logs", {"accounts": ["gateway"], "lines": 200})
            row["lastErrorLine"] = _last_error(logs["lines"])
    supervisor = status["supervisor"]
    return row, {"pid": supervisor["pid"], "version": supervisor["version"]}


def _last_error(lines: list[Row]) -> str | None:
    for line in reversed(lines):
        if line.get("level") in ("error", "critical"):
            return str(line.get("event") or line.get("text"))
    return None


async def _probe(address: GatewayAddress) -> Row:
    """Connect; return whether that succeeded, how long it took, and which server answered."""
    began = time.monotonic()
    try:
        async with connected_gateway(address, timeout=PROBE_SECONDS) as client:
            server = client.hello.get("server") or {}
            auth = client.hello.get("auth") or {}
            found: Row = {"ok": True, "version": server.get("version")}
            found |= {"protocol": client.protocol, "capability": _capability(auth)}
    except (OperatorError, IpcError, ConnectionFailed) as error:
        found = {"ok": False, "error": str(error)}
    return {"url": address.url, **found, "ms": _ms_since(began)}


def _capability(auth: Row) -> str:
    """Return the widest scope of the connection, in one word."""
    scopes = set(auth.get("scopes") or ())
    for scope in ("admin", "write", "read"):
        if f"operator.{scope}" in scopes:
            return scope
    return "connected"


async def _call_status(address: GatewayAddress) -> Row:
    try:
        async with connected_gateway(address, timeout=PROBE_SECONDS) as client:
            await client.call("status", {}, timeout=PROBE_SECONDS)
    except (OperatorError, IpcError) as error:
        return {"ok": False, "error": str(error)}
    return {"ok": True}


def _other_gateways(own: int | None, own_port: int | None) -> list[Row]:
    """Return the running gateways of other installations on this host that can be seen."""
    import psutil

    found = []
    for process in psutil.process_iter(["name"]):
        if process.pid == own or not str(process.info["name"]).startswith(NAMES):
            continue
        ports: list[int] = []
        try:
            sockets = process.net_connections(kind="tcp")
            ports = sorted({each.laddr.port for each in sockets if each.status == "LISTEN"})
        except psutil.AccessDenied:  # Trunkline's own hide their files
            with suppress(psutil.Error):
                ports = _ports_without_program(process.uids().real, own_port)
        except psutil.Error:
            continue
        url = f"ws://127.0.0.1:{ports[0]}" if ports else None
        found.append({"pid": process.pid, "name": process.info["name"], "url": url})
    return found


def _ports_without_program(user: int, own_port: int | None) -> list[int]:
    """Return the port on which a hidden program of ``user`` listens, if there is only one."""
    import psutil

    shown = {
        each.laddr.port
        for each in psutil.net_connections("tcp")
        if each.pid is not None and each.laddr
    }
    hidden = [port for port, of in listening() if of == user and port not in {*shown, own_port}]
    return sorted(set(hidden)) if len(set(hidden)) == 1 else []


async def _timed_answers(target: RuntimeTarget, timeout: float) -> tuple[GatewayAddress, Row]:
    address = await address_of(target)
    async with connected_gateway(address, timeout=timeout) as client:
        parts = await asyncio.gather(*(_timed(client, name, timeout) for name in QUESTIONS))
        server = client.hello.get("server") or {}
    answers = dict(zip(QUESTIONS, parts, strict=True))
    return address, {
        "ok": answers["health"]["ok"],
        "version": server.get("version"),
        "protocol": client.protocol,
        "parts": answers,
    }


async def _timed(client: ReconnectingClient, method: str, timeout: float) -> Row:
    began = time.monotonic()
    try:
        await client.call(method, {}, timeout=timeout)
        found: Row = {"ok": True}
    except IpcError as error:
        found = {"ok": False, "error": str(error)}
    return found | {"ms": _ms_since(began)}


def _ms_since(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 1)
