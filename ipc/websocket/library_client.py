"""Imports the client of websockets without what it would import to find proxies.

That is ``urllib.request``, and with it what speaks HTTP and reads mail: 8 ms and 1 MiB of every
supervisor and every command, and none of our connections uses a proxy. Another package in the
same process may: it is imported when it is needed.
"""

from __future__ import annotations

import sys
import urllib
from importlib import import_module
from types import ModuleType
from typing import Any

_REQUEST = "urllib.request"


class _Late(ModuleType):
    """A module that is imported when an attribute of it is first used."""

    def __getattr__(self, name: str) -> Any:
        return getattr(import_module(self.__name__), name)


if _REQUEST in sys.modules:
    import websockets.proxy
else:
    # The import system finds the entry of sys.modules, websockets later the package's attribute:
    # an import of the real module by anything replaces that.
    sys.modules[_REQUEST] = _Late(_REQUEST)
    try:
        import websockets.proxy  # noqa: F401 - what comes later finds it imported
    finally:
        urllib.request = sys.modules.pop(_REQUEST)

from websockets.asyncio.client import ClientConnection as ClientConnection  # noqa: E402
from websockets.asyncio.client import connect as connect  # noqa: E402
from websockets.asyncio.client import unix_connect as unix_connect  # noqa: E402
