"""``trunkline up``: from a command line to a running supervisor.

The order is for a fast start and for clear refusals: what can be wrong is looked at first,
then the zygote is started, and only then comes what is heavy to import, while the zygote
does its own imports at the same time.
"""

from __future__ import annotations

import contextlib
import os
import resource
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from runtime import leftovers, sdks
from runtime.config.errors import ConfigError
from runtime.config.first import write_first
from runtime.config.load import Loaded
from runtime.config.places import Flags, Places, load_effective, resolve
from runtime.instance import Instance, InstanceHeld
from runtime.notify import Notifier
from runtime.process import Launcher, become_subreaper

EXIT_ERROR = 1
EXIT_CONFIG = 78


@dataclass(frozen=True, slots=True)
class Options:
    """What ``trunkline up`` was told. ``flags`` are those that choose places, port and token."""

    flags: Flags
    version: str
    force: bool = False
    verbose: bool = False
    quiet: bool = False


def up(options: Options, environ: Mapping[str, str]) -> int:
    """Run the daemon in the foreground until it is stopped; return the exit code.

    0 after a stop, 1 when it cannot run (another one does, the port is taken), 78 when the
    configuration is wrong. Every refusal is one sentence on standard error.
    """
    try:
        places = resolve(environ, options.flags)
        if not places.config_path.exists():
            write_first(places)
            _say(options, f"Wrote a first configuration: {places.config_path}")

        def read() -> Loaded:
            return load_effective(places, environ, options.flags)

        loaded = read()
    except ConfigError as error:
        return _refuse(str(error), EXIT_CONFIG)
    except OSError as error:
        return _refuse(_words(error), EXIT_ERROR)
    try:
        with Instance(places.state_dir) as instance:
            return _supervise(options, places, loaded, read, instance)
    except InstanceHeld as error:
        return _refuse(str(error), EXIT_ERROR)
    except OSError as error:
        return _refuse(_words(error), EXIT_ERROR)


def _supervise(
    options: Options,
    places: Places,
    loaded: Loaded,
    read: Callable[[], Loaded],
    instance: Instance,
) -> int:
    notifier = Notifier.taken(os.environ)
    raise_file_limit()
    become_subreaper()
    for left in leftovers.sweep(f"{instance.runs}-"):
        _say(options, f"Ended what an earlier run had left: pid {left.pid} ({left.command})")
    launcher = Launcher(run_id=instance.run_id)
    launcher.start()
    launcher.preload(sdks.of(loaded))
    try:
        from ipc import plainlog  # noqa: F401 - before anything imports structlog
        from runtime.daemon import serve

        return serve(
            options,
            places,
            loaded,
            read,
            instance=instance,
            launcher=launcher,
            notifier=notifier,
        )
    finally:
        launcher.close()


def raise_file_limit() -> None:
    """Raise the soft limit of open files to the hard one: each child costs several."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _say(options: Options, text: str) -> None:
    if not options.quiet:
        with contextlib.suppress(OSError):  # nobody listens any more: no reason not to start
            sys.stdout.write(f"{text}\n")
            sys.stdout.flush()


def _words(error: OSError) -> str:
    text = error.strerror or str(error)
    return f"{error.filename}: {text}" if error.filename else text


def _refuse(text: str, code: int) -> int:
    sys.stderr.write(f"trunkline: {text}\n")
    return code
