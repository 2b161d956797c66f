"""Makes what a daemon needs to speak TLS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import trustme


def encryption(directory: Path) -> tuple[Path, dict[str, Any]]:
    """Return a new certificate, and the section of the configuration that has it used."""
    issued = trustme.CA().issue_cert("gateway.example")
    cert, key = directory / "cert.pem", directory / "key.pem"
    cert.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    return cert, {"enabled": True, "certPath": str(cert), "keyPath": str(key)}
