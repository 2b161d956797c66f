"""Trusts exactly the certificate in the gateway's own file, for clients on this host.

The supervisor and the command line have the file, so no authority and no matching name is needed:
a self-signed certificate works without further settings.
"""

from __future__ import annotations

import ssl
from pathlib import Path


def trusting(certificate: str | Path) -> ssl.SSLContext:
    """Return a client context that accepts only this certificate.

    Create it for each connection, because the file may have been renewed. Raises ``OSError``.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cafile=certificate)
    return context
