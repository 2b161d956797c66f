"""Starts ``trunkline up``: first of all the zygote, whose imports take longest.

It is started as soon as the state directory is known. What may be wrong is checked while it is
busy, in ``startup``.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping

from ipc.frames.words import EXIT_CONFIG, EXIT_ERROR
from runtime.config.errors import ConfigError
from runtime.config.places import resolve
from runtime.supervisor.instance import Instance
from runtime.supervisor.options import Options, refuse, words
from runtime.supervisor.systemd import Notifier
from runtime.zygote.client import Zygote

OURS_ALONE = 0o077  # files that we and our children make are 0600, directories 0700


def up(options: Options, environ: Mapping[str, str]) -> int:
    """Run the daemon in the foreground until it is stopped; return the exit code.

    0 after a stop, 1 when it cannot run (another one does, the port is taken), 78 when the
    configuration is wrong. Every refusal is one sentence on standard error.
    """
    notifier = Notifier.taken(os.environ)  # first: it is not for our children
    raise_file_limit()
    os.umask(OURS_ALONE)
    try:
        places = resolve(environ, options.flags)
        instance = Instance(places.state_dir)
        zygote = Zygote(instance.run_id)
    except ConfigError as error:
        return refuse(str(error), EXIT_CONFIG)
    except OSError as error:
        return refuse(words(error), EXIT_ERROR)
    try:
        from runtime.supervisor.startup import start

        return start(options, places, environ, instance=instance, zygote=zygote, notifier=notifier)
    finally:
        zygote.end()


def raise_file_limit() -> None:
    """Raise the soft limit of open files to the hard one: each child costs several."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
