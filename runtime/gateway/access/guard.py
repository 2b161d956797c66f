"""Holds what decides over access to one gateway: secrets, names, trusted proxies, guess limits.

WebSocket handshakes and HTTP requests count wrong secrets together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from runtime.config.model import GatewayConfig
from runtime.gateway.access.auth import Secrets, same
from runtime.gateway.access.hosts import HostRules
from runtime.gateway.access.origin import ClientOrigin, TrustedProxies
from runtime.gateway.access.throttle import SHARED, Throttle, key
from workers.secrets import reveal


class AccessGuard:
    """The access rules of one gateway; ``now()`` is the loop's time in seconds.

    ``session_token`` proves the supervisor of this boot.
    """

    def __init__(self, config: GatewayConfig, session_token: str, now: Callable[[], float]) -> None:
        auth = config.auth
        self.hosts = HostRules(config.bind, config.allowed_origins, config.public_url)
        self.secrets = Secrets(
            session_token,
            None if auth.token is None else reveal(auth.token),
            None if auth.password is None else reveal(auth.password),
            auth.mode,
        )
        rate = auth.rate_limit
        self._throttle = Throttle(
            attempts=rate.max_attempts,
            window=rate.window_ms / 1000,
            lockout=rate.lockout_ms / 1000,
            exempt_loopback=rate.exempt_loopback,
        )
        self._proxies = TrustedProxies(config.trusted_proxies)
        self._now = now

    def origin_of(self, peer: str, loopback: bool, headers: Mapping[str, str]) -> ClientOrigin:
        """Return where a connection of ``peer`` really comes from."""
        return self._proxies.origin_of(peer, loopback, headers)

    def locked(self, kind: str, origin: ClientOrigin) -> float:
        """Return for how many seconds guesses from an address are locked; 0: they are not."""
        address = key(kind, origin.address)
        return self._throttle.locked(address, origin.loopback, self._now())

    def failed(self, kind: str, origin: ClientOrigin) -> float:
        """Count a wrong secret; return the seconds to wait before it is answered."""
        address = key(kind, origin.address)
        return self._throttle.failed(address, origin.loopback, self._now())

    def succeeded(self, kind: str, origin: ClientOrigin) -> None:
        """Forget the wrong secrets of an address."""
        self._throttle.succeeded(key(kind, origin.address))

    def accepts(self, given: str, origin: ClientOrigin) -> bool:
        """Return whether ``given`` is the configured secret; a wrong one is counted."""
        secrets = self.secrets
        if same(given, secrets.token) or same(given, secrets.password):
            self.succeeded(SHARED, origin)
            return True
        self.failed(SHARED, origin)
        return False
