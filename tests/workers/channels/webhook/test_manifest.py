"""The manifest: what is shown of an account, and what may be changed from where."""

from __future__ import annotations

from typing import Any

import pytest

from workers.channels.webhook import manifest
from workers.channels.webhook.plugin import Webhook
from workers.process.loading import import_object, without_method
from workers.registry import manifests


def test_it_is_installed_and_keeps_its_promises() -> None:
    found = manifests()
    assert found["webhook"].manifest is manifest
    assert import_object(manifest.plugin) is Webhook
    assert without_method(Webhook, manifest.can) == []
    assert manifest.actions == {"send"}
    assert manifest.idempotent == 300


@pytest.mark.parametrize(
    ("config", "shown"),
    [
        ({}, "inbound only"),
        ({"url": "https://example.com/hook?token=x"}, "to example.com"),
        ({"url": {"source": "env", "id": "X"}}, "inbound only"),
    ],
)
def test_an_account_is_described_by_its_peer_alone(config: dict[str, Any], shown: str) -> None:
    assert manifest.describe(config) == shown
