"""Runs the gateway's process, from its bootstrap object to its exit code."""

from __future__ import annotations

import asyncio
import gc
import resource
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog

from ipc.files import read_beginning
from ipc.frames.bootstrap import GatewayBoot, gateway_boot
from ipc.frames.words import EXIT_CONFIG, EXIT_ERROR, EXIT_OK
from ipc.record_limit import limiter
from ipc.websocket.young_slots import YoungSlots
from runtime.config.gateway_model import GatewayConfig
from runtime.config.http_model import CanvasHostConfig
from runtime.gateway.accounts.agent_entries import AgentEntries
from runtime.gateway.draining import drain
from runtime.gateway.gateway import Gateway
from runtime.gateway.journal.interface import FILE
from workers.errors import Misconfigured

log = structlog.get_logger("gateway")

ReportCause = Callable[[str, str], None]

# The header of an SQLite file, and in it PRAGMA user_version (sqlite.org/fileformat2.html, 1.3).
_MAGIC, _HEADER_BYTES, _VERSION = b"SQLite format 3\0", 100, slice(60, 64)

# msgspec inspects a type at its first use. The types that every gateway reads at its start are
# used here, before the fork: it takes 8 ms, and memory that is shared then.
for _type in (GatewayConfig, CanvasHostConfig, AgentEntries):
    msgspec.json.Decoder(_type)


async def main(payload: bytes, fds: dict[str, int], report_cause: ReportCause) -> int:
    """Serve until SIGTERM, drain, and return the exit code.

    ``fds["listen"]`` is the listening socket, ``fds["canvas"]`` that of the canvas host where it
    has a port of its own, ``fds["young"]`` what brings the slots of young connections.
    ``report_cause(cause, text)`` sends the supervisor the reason of an end without SIGTERM.
    """
    _raise_file_limit()
    limit_records()
    boot = gateway_boot(payload)
    slots = YoungSlots.inherit(fds["young"]) if "young" in fds else None
    listen = _listening(fds["listen"])
    canvas = _listening(fds["canvas"]) if "canvas" in fds else None
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    try:
        return await _serve(boot, listen, canvas, slots, ended, report_cause)
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
        listen.close()
        if canvas is not None:
            canvas.close()
        if slots is not None:
            slots.close()


async def _serve(
    boot: GatewayBoot,
    listen: socket.socket,
    canvas: socket.socket | None,
    slots: YoungSlots | None,
    ended: asyncio.Event,
    report_cause: ReportCause,
) -> int:
    """Run a gateway until ``ended`` is set or it fails; return the exit code."""
    failures: list[tuple[str, bool]] = []

    def fail(why: str, final: bool) -> None:
        failures.append((why, final))
        ended.set()

    async with asyncio.TaskGroup() as tasks:
        try:
            _check_journal(Path(boot.state_dir) / FILE)
            gateway = Gateway(boot, tasks, fail)
            await gateway.start(listen, canvas, slots)
        except (msgspec.ValidationError, Misconfigured) as error:
            report_cause("misconfigured", str(error))
            return EXIT_CONFIG
        gc.collect()
        gc.freeze()  # what is alive now stays so: the collector never needs to look at it again
        log.info("gateway up", incarnation=boot.incarnation, port=listen.getsockname()[1])
        await ended.wait()
        return await _end(gateway, failures, report_cause)


async def _end(
    gateway: Gateway, failures: list[tuple[str, bool]], report_cause: ReportCause
) -> int:
    """End a gateway, at once if it has failed; return the exit code."""
    if failures:
        why, final = failures[0]
        log.error("the gateway must end", reason=why)
        report_cause("misconfigured" if final else "failed", why)
        await gateway.close()
        return EXIT_CONFIG if final else EXIT_ERROR
    await drain(gateway)
    log.info("gateway down", incarnation=gateway.parts.boot.incarnation)
    return EXIT_OK


def _check_journal(path: Path) -> None:
    """Raise ``Misconfigured`` if a newer Trunkline has written the journal.

    It is opened later, when the first account needs it; until then the gateway would serve, and
    `up --detach` report success. A version that is still in the write-ahead log, because the newer
    daemon was killed, is found at that time.
    """
    try:
        header = read_beginning(path, _HEADER_BYTES)
    except OSError:
        return  # reported by the writer, if an account needs it
    if not header.startswith(_MAGIC):
        return
    version = int.from_bytes(header[_VERSION], "big")
    from runtime.gateway.journal import schema  # late: without a journal it is not needed

    if version > schema.VERSION:
        raise Misconfigured(schema.describe_newer(path, version))


def _listening(fd: int) -> socket.socket:
    sock = socket.socket(fileno=fd)
    sock.setblocking(False)
    return sock


def limit_records() -> None:
    """Limit the records of each kind: a client can cause as many of them as it likes."""
    processors = structlog.get_config()["processors"]
    structlog.configure(processors=[limiter(structlog.DropEvent), *processors])


def _raise_file_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
