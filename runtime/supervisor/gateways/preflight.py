"""Checks what the gateway's process will read at its start, before a configuration is applied.

Otherwise the gateway would fail at its start and lock out the remote operator who wrote the
configuration. So its secrets and its certificate are read here: if that fails, the file is refused
as invalid, and everything stays as it is.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator

from runtime.config.auth_model import AuthConfig
from runtime.config.errors import ConfigError, Problem
from runtime.config.gateway_model import GatewayConfig
from runtime.config.load import Loaded
from runtime.config.variables import GATEWAY_VARIABLES, referenced
from workers.errors import Misconfigured
from workers.secrets import reveal

RESTARTING = ("restart", "off")  # modes in which any change replaces the gateway


class GatewayPreflight:
    """Refuses configurations whose gateway could not start or could not authenticate clients.

    A successful check is not repeated while the gateway's section stays the same and no other
    change replaces the gateway, so that not every edit asks a password store.
    """

    def __init__(self) -> None:
        self._good: tuple[GatewayConfig, frozenset[str]] | None = None

    def check(self, loaded: Loaded) -> None:
        """Raise ``ConfigError`` for files and secrets that cannot be read; blocks meanwhile."""
        gateway = loaded.config.gateway
        found_with = gateway, _withheld(loaded)
        if found_with == self._good and gateway.reload.mode not in RESTARTING:
            return
        if found := list(gateway_problems(*found_with)):
            raise ConfigError(str(loaded.path), found)
        self._good = found_with


def _withheld(loaded: Loaded) -> frozenset[str]:
    """Return the environment variables that the gateway's process will not have."""
    if loaded.config.gateway.foreign:
        return frozenset()
    return (GATEWAY_VARIABLES | referenced(loaded.raw)) - referenced(loaded.raw.get("gateway"))


def gateway_problems(gateway: GatewayConfig, withheld: Collection[str] = ()) -> Iterator[Problem]:
    """Yield each secret and certificate of the gateway that cannot be read now.

    Commands run without the variables ``withheld``, as they will in the gateway's process.
    """
    yield from _secret_problems(gateway.auth, withheld, foreign=gateway.foreign)
    tls = gateway.tls
    if tls.enabled and not gateway.foreign:
        import ssl  # 15 ms that only an encrypted port waits for

        try:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls.cert_path or "", tls.key_path)
        except OSError as error:  # ssl.SSLError is one
            why = error.strerror or str(error)
            text = f"{tls.cert_path} and {tls.key_path} cannot be used: {why}"
            yield Problem("gateway.tls", text)


def _secret_problems(
    auth: AuthConfig, withheld: Collection[str], *, foreign: bool
) -> Iterator[Problem]:
    """Yield the references that fail; of a foreign gateway only the first secret is used."""
    environ = {name: value for name, value in os.environ.items() if name not in withheld}
    for name in ("token", "password"):
        secret = getattr(auth, name)
        if secret is None:
            continue
        try:
            reveal(secret, environ)
        except Misconfigured as error:
            yield Problem(f"gateway.auth.{name}", f"cannot be resolved: {error}")
        if foreign:
            return
