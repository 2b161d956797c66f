"""Hooks are tried as the gateway has them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ops.actions.hooks import made_of
from ops.exits import OperatorError
from runtime.config.load import load_text


def loaded(**hooks: Any) -> Any:
    text = json.dumps({"gateway": {"auth": {"token": "t"}}, "hooks": hooks})
    return load_text(Path("/x.json5"), text)


def test_a_request_makes_what_the_gateway_would_make_of_it() -> None:
    found = loaded(allowRequestSessionKey=True)
    made = made_of(found, "agent", b'{"message":"x","sessionKey":"hook:a"}', {}, {})
    assert (made["action"], made["enabled"], made["session"]) == ("agent", False, "hook:a")
    keyed = made_of(found, "agent", b'{"message":"x"}', {"idempotency-key": "k"}, {})
    assert keyed["key"] == "k"
    with pytest.raises(OperatorError, match="sessionKey is disabled"):
        made_of(loaded(), "wake", b'{"text":"x","sessionKey":"hook:a"}', {}, {})
    with pytest.raises(OperatorError, match="the body is no JSON"):
        made_of(loaded(), "wake", b"{", {}, {})
    mapped = loaded(mappings=[{"match": {"path": "github"}, "action": "wake"}])
    with pytest.raises(OperatorError, match="matches gihub: 404; their paths: github"):
        made_of(mapped, "gihub", b"{}", {}, {})
