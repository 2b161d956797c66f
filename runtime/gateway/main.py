"""Runs the gateway's process, from its bootstrap object to its exit code."""

from __future__ import annotations

import asyncio
import gc
import resource
import signal
import socket
from collections.abc import Callable

import msgspec
import structlog

from ipc.frames.bootstrap import gateway_boot
from ipc.frames.words import EXIT_CONFIG, EXIT_ERROR, EXIT_OK
from ipc.record_limit import limiter
from ipc.websocket.young_slots import YoungSlots
from runtime.config.gateway_model import GatewayConfig
from runtime.config.http_model import CanvasHostConfig
from runtime.gateway.accounts.agent_entries import AgentEntries
from runtime.gateway.draining import drain
from runtime.gateway.gateway import Gateway
from workers.errors import Misconfigured

log = structlog.get_logger("gateway")

ReportCause = Callable[[str, str], None]

# What msgspec knows of a type it finds out with its first use. For those that every gateway is
# told that is here, before the fork: it takes 8 ms, and memory that is shared then.
for _told in (GatewayConfig, CanvasHostConfig, AgentEntries):
    msgspec.json.Decoder(_told)


async def main(payload: bytes, fds: dict[str, int], report_cause: ReportCause) -> int:
    """Serve until SIGTERM, drain, and return the exit code.

    ``fds["listen"]`` is the listening socket, ``fds["canvas"]`` that of the canvas host where it
    has a port of its own, ``fds["young"]`` what brings the slots of young connections.
    ``report_cause(cause, text)`` sends the supervisor
    the reason of an end without SIGTERM.
    """
    _raise_file_limit()
    limit_records()
    boot = gateway_boot(payload)
    slots = YoungSlots.inherit(fds["young"]) if "young" in fds else None
    listen = _listening(fds["listen"])
    canvas = _listening(fds["canvas"]) if "canvas" in fds else None
    ended = asyncio.Event()
    failures: list[tuple[str, bool]] = []

    def fail(why: str, final: bool) -> None:
        failures.append((why, final))
        ended.set()

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    try:
        async with asyncio.TaskGroup() as tasks:
            try:
                gateway = Gateway(boot, tasks, fail)
                await gateway.start(listen, canvas, slots)
            except (msgspec.ValidationError, Misconfigured) as error:
                report_cause("misconfigured", str(error))
                return EXIT_CONFIG
            gc.collect()
            gc.freeze()  # what is alive now stays so: the collector never needs to look at it again
            log.info("gateway up", incarnation=boot.incarnation, port=listen.getsockname()[1])
            await ended.wait()
            if failures:
                why, final = failures[0]
                log.error("the gateway cannot go on", reason=why)
                report_cause("misconfigured" if final else "failed", why)
                await gateway.close()
                return EXIT_CONFIG if final else EXIT_ERROR
            await drain(gateway)
            log.info("gateway down", incarnation=boot.incarnation)
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
        listen.close()
        if canvas is not None:
            canvas.close()
        if slots is not None:
            slots.close()
    return EXIT_OK


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
