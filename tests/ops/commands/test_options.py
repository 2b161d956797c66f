"""What the shared options take."""

from __future__ import annotations

import pytest

from ops.commands.options import json_object
from ops.exits import UsageFailure


def test_a_json_object_is_decoded() -> None:
    assert json_object('{"a": [1, "ü"]}') == {"a": [1, "ü"]}


@pytest.mark.parametrize("text", ["", "[1]", "{", "5", "null", "[" * 50_000, "{'a': 1}"])
def test_what_is_no_json_object_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageFailure, match="--params is not a JSON object"):
        json_object(text)
