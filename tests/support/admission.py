"""A gatekeeper that admits everybody, for tests of what comes after it."""

from __future__ import annotations

from collections.abc import Callable

from runtime.config.access_policy import AccessPolicy
from runtime.gateway.access_policy.gatekeeper import Gatekeeper
from runtime.gateway.journal.interface import Journal

OPEN = AccessPolicy(dm="open", group="open")


def open_gate(
    *keys: str,
    journal: Callable[[], Journal | None] = lambda: None,
    flush: Callable[[], None] = lambda: None,
    policy: AccessPolicy = OPEN,
) -> Gatekeeper:
    """Return a gatekeeper with one policy for these accounts."""
    gate = Gatekeeper(journal, flush, lambda key: key.partition(":")[0])
    gate.configure(dict.fromkeys(keys, policy))
    return gate
