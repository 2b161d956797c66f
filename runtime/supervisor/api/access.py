"""How this host's operator gets into the gateway: as the daemon runs with it, not as the file says.

Only told over ``cli.sock``, to our own user, who may read the configuration anyway. A secret
that is a reference stays one: whoever asks resolves it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from runtime.config.model import GatewayConfig


def access(url: str, config: GatewayConfig) -> dict[str, Any]:
    """Return the gateway's address, its secrets, and the certificate to trust."""
    return {
        "url": url,
        "token": msgspec.to_builtins(config.auth.token),
        "password": msgspec.to_builtins(config.auth.password),
        "certificate": config.tls.cert_path if config.tls.enabled else None,
    }
