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
from typing import Any, Final

from ipc.lean_import import lean_import

# In the header Server, instead of the versions of Python and aiohttp: those tell an attacker what
# to try, and take 20 bytes of each file of the page.
SERVER_NAME: Final = "Trunkline"


def trusting() -> ssl.SSLContext:
    """Return an SSL context for clients with this system's trusted certificates. Reads files."""
    return ssl.create_default_context()


def _trusting_nobody(*_: Any, **__: Any) -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


_whole, _inited = ssl.create_default_context, mimetypes.inited
ssl.create_default_context = _trusting_nobody
mimetypes.inited = True  # so they are not read now; what asks for one reads them first
try:
    with lean_import("argparse", "urllib.request"):
        import aiohttp as aiohttp  # what comes later finds it imported
        import aiohttp.web
finally:
    ssl.create_default_context = _whole
    mimetypes.inited = _inited

# Here and not in our responses: what is malformed is answered by aiohttp itself.
setattr(aiohttp.web_response, "SERVER_SOFTWARE", SERVER_NAME)  # noqa: B010 - it exports none
