"""Defines the channel ``webhook``: messages over HTTP with signatures of Standard Webhooks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.channels.webhook.config import WebhookConfig
from workers.plugin import Manifest, Media
from workers.web.addresses import host_of
from workers.web.signing import key_of


class WebhookManifest(Manifest):
    """The manifest of ``webhook``, which describes an account by the host of its peer."""

    __slots__ = ()

    def describe(self, config: Mapping[str, Any]) -> str:
        """Return the host of ``url``, without path and query, which may hold a secret."""
        host = host_of(config.get("url"))
        return f"to {host}" if host else "inbound only"

    def wrong_secret(self, name: str, value: str) -> str | None:
        """Return what is wrong with the format of a secret; ``None`` if nothing is."""
        try:
            key_of(value)
        except ValueError as error:
            return str(error)
        return None


manifest = WebhookManifest(
    id="webhook",
    label="Webhook",
    config=WebhookConfig,
    plugin="workers.channels.webhook.plugin:Webhook",
    detail_label="Standard Webhooks",
    system_image="link",
    secrets=frozenset({"secret", "previousSecret"}),
    can=frozenset({"http", "uploads", "buttons", "poll", "threads"}),
    media=Media(receive=True),
    example={
        "ingress": True,
        "secret": {"source": "env", "id": "TRUNKLINE_WEBHOOK_SECRET"},
        "url": "https://example.com/hook",
    },
    status={"connected": False, "mode": "webhook"},
    # Receivers of Standard Webhooks drop a webhook-id that they have had; this long is our claim.
    idempotent=300.0,
    dm_policy="open",  # every sender with the secret is admitted
)
