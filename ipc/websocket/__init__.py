"""Serves WebSocket and connects to it; the hot path of clients.

websockets imports ``importlib.metadata``, which only its unreleased versions use, and with that
what reads mail, archives and tables: 7 ms and 1 MiB of every process. It gets an empty module.
"""

import sys
from types import ModuleType

_METADATA = "importlib.metadata"

if _METADATA not in sys.modules:
    sys.modules[_METADATA] = ModuleType(_METADATA)
    try:
        import websockets.version  # noqa: F401 - what comes later finds it imported
    finally:
        del sys.modules[_METADATA]
