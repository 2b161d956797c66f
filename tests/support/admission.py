"""A gatekeeper that admits everybody, and approvals of pairing requests."""

from __future__ import annotations

from collections.abc import Callable

from runtime.config.access_policy import AccessPolicy
from runtime.gateway.access_policy.gatekeeper import Gatekeeper
from runtime.gateway.journal.interface import Journal
from tests.support.daemon import Daemon

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


def code_in(text: str) -> str:
    """Return the code in the message that a stranger gets."""
    return text.split("trunkline pairing approve ")[1].split()[1].strip("`")


async def approve(daemon: Daemon, channel: str, text: str) -> None:
    """Approve the stranger who was sent the message ``text``, by the command in it."""
    code, _, error = await daemon.command("pairing", "approve", channel, code_in(text))
    assert code == 0, error
