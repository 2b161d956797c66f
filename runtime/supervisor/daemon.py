"""Runs the supervisor's event loop: handles signals, prints problems, returns the exit code.

The service manager gets a sign of life and one line of status. On the terminal it prints that the
daemon is up, and why the gateway does not start: the accounts run meanwhile and messages wait, so
nothing else would show it.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TextIO

import structlog
import uvloop

from ipc.errors import EndpointError
from ipc.frames.words import EXIT_CONFIG, EXIT_ERROR, Phase
from runtime.config.commands import for_runtime
from runtime.config.errors import ConfigError
from runtime.config.load import Loaded, Reader
from runtime.config.places import Places
from runtime.supervisor.assembly import Setting
from runtime.supervisor.background import run_optional
from runtime.supervisor.gateways.managed import ManagedGateway
from runtime.supervisor.gateways.port import PortUnusable, address
from runtime.supervisor.instance import Instance
from runtime.supervisor.logs.store import LogStore
from runtime.supervisor.logs.structured import configure
from runtime.supervisor.options import Options
from runtime.supervisor.parts import Parts
from runtime.supervisor.process_setup import EarlySignals, hangup_ends
from runtime.supervisor.processes.launcher import Launcher
from runtime.supervisor.processes.limits import enable_groups
from runtime.supervisor.reload import reread_soon
from runtime.supervisor.status import summary
from runtime.supervisor.supervisor import Supervisor
from runtime.supervisor.systemd import Notifier

PACE = 1.0  # seconds: faster changes are reported to the service manager once
REPORTED_FAILURES = 2  # in a row: one alone is over before it is read

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
    early: EarlySignals,
) -> int:
    """Run a supervisor until it is stopped; return the exit code."""
    gc.freeze()  # what has been imported lives for ever: never look at it
    gc.enable()  # from here on: see ``runtime.supervisor.main``

    async def run() -> int:
        with contextlib.suppress(OSError):  # a full disk: ``OwnFiles`` makes it once there is room
            places.link_run_dir()
        logs = LogStore(places.log_dir, loaded.config.logging)
        configure(logs.add, level=loaded.config.logging.level, to_stderr=options.verbose)
        enable_groups(launcher)
        launcher.reap_strangers()
        setting = _setting(options, places, loaded, read, notifier)
        try:
            supervisor = Supervisor(
                loaded, places, setting, instance=instance, launcher=launcher, logs=logs
            )
            return await _run(options, supervisor, early)
        finally:
            early.end()
            logs.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run())


def _setting(
    options: Options, places: Places, loaded: Loaded, read: Reader, notifier: Notifier
) -> Setting:
    gateway = loaded.config.gateway
    return Setting(
        version=options.version(),
        host=address(gateway.bind),
        port=gateway.port,
        read=read,
        force=options.force,
        output=places.output if options.detached else None,
        notifier=notifier,
    )


async def _run(options: Options, supervisor: Supervisor, early: EarlySignals) -> int:
    parts = supervisor.parts
    ending = hangup_ends(detached=options.detached, ignored=early.hangup_ignored)
    _on_signals(parts, hangup_ends=ending)
    early.replay()

    def write_error(text: str) -> None:
        _write_error(for_runtime(text, options.flags))

    helpers = {"reporting a failed start": partial(report_failed_start, parts.gateway, write_error)}
    if parts.notifier.wanted:
        helpers["reporting to the service manager"] = partial(report_to_service_manager, parts)
    beside = [asyncio.create_task(_run_beside(parts, name, work)) for name, work in helpers.items()]
    try:
        return await supervisor.run(lambda: _announce(options, parts))
    except ConfigError as error:
        write_error(str(error))
        return EXIT_CONFIG
    except (PortUnusable, EndpointError) as error:
        write_error(str(error))
        return EXIT_ERROR
    finally:
        for task in beside:
            task.cancel()


async def _run_beside(parts: Parts, name: str, work: Callable[[], Awaitable[object]]) -> None:
    """Run ``work()`` beside the supervisor; log its exception.

    It is called only here: a task that is cancelled before it runs would leave a coroutine that
    nothing awaits.
    """
    await run_optional(name, parts.background.run_permanent(name, work()))


def _on_signals(parts: Parts, *, hangup_ends: bool) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_log_stray)
    loop.add_signal_handler(signal.SIGHUP, _reload, parts)
    hangup = (signal.SIGHUP,) if hangup_ends else ()
    for number in (signal.SIGINT, signal.SIGTERM, *hangup):
        loop.add_signal_handler(number, parts.shutdown.request, signal.Signals(number).name)
    loop.add_signal_handler(signal.SIGUSR1, _restart_gateway, parts)


def _log_stray(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log an exception that nothing caught; the daemon keeps running."""
    error = context.get("exception")
    log.error(context.get("message") or "error on the loop", exc_info=error)


def _reload(parts: Parts) -> None:
    parts.files.reopen()  # as programs that rotate logs expect of this signal
    reread_soon(parts, refused=_write_error)


def _restart_gateway(parts: Parts) -> None:
    try:
        if not parts.shutdown.begun:
            parts.gateway.restart()
    except PortUnusable as error:
        _write_error(str(error))


async def report_to_service_manager(parts: Parts) -> None:
    """Send a sign of life and the status until cancelled.

    It runs on the supervisor's loop: when that hangs, so does this.
    """
    notifier = parts.notifier
    if not notifier.wanted:
        return
    pace = min(PACE, notifier.watchdog or PACE)
    while True:
        notifier.ping()
        if not parts.shutdown.begun:
            notifier.send_status(summary(parts))
        await asyncio.sleep(pace)


async def report_failed_start(gateway: ManagedGateway, say: Callable[[str], None]) -> None:
    """Print the reasons why the gateway does not start, each once, until cancelled."""
    said: str | None = None
    while True:
        await gateway.until(partial(_is_new, gateway, said), None)
        said = None if gateway.connected else _why_not_started(gateway)
        if said is not None:
            say(said)


def _is_new(gateway: ManagedGateway, said: str | None) -> bool:
    """Return whether there is a problem not printed yet, or the printed one is over."""
    if gateway.connected:
        return said is not None
    return _why_not_started(gateway) not in (None, said)


def _why_not_started(gateway: ManagedGateway) -> str | None:
    state = gateway.child.state
    why = gateway.status().last_error or state.cause
    if state.phase is Phase.FAILED:
        return (
            f"the gateway does not start: {why}\n"
            "It is not tried again by itself: correct the configuration (it is then started),"
            " or `trunkline gateway start`. The accounts run without it."
        )
    if state.phase is Phase.BACKOFF and state.failures >= REPORTED_FAILURES:
        return f"the gateway does not start: {why}\nIt is tried again. The accounts run without it."
    return None


def _announce(options: Options, parts: Parts) -> None:
    log.info("up", pid=os.getpid(), url=parts.gateway.url)
    parts.notifier.send_ready(summary(parts))
    if options.quiet:
        return
    first = next(iter(parts.accounts), None)
    chat = (
        f"trunkline chat {first}" if first and first.startswith("local:") else "trunkline logs -f"
    )
    text = f"""Trunkline {parts.about.version} is up.
  gateway         {parts.gateway.url}
  configuration   {parts.places.config_path}
  state           {parts.places.state_dir}
Try, in another terminal:
  {chat}
  trunkline watch
  trunkline status
{"`trunkline down`" if options.detached else "Ctrl-C"} ends it.
"""
    _write(sys.stdout, for_runtime(text, options.flags))


def _write_error(text: str) -> None:
    """Write to standard error."""
    _write(sys.stderr, "".join(f"trunkline: {line}\n" for line in text.splitlines()))


def _write(stream: TextIO, text: str) -> None:
    """Write text for a person; a closed terminal is ignored."""
    with contextlib.suppress(OSError, ValueError):
        stream.write(text)
        stream.flush()
