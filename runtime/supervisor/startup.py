"""Completes ``trunkline up``, including slow imports, while the zygote starts.

The configuration and the absence of another daemon are checked before anything is created.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping

from ipc.errors import EndpointError
from ipc.frames.words import EXIT_ERROR, EXIT_OK
from ipc.permissions import describe
from runtime.config.commands import for_runtime
from runtime.config.edit.first import write_first
from runtime.config.errors import ConfigError
from runtime.config.load import Loaded, Reader, load_effective
from runtime.config.places import Places
from runtime.config.variables import referenced
from runtime.supervisor.gateways.preflight import GatewayPreflight
from runtime.supervisor.instance import Instance, InstanceHeld, claim_sockets
from runtime.supervisor.options import Options, refuse
from runtime.supervisor.process_setup import EarlySignals, change_directory
from runtime.supervisor.processes import leftovers
from runtime.supervisor.processes.launcher import Launcher
from runtime.supervisor.processes.preloading import plan
from runtime.supervisor.systemd import Notifier
from runtime.zygote.client import Zygote
from runtime.zygote.prctl import set_subreaper


def start(
    options: Options,
    places: Places,
    environ: Mapping[str, str],
    *,
    run_id: str,
    zygote: Zygote,
    notifier: Notifier,
    early: EarlySignals,
) -> int:
    """Read the configuration, take the state directory and serve; return the exit code."""
    try:
        instance = Instance(places.state_dir, run_id)
        if not places.config_path.exists():
            instance.check()  # it would be a stray file beside the one that a daemon has read
            write_first(places)
            _print(options, f"Wrote a first configuration: {places.config_path}")

        preflight = GatewayPreflight()

        def read(text: str | None = None) -> Loaded:
            loaded = load_effective(places, environ, options.flags, text)
            preflight.check(loaded)
            return loaded

        loaded = read()
        if early.ending:
            return EXIT_OK
        with instance, claim_sockets(places, instance):
            change_directory(places.state_dir)  # a first start has just made it
            return _supervise(options, places, loaded, read, instance, zygote, notifier, early)
    except ConfigError as error:
        return refuse(str(error), error.exit_code)
    except (InstanceHeld, EndpointError) as error:
        return refuse(for_runtime(str(error), options.flags), EXIT_ERROR)
    except OSError as error:
        return refuse(describe(error), EXIT_ERROR)


def _supervise(
    options: Options,
    places: Places,
    loaded: Loaded,
    read: Reader,
    instance: Instance,
    zygote: Zygote,
    notifier: Notifier,
    early: EarlySignals,
) -> int:
    set_subreaper()
    for left in leftovers.sweep(f"{instance.runs}-", but=instance.run_id):
        _print(options, f"Ended what an earlier run had left: pid {left.pid} ({left.command})")
    launcher = Launcher(run_id=instance.run_id, zygote=zygote)
    launcher.withhold(referenced(loaded.raw))
    launcher.preload(plan(loaded.workers.values()).base)
    try:
        from ipc import plainlog  # noqa: F401 - before anything imports structlog
        from runtime.supervisor.daemon import serve

        return serve(
            options,
            places,
            loaded,
            read,
            instance=instance,
            launcher=launcher,
            notifier=notifier,
            early=early,
        )
    finally:
        launcher.close()


def _print(options: Options, text: str) -> None:
    if not options.quiet:
        with contextlib.suppress(OSError):  # a closed terminal is no reason not to start
            sys.stdout.write(f"{text}\n")
            sys.stdout.flush()
