"""The supervisor's event loop: signals in, exit code out, and what a person sees meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, TextIO

import structlog
import uvloop

from ipc.errors import EndpointError
from ipc.frames.words import EXIT_CONFIG, EXIT_ERROR
from runtime.config.errors import ConfigError
from runtime.config.load import Loaded, Reader
from runtime.config.places import Places
from runtime.supervisor.gateways.port import PortUnusable, address
from runtime.supervisor.instance import Instance
from runtime.supervisor.logs.store import LogStore
from runtime.supervisor.logs.structured import configure
from runtime.supervisor.notify import Notifier
from runtime.supervisor.processes.launcher import Launcher
from runtime.supervisor.processes.limits import enable_groups
from runtime.supervisor.service import summary, tell
from runtime.supervisor.supervisor import Setting, Supervisor
from runtime.supervisor.trouble import tell_trouble

if TYPE_CHECKING:
    from runtime.supervisor.options import Options


log = structlog.get_logger("supervisor")


def serve(
    options: Options,
    places: Places,
    loaded: Loaded,
    read: Reader,
    *,
    instance: Instance,
    launcher: Launcher,
    notifier: Notifier,
) -> int:
    """Run a supervisor until it is stopped; return the exit code."""
    gc.freeze()  # what has been imported lives for ever: never look at it
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(options, places, loaded, read, instance, launcher, notifier))


async def _serve(
    options: Options,
    places: Places,
    loaded: Loaded,
    read: Reader,
    instance: Instance,
    launcher: Launcher,
    notifier: Notifier,
) -> int:
    gateway = loaded.config.gateway
    places.link_run_dir()
    logs = LogStore(places.log_dir, loaded.config.logging)
    configure(logs.add, level=loaded.config.logging.level, to_stderr=options.verbose)
    setting = Setting(
        version=options.version(),
        host=address(gateway.bind),
        port=gateway.port,
        load=read,
        force=options.force,
    )
    enable_groups(launcher)
    supervisor = Supervisor(
        loaded, places, setting, instance=instance, launcher=launcher, logs=logs
    )
    supervisor.notifier = notifier
    logs.subscribe(supervisor.local.log_line)
    _on_signals(supervisor)
    beside = [
        asyncio.create_task(tell(supervisor)),
        asyncio.create_task(tell_trouble(supervisor.front, _complain)),
    ]
    try:
        return await supervisor.run(lambda: _announce(options, supervisor))
    except ConfigError as error:
        _say(sys.stderr, f"trunkline: {error}\n")
        return EXIT_CONFIG
    except (PortUnusable, EndpointError) as error:
        _say(sys.stderr, f"trunkline: {error}\n")
        return EXIT_ERROR
    finally:
        for task in beside:
            task.cancel()
        logs.close()


def _on_signals(supervisor: Supervisor) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_stray)
    for number in (signal.SIGINT, signal.SIGTERM):
        name = signal.Signals(number).name
        loop.add_signal_handler(number, supervisor.request_stop, name)
    loop.add_signal_handler(signal.SIGUSR1, _restart_gateway, supervisor)
    loop.add_signal_handler(signal.SIGHUP, _reload, supervisor)


def _stray(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what nobody caught; the daemon goes on."""
    error = context.get("exception")
    log.error(context.get("message") or "error on the loop", exc_info=error)


def _restart_gateway(supervisor: Supervisor) -> None:
    try:
        if not supervisor.stopping:
            supervisor.front.restart()
    except PortUnusable as error:
        _say(sys.stderr, f"trunkline: {error}\n")


def _reload(supervisor: Supervisor) -> None:
    supervisor.read_again(refused=lambda text: _say(sys.stderr, f"trunkline: {text}\n"))


def _say(stream: TextIO, text: str) -> None:
    """Tell a person, who may have closed the terminal: that is no reason to end."""
    with contextlib.suppress(OSError, ValueError):
        stream.write(text)
        stream.flush()


def _complain(text: str) -> None:
    _say(sys.stderr, "".join(f"trunkline: {line}\n" for line in text.splitlines()))


def _announce(options: Options, supervisor: Supervisor) -> None:
    log.info("up", pid=os.getpid(), url=supervisor.front.url)
    supervisor.notifier.ready(summary(supervisor))
    if options.quiet:
        return
    first = next(iter(supervisor.accounts), None)
    chat = (
        f"trunkline chat {first}" if first and first.startswith("local:") else "trunkline logs -f"
    )
    _say(
        sys.stdout,
        f"""Trunkline {supervisor.version} is up.
  gateway         {supervisor.front.url}
  configuration   {supervisor.places.config_path}
  state           {supervisor.places.state_dir}
Try, in another terminal:
  {chat}
  trunkline watch
  trunkline status
{"`trunkline down`" if options.detached else "Ctrl-C"} ends it.
""",
    )
