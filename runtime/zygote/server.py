"""Runs the zygote: a process that has imported what workers share, and forks them on request.

It is a separate process so that a fork is cheap and clean: no threads, no ZeroMQ context, no
event loop, no secrets. It forks twice, so that each child is orphaned at once and adopted by the
supervisor (a child subreaper, prctl(2)); the child then ties its life to the supervisor's by
PR_SET_PDEATHSIG. So when this process dies its children live on, and when the supervisor dies
all of them end. This process outlives them: it ends what they had started and left behind, which
no parent-death signal reaches.

Every child depends on what it imports. So a channel's plugin is imported by a zygote of that
channel only (``channel``), which is forked from this one.

This module must import fast and little: it is the first thing a new zygote runs.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import socket
import sys
from typing import NoReturn

from runtime.zygote.channel import serve_channel
from runtime.zygote.child import run_pickled
from runtime.zygote.environment import forget
from runtime.zygote.forking import answer_fork, receive
from runtime.zygote.prctl import die_with, forbid_inspection, set_name, survive_parent
from runtime.zygote.sharing import share

# What workers and the gateway share. Each module is preloaded on its own: one that cannot be
# imported spoils only those that need it.
BASE = ("uvloop", "zmq", "orjson", "msgspec", "ipc.plainlog", "runtime.zygote.lean_aiomultiprocess")
# The last is where the class of the pickled process object lives: imported in each child it
# would cost every one of them 2.6 MiB and some milliseconds.
OURS = ("workers.process.worker", "runtime.gateway.main", "runtime.zygote.forked")

# The module with ``end_run``: what is done when the supervisor has died.
SWEEPER = "runtime.supervisor.processes.leftovers"


def main(fd: int, supervisor: int) -> None:
    """Serve requests on the socket ``fd`` until the supervisor closes its end or ends.

    A request is one message of JSON: ``preload`` with ``modules`` or ``forget`` with the
    ``names`` of variables, which have no answer, or ``spawn`` with ``name``, ``env`` and the
    names of its ``fds``, which come along as descriptors. ``channel`` is a ``spawn`` of the zygote
    of a channel, which imports ``modules``. The answer is a pid of 8 bytes, or text that says
    why there is no process.
    """
    forbid_inspection()  # of its forks too: what starts them comes through descriptors it is sent
    os.setsid()  # Ctrl-C is for the supervisor
    die_with(supervisor)
    set_name(b"tl zygote")
    requests = socket.socket(fileno=fd)
    requests.set_inheritable(False)
    gc.disable()  # until ``share``: imports make hardly any garbage, and to look for it takes long
    _preload([*BASE, *OURS, SWEEPER])
    shared = False
    while True:
        # Here it cannot hang, and learns of the supervisor's death by the end of its socket.
        survive_parent()
        message, fds = receive(requests)
        if not message:
            _end_run()
        request = json.loads(message)
        if request["kind"] == "preload":
            die_with(supervisor)  # an import may take for ever
            _preload(request["modules"])
            shared = False
            continue
        if request["kind"] == "forget":
            forget(request["names"])
            continue
        if not shared:  # once for all that is imported at the start, which takes milliseconds
            share()
            shared = True
        run = serve_channel if request["kind"] == "channel" else run_pickled
        answer_fork(requests, request, fds, supervisor, run)


def _end_run() -> NoReturn:
    """End all remaining processes of this run, whose supervisor has died, and this process."""
    try:
        importlib.import_module(SWEEPER).end_run(os.environ["TRUNKLINE_RUN_ID"])
    finally:
        os._exit(0)


def _preload(modules: list[str]) -> None:
    """Import modules for all later children; report and skip one that fails."""
    for module in modules:
        try:
            importlib.import_module(module)
        except BaseException as error:  # noqa: BLE001 - an SDK may raise anything, SystemExit too
            sys.stderr.write(f"zygote: {module} is not preloaded: {error!r}\n")
