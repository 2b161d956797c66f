"""Starts ``trunkline up``: first the zygote, whose imports take longest.

The zygote is started as soon as the state directory is known; everything else is checked
meanwhile, in ``startup``.
"""

from __future__ import annotations

import gc
import os
from collections.abc import MutableMapping
from dataclasses import replace

from ipc.frames.words import EXIT_CONFIG, EXIT_ERROR
from ipc.permissions import describe
from runtime.config.errors import ConfigError
from runtime.config.owner import resolve_as_owner
from runtime.config.places import PLACES, Flags, Places
from runtime.config.variables import GATEWAY_VARIABLES
from runtime.supervisor.options import Options, refuse
from runtime.supervisor.process_setup import (
    EarlySignals,
    absolute_places,
    change_directory,
    set_up,
)
from runtime.supervisor.run_id import new_run_id
from runtime.supervisor.systemd import Notifier
from runtime.zygote.client import Zygote
from runtime.zygote.prctl import forbid_inspection


def up(options: Options, environ: MutableMapping[str, str]) -> int:
    """Run the daemon in the foreground until it is stopped; return the exit code.

    0 after a stop, 1 if it cannot run (another daemon runs, the port is taken), 78 if the
    configuration is invalid. Every refusal is one sentence on standard error.
    """
    notifier = Notifier.from_environ(os.environ)  # first: it is not for our children
    gc.disable()  # until it serves: imports make hardly any garbage, and to look for it takes long
    try:
        with EarlySignals() as early:
            return _start(options, environ, notifier, early)
    finally:
        gc.enable()


def _with_absolute_paths(flags: Flags, places: Places) -> Flags:
    """Return the flags with absolute paths, because this process changes its directory."""
    return replace(
        flags,
        state_dir=places.state_dir if flags.state_dir else None,
        config_path=places.config_path if flags.config_path else None,
    )


def _start(
    options: Options, environ: MutableMapping[str, str], notifier: Notifier, early: EarlySignals
) -> int:
    try:
        set_up()
        forbid_inspection()
        places = resolve_as_owner(environ, options.flags)
        absolute_places(os.environ, PLACES)
        options = options._replace(flags=_with_absolute_paths(options.flags, places))
        change_directory(places.state_dir)
        run_id = new_run_id(places.state_dir)
        zygote = Zygote(run_id, GATEWAY_VARIABLES)
    except ConfigError as error:
        return refuse(str(error), EXIT_CONFIG)
    except OSError as error:
        return refuse(describe(error), EXIT_ERROR)
    try:
        from runtime.supervisor.startup import start

        return start(
            options,
            places,
            environ,
            run_id=run_id,
            zygote=zygote,
            notifier=notifier,
            early=early,
        )
    finally:
        zygote.end()
