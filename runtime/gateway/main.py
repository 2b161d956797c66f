"""The gateway's process: from its bootstrap object to its exit code."""

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
from ipc.frames.words import EXIT_CONFIG, EXIT_OK
from runtime.gateway.draining import drain
from runtime.gateway.gateway import Gateway
from workers.errors import Misconfigured

log = structlog.get_logger("gateway")

Say = Callable[[str, str], None]


async def main(payload: bytes, fds: dict[str, int], say: Say) -> int:
    """Serve until SIGTERM, then drain. ``fds["listen"]`` is the listening socket.

    ``say(cause, text)`` tells the supervisor why, when it is not SIGTERM.
    """
    _raise_file_limit()
    boot = gateway_boot(payload)
    listen = socket.socket(fileno=fds["listen"])
    listen.setblocking(False)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    try:
        async with asyncio.TaskGroup() as tasks:
            try:
                gateway = Gateway(boot, tasks)
                await gateway.start(listen)
            except (msgspec.ValidationError, Misconfigured) as error:
                say("misconfigured", str(error))
                return EXIT_CONFIG
            gc.collect()
            gc.freeze()  # what lives now lives for ever: never look at it again
            log.info("gateway up", incarnation=boot.incarnation, port=listen.getsockname()[1])
            await ended.wait()
            await drain(gateway)
            log.info("gateway down", incarnation=boot.incarnation)
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
        listen.close()
    return EXIT_OK


def _raise_file_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
