"""Bounds the HTTP requests to accounts: number, rate and memory. Pure.

A request holds a place of its account from its admission until it is answered, or until the
worker that hangs on it is gone. So one account that is slow uses up its own places, and then its
requests are refused before their bodies are read. A request whose body does not come gives its
place to the next one: strangers cannot fill all of them with bodies that never end.

Of the memory for all bodies no account gets more than is left free for the others: with n of them
at their bound a part of 1/(n+1) is free.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from ipc.frames.data import MAX_PAYLOAD_BYTES
from ipc.token_bucket import TokenBucket
from runtime.config.http_model import IngressConfig

BODY_GRACE = 1.0  # seconds in which a body comes undisturbed

REASONS = (
    "disk",
    "in flight",
    "memory",
    "not running",
    "not stored",
    "rate",
    "timeout",
    "too large",
)


class Crowded(Exception):
    """Raised for a request without room; the text is the reason.

    ``retry_after`` is in seconds, ``reason`` one of ``REASONS``.
    """

    def __init__(self, reason: str, text: str, retry_after: float) -> None:
        super().__init__(text)
        self.reason = reason
        self.retry_after = retry_after


class SharedRoom:
    """Room for bodies, in bytes, that accounts share; ``held`` of it is taken.

    ``reason`` and ``text`` are those of the refusal where there is none.
    """

    def __init__(self, reason: str, text: str) -> None:
        self.total = 0
        self.held = 0
        self._reason, self._text = reason, text
        self._of: Counter[str] = Counter()

    def check(self, key: str, count: int) -> None:
        """Raise ``Crowded`` unless the account may take so many bytes more."""
        if count and self._of[key] + count > self.total - self.held:
            raise Crowded(self._reason, self._text, 1.0)

    def reserve(self, key: str, count: int) -> None:
        """Reserve bytes, or release them if negative. Raises ``Crowded``, as ``check``."""
        if count > 0:
            self.check(key, count)
        self.held += count
        self._of[key] += count
        if not self._of[key]:
            del self._of[key]


class HttpPlace:
    """The place of one admitted request, and the memory of its body.

    Each ``retain`` needs a ``release`` of its own; the last one frees the place. ``lost``: it went
    to another request, because the body did not come.
    """

    def __init__(self, bounds: HttpBounds, key: str) -> None:
        self._bounds = bounds
        self._key = key
        self._holders = 1
        self._bytes = self._disk_bytes = 0
        self._since = 0.0
        self._on_loss: Callable[[], None] | None = None
        self.lost = False

    def begin_body(self, now: float, on_loss: Callable[[], None]) -> None:
        """Allow another request to take the place after a while; ``on_loss`` is called then."""
        self._since, self._on_loss = now, on_loss
        self._bounds.begin_body(self._key, self)

    def on_body_end(self) -> None:
        """Record that the body has arrived, or will not: the place is kept."""
        if self._on_loss is not None and not self.lost:
            self._bounds.on_body_end(self._key, self)
            self._on_loss = None

    def is_slow(self, now: float) -> bool:
        """Return whether the body has been awaited for longer than ``BODY_GRACE``."""
        return now - self._since >= BODY_GRACE

    def lose(self) -> None:
        """Free the place and its memory for another request, and call ``on_loss``."""
        on_loss = self._on_loss
        self.on_body_end()
        self.lost = True
        self._free()
        if on_loss is not None:
            on_loss()

    def reserve(self, count: int) -> None:
        """Reserve so many more bytes of memory; raises ``Crowded``."""
        if self.lost:
            raise too_slow()
        self._bounds.memory.reserve(self._key, count)
        self._bytes += count

    def reserve_disk(self, count: int) -> None:
        """Reserve so many more bytes of disk; raises ``Crowded``."""
        if self.lost:
            raise too_slow()
        self._bounds.disk.reserve(self._key, count)
        self._disk_bytes += count

    def move_to_disk(self) -> None:
        """Replace the reserved memory by disk; raises ``Crowded``."""
        self.reserve_disk(self._bytes)
        self._bounds.memory.reserve(self._key, -self._bytes)
        self._bytes = 0

    def retain(self) -> None:
        """Add a holder of the place."""
        self._holders += 1

    def release(self) -> None:
        """Remove a holder; the last one frees the place."""
        self._holders -= 1
        if self._holders == 0 and not self.lost:
            self.on_body_end()
            self._free()

    def _free(self) -> None:
        self._bounds.release(self._key)
        self._bounds.memory.reserve(self._key, -self._bytes)
        self._bounds.disk.reserve(self._key, -self._disk_bytes)


class HttpBounds:
    """The bounds of all accounts. ``refused`` counts refusals by reason."""

    def __init__(self) -> None:
        self.config = IngressConfig()
        self.requests = 0  # admitted
        self.memory = SharedRoom("memory", "too many bodies of requests are being held")
        self.disk = SharedRoom("disk", "too many large bodies of requests lie on the disk")
        self.refused: Counter[str] = Counter(dict.fromkeys(REASONS, 0))
        self._awaited: dict[str, list[HttpPlace]] = {}  # those whose bodies come, the oldest first
        self._places: Counter[str] = Counter()
        self._buckets: dict[str, TokenBucket] = {}
        self._set_totals()

    @property
    def in_flight(self) -> int:
        """The number of places in use, of all accounts."""
        return self._places.total()

    def _set_totals(self) -> None:
        self.memory.total = self.config.total_bytes
        self.disk.total = self.config.disk_bytes

    def configure(self, config: IngressConfig) -> None:
        """Set new bounds, for requests from now on."""
        if config != self.config:
            self.config = config
            self._set_totals()
            self._buckets.clear()

    def admit(self, key: str, size: int, now: float) -> HttpPlace:
        """Admit a request with a body of ``size`` bytes (0: not known) to the account ``key``.

        Raises ``Crowded``. ``now`` is in seconds and never goes back.
        """
        full = self._places[key] >= self.config.in_flight
        slow = next((each for each in self._awaited.get(key, ()) if each.is_slow(now)), None)
        if full and slow is None:
            text = f"{self.config.in_flight} requests to this account are being answered"
            raise Crowded("in flight", text, 1.0)
        (self.disk if size > MAX_PAYLOAD_BYTES else self.memory).check(key, size)
        bucket = self._buckets.get(key)
        if bucket is None:
            rate = self.config.per_second
            bucket = self._buckets[key] = TokenBucket(max(rate, 1.0), rate, now)
        if not bucket.reserve(now):
            text = f"this account takes {self.config.per_second:g} requests a second"
            raise Crowded("rate", text, bucket.delay(now))
        if full and slow is not None:
            slow.lose()
        self.requests += 1
        self._places[key] += 1
        return HttpPlace(self, key)

    def begin_body(self, key: str, place: HttpPlace) -> None:
        """Record that the body of this place's request is still missing."""
        self._awaited.setdefault(key, []).append(place)

    def on_body_end(self, key: str, place: HttpPlace) -> None:
        """Record that the body of this place's request has arrived, or will not."""
        self._awaited[key].remove(place)
        if not self._awaited[key]:
            del self._awaited[key]

    def release(self, key: str) -> None:
        """Remove a place of an account."""
        self._places[key] -= 1
        if not self._places[key]:
            del self._places[key]

    def count_refusal(self, reason: str) -> None:
        """Count a request that was refused."""
        self.refused[reason] += 1

    def forget(self, key: str) -> None:
        """Drop the rate of a removed account."""
        self._buckets.pop(key, None)


def too_slow() -> Crowded:
    """Return the error of a request whose place went to another one."""
    return Crowded("in flight", "the body came too slowly, and others wait for its place", 1.0)
