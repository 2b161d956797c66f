"""The supervisor's event loop: signals in, exit code out, and what a person sees meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog
import uvloop

from ipc.errors import EndpointError, RemoteError
from runtime.config.load import Loaded
from runtime.config.places import Places
from runtime.instance import Instance
from runtime.logs import LogStore, configure
from runtime.port import PortUnusable, address
from runtime.process import Launcher
from runtime.supervisor import Setting, Supervisor

if TYPE_CHECKING:
    from runtime.main import Options

EXIT_ERROR = 1

log = structlog.get_logger("supervisor")


def serve(
    options: Options,
    places: Places,
    loaded: Loaded,
    read: Callable[[], Loaded],
    *,
    instance: Instance,
    launcher: Launcher,
) -> int:
    """Run a supervisor until it is stopped; return the exit code."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(options, places, loaded, read, instance, launcher))


async def _serve(
    options: Options,
    places: Places,
    loaded: Loaded,
    read: Callable[[], Loaded],
    instance: Instance,
    launcher: Launcher,
) -> int:
    gateway = loaded.config.gateway
    places.record()
    logs = LogStore(places.log_dir, loaded.config.logging)
    configure(logs, level=loaded.config.logging.level, to_stderr=options.verbose)
    setting = Setting(
        version=options.version,
        host=address(gateway.bind),
        port=gateway.port,
        load=read,
        force=options.force,
    )
    supervisor = Supervisor(
        loaded, places, setting, instance=instance, launcher=launcher, logs=logs
    )
    logs.subscribe(supervisor.local.log_line)
    _on_signals(supervisor)
    try:
        return await supervisor.run(lambda: _announce(options, supervisor))
    except (PortUnusable, EndpointError) as error:
        sys.stderr.write(f"trunkline: {error}\n")
        return EXIT_ERROR
    finally:
        logs.close()


def _on_signals(supervisor: Supervisor) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        name = signal.Signals(number).name
        loop.add_signal_handler(number, supervisor.request_stop, name)
    loop.add_signal_handler(signal.SIGUSR1, supervisor.front.restart)
    loop.add_signal_handler(signal.SIGHUP, _reload, supervisor)


def _reload(supervisor: Supervisor) -> None:
    try:
        supervisor.reload()
    except RemoteError as error:
        sys.stderr.write(f"trunkline: {error.message}\n")


def _announce(options: Options, supervisor: Supervisor) -> None:
    log.info("up", pid=os.getpid(), url=supervisor.front.url)
    if options.quiet:
        return
    first = next(iter(supervisor.accounts), None)
    chat = (
        f"trunkline chat {first}" if first and first.startswith("local:") else "trunkline logs -f"
    )
    sys.stdout.write(
        f"""Trunkline {supervisor.version} is up.
  gateway         {supervisor.front.url}
  configuration   {supervisor.places.config_path}
  state           {supervisor.places.state_dir}
Try, in another terminal:
  {chat}
  trunkline watch
  trunkline status
Ctrl-C ends it.
"""
    )
    sys.stdout.flush()
