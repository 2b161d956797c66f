"""Imports aiohttp's server without the modules for its client and command line.

While it is imported, aiohttp reads every certificate that this system trusts and every type of file
that it knows, and imports what finds proxies and what parses command lines: 40 ms, and 2 MiB of a
gateway's 28, which hardly ever needs any of it. So what it keeps for its own requests here trusts
nobody, and ``trusting`` returns what such a request is to bring. What finds proxies is imported
when one is looked for, and types are read when one is asked for. In the gateway's process this is
imported before anything else imports aiohttp.
"""

from __future__ import annotations

import mimetypes
import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any


def trusting() -> ssl.SSLContext:
    """Return an SSL context for clients with this system's trusted certificates. Reads files."""
    return ssl.create_default_context()


def _trusting_nobody(*_: Any, **__: Any) -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _late(module: str, name: str) -> Callable[..., Any]:
    """Return a substitute for a module's function, which imports the module when called first."""

    def call(*args: Any, **kwargs: Any) -> Any:
        return getattr(import_module(module), name)(*args, **kwargs)

    return call


@contextmanager
def _standing_in(modules: dict[str, tuple[str, ...]]) -> Iterator[None]:
    """Replace modules not imported yet with stand-ins that have only these functions."""
    missing = modules.keys() - sys.modules.keys()
    for module in missing:
        stand_in = ModuleType(module)
        for name in modules[module]:
            setattr(stand_in, name, _late(module, name))
        sys.modules[module] = stand_in
    try:
        yield
    finally:
        for module in missing:
            del sys.modules[module]


_whole, _inited = ssl.create_default_context, mimetypes.inited
ssl.create_default_context = _trusting_nobody
mimetypes.inited = True  # so they are not read now; what asks for one reads them first
try:
    with _standing_in(
        {"argparse": ("ArgumentParser",), "urllib.request": ("getproxies", "proxy_bypass")}
    ):
        import aiohttp as aiohttp  # what comes later finds it imported
        import aiohttp.web  # noqa: F401
finally:
    ssl.create_default_context = _whole
    mimetypes.inited = _inited
