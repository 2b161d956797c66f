"""Trusts exactly the certificate in the gateway's own file, for clients on this host.

The supervisor and the command line know the file, so no authority need vouch for it and no
name need match: a certificate that a person made himself works without further settings.
"""

from __future__ import annotations

import ssl
from pathlib import Path


def trusting(certificate: str | Path) -> ssl.SSLContext:
    """Return a context for clients that accepts this certificate and no other.

    Made anew for each connection, for the file may have been renewed. Raises ``OSError``.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cafile=certificate)
    return context
