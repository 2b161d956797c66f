"""Imports aiohttp for a server: without the certificates that are for its clients.

While it is imported, aiohttp reads every certificate that this system trusts, for requests that
it makes itself: 25 ms, and 0.8 MiB of a gateway's 29, which hardly ever makes any. So what it keeps
for them here trusts nobody, and ``trusting`` returns what such a request is to bring. In the
gateway's process this is imported before anything else imports aiohttp.
"""

from __future__ import annotations

import ssl
from typing import Any


def trusting() -> ssl.SSLContext:
    """Return a client's context that trusts what this system trusts; it reads files."""
    return ssl.create_default_context()


def _trusting_nobody(*_: Any, **__: Any) -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


_whole = ssl.create_default_context
ssl.create_default_context = _trusting_nobody
try:
    import aiohttp as aiohttp  # what comes later finds it imported
finally:
    ssl.create_default_context = _whole
