"""Holds the access rules of one gateway: secrets, names, trusted proxies, guess limits.

WebSocket handshakes and HTTP requests count wrong secrets together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from runtime.config.gateway_model import GatewayConfig
from runtime.gateway.access.auth import Secrets, same
from runtime.gateway.access.client_address import ClientAddress, TrustedProxies
from runtime.gateway.access.hosts import HostRules
from runtime.gateway.access.throttle import SHARED, SUCCESS_DELAY, Attempts, Throttle, key
from workers.secrets import reveal

FOLLOW_SECONDS = 0.02  # between two turns: many connections that end together are all gone then


class AccessGuard:
    """The access rules of one gateway; ``now()`` is the loop's time in seconds.

    ``session_token`` proves the supervisor of this boot.
    """

    def __init__(self, config: GatewayConfig, session_token: str, now: Callable[[], float]) -> None:
        auth = config.auth
        self.hosts = HostRules(config.bind, config.allowed_origins, config.public_url, config.port)
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
        self._attempts = Attempts()

    def address_of(self, peer: str, loopback: bool, headers: Mapping[str, str]) -> ClientAddress:
        """Return the origin of a connection from ``peer``, behind trusted proxies, too."""
        return self._proxies.address_of(peer, loopback, headers)

    def locked(self, kind: str, origin: ClientAddress) -> float:
        """Return the seconds for which guesses from an address are locked out; 0: they are not."""
        address = key(kind, origin.address)
        return self._throttle.locked(address, origin.loopback, self._now())

    def record_failure(self, kind: str, origin: ClientAddress) -> float:
        """Count a wrong secret; return the seconds to wait before it is answered."""
        address = key(kind, origin.address)
        return self._throttle.record_failure(address, origin.loopback, self._now())

    def success_delay(self, origin: ClientAddress) -> float:
        """Return the seconds to wait before the right shared secret is answered."""
        return self._throttle.success_delay(key(SHARED, origin.address), self._now())

    def turn(self, origin: ClientAddress, begin: Callable[[], None]) -> SignInTurn:
        """Return a turn for this address, which calls ``begin`` when it starts."""
        return SignInTurn(self, origin.address, begin)

    def request_turn(self, turn: SignInTurn) -> None:
        """Begin a turn now, or when another one of its address ends."""
        if self._attempts.begin(turn.address, turn):
            self._begin(turn)

    def end_turn(self, turn: SignInTurn) -> None:
        """End a turn, and begin the next one of its address soon.

        It does not begin at once: when a client gives up many attempts together, all of them are
        gone by then, and no secret is checked for a client that is gone.
        """
        turn.over = True
        following = self._attempts.end(turn.address, turn)
        if isinstance(following, SignInTurn):
            asyncio.get_running_loop().call_later(FOLLOW_SECONDS, self._begin, following)

    def give_up(self, turn: SignInTurn) -> None:
        """End a turn whose client is gone, or whose secret is wrong; a checked one ends later.

        It keeps its place as long as a right secret does: a client that does not wait for answers
        has no more tries.
        """
        kept = 0.0 if turn.begun is None else turn.begun + SUCCESS_DELAY - self._now()
        if kept <= 0:
            self.end_turn(turn)
        else:
            asyncio.get_running_loop().call_later(kept, self.end_turn, turn)

    def _begin(self, turn: SignInTurn) -> None:
        if not turn.over:
            turn.begun = self._now()
            turn.begin()

    def check_secret(self, given: str, origin: ClientAddress) -> tuple[bool, float]:
        """Return whether ``given`` is the configured secret, and the seconds to delay the answer.

        A wrong secret is counted as a failure of the address.
        """
        secrets = self.secrets
        if same(given, secrets.token) or same(given, secrets.password):
            return True, self.success_delay(origin)
        return False, self.record_failure(SHARED, origin)


class SignInTurn:
    """The turn of one attempt to sign in with the shared secret.

    ``request`` it, and ``end`` it when the attempt is answered or its client has gone.
    """

    def __init__(self, guard: AccessGuard, address: str, begin: Callable[[], None]) -> None:
        self.address = address
        self.begin = begin
        self.begun: float | None = None  # the loop's time
        self.over = False
        self._guard = guard

    def request(self) -> None:
        """Call ``begin`` when a secret of this address may be checked, perhaps at once."""
        self._guard.request_turn(self)

    def give_up(self) -> None:
        """End it, or its waiting: the client is gone, or its secret wrong and its answer late."""
        self._guard.give_up(self)

    def end(self) -> None:
        """End it, or its waiting; ending twice does nothing."""
        self._guard.end_turn(self)
