"""Imports aiomultiprocess without managers of objects that processes share.

aiomultiprocess names the class of a manager in one annotation, and imports for it what serves
objects over sockets, pools of threads and shared memory: 3 ms of the zygote's start, and 0.5 MiB of
the zygote and of the supervisor. No object is shared that way here. ``multiprocessing`` imports
managers itself when one is made.
"""

from __future__ import annotations

import multiprocessing
import sys
from types import ModuleType

_MANAGERS = "multiprocessing.managers"

if _MANAGERS not in sys.modules:
    _stand_in = ModuleType(_MANAGERS)
    _stand_in.SyncManager = object  # type: ignore[attr-defined]  # all that is asked of it
    sys.modules[_MANAGERS] = multiprocessing.managers = _stand_in
    try:
        import aiomultiprocess.core  # noqa: F401 - what comes later finds it imported
    finally:
        del sys.modules[_MANAGERS], multiprocessing.managers

from aiomultiprocess.core import Process as Process  # noqa: E402
from aiomultiprocess.types import Unit as Unit  # noqa: E402
