from __future__ import annotations

from workers.channels.discord import manifest
from workers.channels.discord.plugin import Discord
from workers.process.loading import without_method
from workers.testing.fakes.discord_bots import token_of


def test_every_word_of_can_has_its_method() -> None:
    assert without_method(Discord, manifest.can) == []


def test_an_account_is_described_by_its_bot() -> None:
    token = token_of("123")
    assert manifest.describe({"token": token}) == "bot 123"
    assert manifest.describe({"token": {"source": "env", "id": "X"}}) == "bot"
    described = manifest.describe({"token": token, "apiRoot": "http://here"})
    assert described == "bot 123 at http://here"
    assert "secret" not in described
