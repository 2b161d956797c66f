"""Imports aiomultiprocess without managers of objects that processes share.

aiomultiprocess names the class of a manager in one annotation, and imports for it what serves
objects over sockets, pools of threads and shared memory: 3 ms of the zygote's start, and 0.5 MiB of
the zygote and of the supervisor. No object is shared that way here. ``multiprocessing`` imports
managers itself when one is made.
"""

from __future__ import annotations

from ipc.lean_import import lean_import

with lean_import("multiprocessing.managers"):
    import aiomultiprocess.core  # noqa: F401 - what comes later finds it imported

from aiomultiprocess.core import Process as Process
from aiomultiprocess.types import Unit as Unit
