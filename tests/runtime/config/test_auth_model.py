"""What a secret of the gateway may be."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from runtime.config.auth_model import AuthConfig
from workers.secrets import SecretRef


@pytest.mark.parametrize(
    ("given", "token"),
    [("t", "t"), ({"source": "env", "id": "TOKEN"}, SecretRef("env", "TOKEN")), (None, None)],
)
def test_a_token_is_a_text_or_a_reference(given: Any, token: Any) -> None:
    assert msgspec.convert({"token": given}, AuthConfig).token == token


@pytest.mark.parametrize("given", ["", "x" * 4097, 5, {"source": "nowhere", "id": "TOKEN"}])
def test_anything_else_is_refused(given: Any) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"token": given}, AuthConfig)
